"""Commands for access to a source: `source policy` for the customer, `source check` for operators.

Put here: their output and exit codes. Keep out: the documents (sources/policy.py) and the probes
(sources/access_check.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import typer

from finops_pipeline.application.installation import Installation
from finops_pipeline.cli.show import open_installation, say, split
from finops_pipeline.cli.text_table import cell
from finops_pipeline.errors import FinopsError
from finops_pipeline.sources.access_check import Finding, Verdict, check
from finops_pipeline.sources.policy import PLATFORM_ROLE, permissions_policy, trust_policy
from finops_pipeline.tenants.model import Source, Tenant
from finops_pipeline.tenants.places import check_key, check_role

SourceName = Annotated[str, typer.Argument(metavar="TENANT/SOURCE", help="A declared source.")]


class Part(StrEnum):
    """The documents that `source policy` prints."""

    BOTH = "both"
    TRUST = "trust"
    PERMISSIONS = "permissions"


def _open_source(name: str) -> tuple[Installation, Tenant, Source]:
    tenant_name, source_name = split(name, "SOURCE")
    installation = open_installation()
    tenant = installation.registry.tenant(tenant_name)
    if not tenant.external_id:  # declared by an earlier version: saving assigns the id
        installation.registry.save(tenant)
        tenant = installation.registry.tenant(tenant_name)
    return installation, tenant, tenant.source(source_name)


def policy_command(
    source: SourceName,
    platform_role: Annotated[
        str, typer.Option(help="ARN of the role that this installation runs as.")
    ] = "",
    kms_key: Annotated[
        str, typer.Option(help="ARN of the key that encrypts the bucket, if it has its own.")
    ] = "",
    part: Annotated[Part, typer.Option(help="Print only one of the two documents.")] = Part.BOTH,
) -> None:
    """Print the policies that the customer's role needs, as JSON: trust and permissions."""
    check_role(platform_role)
    check_key(kms_key)
    _, tenant, declared = _open_source(source)
    documents = {
        "trust": trust_policy(tenant, platform_role),
        "permissions": permissions_policy(declared, kms_key),
    }
    for line in _instructions(source, declared, platform_role, kms_key):
        say(line, to_stderr=True)
    printed = documents if part is Part.BOTH else documents[part.value]
    say(json.dumps(printed, indent=2, ensure_ascii=False))


def _instructions(name: str, source: Source, platform_role: str, kms_key: str) -> Iterator[str]:
    yield f"For the customer whose bills {name} reads:"
    yield "1. Create an IAM role with `trust` as its trust policy. The external id in it was made"
    yield "   for this tenant; nobody chooses it, and it never changes."
    yield "2. Attach `permissions` to the role: it may read this one source, and nothing else."
    yield f"3. Send us the role's ARN. We declare it with finops source add {name} --role-arn ARN"
    yield f"   and test it with finops source check {name}."
    if not source.in_aws:
        yield f"Note: {name} reads nothing from AWS, so there is nothing to permit."
    if not platform_role:
        yield f"Note: replace {PLATFORM_ROLE} with the role that finops runs as,"
        yield "   or give it with --platform-role ARN (aws sts get-caller-identity shows it)."
    if source.location.startswith("s3://") and not kms_key:
        yield "Note: if the bucket is encrypted with a KMS key, add --kms-key ARN."


def check_command(source: SourceName) -> None:
    """Test a source's access step by step; exit code 1 if a required step fails."""
    installation, tenant, declared = _open_source(source)
    failed = False
    for finding in _findings(installation, tenant, declared):
        say(f"{finding.verdict.value:<7}{finding.probe}: {cell(finding.details)}")
        failed = failed or finding.verdict is Verdict.FAILED
    say(f"{source} cannot be used yet." if failed else f"{source} can be used.")
    if failed:
        raise typer.Exit(1)


def _findings(installation: Installation, tenant: Tenant, source: Source) -> Iterator[Finding]:
    try:
        installation.check_location(tenant, source)
    except FinopsError as error:
        yield Finding("location", Verdict.FAILED, str(error))
        return
    yield from check(tenant, source)
