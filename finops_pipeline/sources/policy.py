"""The IAM policies that a customer grants: the trust policy and the least permissions of a source.

Put here: the two documents. Keep out: printing them (cli/source_access.py), using the access that
they grant (aws.py).

Sources: AWS IAM "Access to AWS accounts owned by third parties" (external id), "IAM policy
elements: variables" (special characters).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from finops_pipeline.sources.inventory_table import CALLS, REGIONS_ACTION, TAGGING_ACTION
from finops_pipeline.tenants.collected_source import CollectedSource
from finops_pipeline.tenants.model import Source, SourceKind, Tenant
from finops_pipeline.tenants.places import bucket_and_prefix, is_s3, role_partition
from finops_pipeline.tenants.source import BILL_KINDS

Document = dict[str, Any]

PLATFORM_ROLE = "arn:aws:iam::ACCOUNT-OF-THE-PLATFORM:role/ITS-ROLE"
"""The placeholder for the platform's role; IAM refuses it, so nobody can forget to replace it."""

_VERSION = "2012-10-17"


def trust_policy(tenant: Tenant, platform_role: str = "") -> Document:
    """Make the trust policy: one role may assume the customer's, only with the external id.

    Args:
        platform_role: ARN of the role that the installation runs as.
    """
    statement = {
        "Sid": "FinopsAssume",
        "Effect": "Allow",
        "Principal": {"AWS": platform_role or PLATFORM_ROLE},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": tenant.external_id}},
    }
    return {"Version": _VERSION, "Statement": [statement]}


def permissions_policy(source: Source, kms_key: str = "") -> Document:
    """Make the least permissions that reading a source needs; none for one that is not in AWS.

    Args:
        kms_key: ARN of the key that encrypts the bucket, if it is one of the customer's.
    """
    partition = kms_key.split(":")[1] if kms_key else role_partition(source.role_arn)
    statements = STATEMENTS[source.kind](source, partition)
    if kms_key:
        suffix = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
        statements.append(
            {
                "Sid": "FinopsDecrypt",
                "Effect": "Allow",
                "Action": "kms:Decrypt",
                "Resource": kms_key,
                "Condition": {"StringLike": {"kms:ViaService": f"s3.*.{suffix}"}},
            }
        )
    return {"Version": _VERSION, "Statement": statements}


def _read_report(source: Source, partition: str) -> list[Document]:
    if not is_s3(source.location):
        return []
    bucket, prefix = bucket_and_prefix(source.location)
    below = f"{_escape_wildcards(prefix)}/*" if prefix else "*"
    arn = f"arn:{partition}:s3:::{bucket}"
    listing: Document = {
        "Sid": "FinopsListReport",
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": arn,
    }
    if prefix:
        listing["Condition"] = {"StringLike": {"s3:prefix": below}}
    reading = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{arn}/{below}"}
    return [listing, {"Sid": "FinopsReadReport", **reading}]


def _ask_cost_explorer(source: Source, partition: str) -> list[Document]:
    asking = {"Effect": "Allow", "Action": "ce:GetCostAndUsage", "Resource": "*"}
    return [{"Sid": "FinopsAskCostExplorer", **asking}]


def _list_inventory(source: Source, partition: str) -> list[Document]:
    actions = {action for call in CALLS for action in call.actions}
    actions |= {TAGGING_ACTION, REGIONS_ACTION}
    return [_read_everywhere("FinopsListResources", sorted(actions), source)]


def _ask_cloudwatch(source: Source, partition: str) -> list[Document]:
    return [_read_everywhere("FinopsReadMetrics", ["cloudwatch:GetMetricData"], source)]


def _read_everywhere(sid: str, actions: list[str], source: Source) -> Document:
    """Allow actions that take no resource, in the regions of the source where it names some."""
    statement: Document = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": "*"}
    if isinstance(source, CollectedSource) and source.regions:
        # Services without regions are called in the partition's first region.
        regions = sorted({*source.regions, "us-east-1"})
        statement["Condition"] = {"StringEquals": {"aws:RequestedRegion": regions}}
    return statement


def _read_nothing(source: Source, partition: str) -> list[Document]:
    return []


STATEMENTS: dict[SourceKind, Callable[[Source, str], list[Document]]] = {
    **dict.fromkeys(BILL_KINDS, _read_report),
    SourceKind.COST_EXPLORER_API: _ask_cost_explorer,
    SourceKind.COST_EXPLORER_CSV: _read_nothing,
    SourceKind.INVENTORY_API: _list_inventory,
    SourceKind.INVENTORY_FILES: _read_nothing,
    SourceKind.CLOUDWATCH: _ask_cloudwatch,
}
"""The statements that reading each kind of source needs, from the source and its AWS partition."""


def _escape_wildcards(prefix: str) -> str:
    """Escape `*`, `?` and `$` in a prefix, so that a policy takes them literally."""
    return re.sub(r"[*?$]", lambda match: f"${{{match.group()}}}", prefix)
