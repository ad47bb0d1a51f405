"""How a customer grants access to us and to nobody else: roles, `source policy` and `source check`.

Put here: roles assumed with an external id, roles that do not require one, the policies that the
commands print. Keep out: what a source may declare (test_source_declarations.py).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline.sources.policy import trust_policy
from finops_pipeline.tenants.model import Source, Tenant
from finops_pipeline.tenants.source import (
    CostExplorerApiSource,
    FocusSource,
)
from tests.conftest import TemporaryInstallation
from tests.support.command_output import failure_of, output_of, printed_json
from tests.support.estate_in_s3 import Bills, bills, in_s3, profiles
from tests.support.servers import Store, trusting_role

__all__ = ["bills", "in_s3", "profiles"]

PLATFORM = "arn:aws:iam::999988887777:role/finops"
ROLE = "arn:aws:iam::{}:role/finops-read"


# --- roles, tried against STS


@pytest.fixture
def with_role(
    moto: Store,
    estate: Path,
    empty: TemporaryInstallation,
    monkeypatch: pytest.MonkeyPatch,
    request: Any,
) -> Source:
    """acme/labs in moto's S3, read through a role that checks acme's external id."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    moto.upload(estate / "acme/labs/exports/labs-focus", "acme-bills/labs")
    name = request.node.name.replace("[", "-").strip("]")[:60]
    source = FocusSource(
        name="labs",
        location="s3://acme-bills/labs",
        endpoint_url=moto.url,
        role_arn=f"arn:aws:iam::111122223333:role/{name}",
    )
    empty.installation.registry.save(Tenant(name="acme", sources=(source,)), Tenant(name="globex"))
    return source


def role_for(moto: Store, source: Source, trust: dict[str, Any]) -> None:
    made = trusting_role(moto, "111122223333", source.role_arn.rsplit("/", 1)[1], trust)
    assert made == source.role_arn


def test_bills_come_in_through_the_role_that_the_policy_describes(
    moto: Store, with_role: Source, empty: TemporaryInstallation
) -> None:
    refused = empty.ingest("acme").failed
    assert "AccessDenied" in refused[0].reason
    assert "finops source policy acme/labs" in refused[0].reason
    command = ["source", "policy", "acme/labs", "--platform-role", PLATFORM, "--part", "trust"]
    role_for(moto, with_role, printed_json(*command))
    assert not empty.ingest("acme").failed
    assert {s.state for s in empty.installation.status("acme")} == {"reconciled"}
    output = output_of("source", "check", "acme/labs")
    assert "ok     credentials: arn:aws" in output
    assert "ok     role refuses callers with a wrong external id: refused" in output
    assert "ok     role refuses callers without an external id: refused" in output
    assert "ok     list: s3://acme-bills/labs: 3 billing periods, 2026-08 to 2026-10" in output
    assert "ok     manifest: s3://acme-bills/labs/metadata/billing_period=2026-10/" in output
    assert "ok     read: s3://acme-bills/labs/data/billing_period=2026-10/" in output
    assert output.endswith("acme/labs can be used.\n")


def test_a_role_that_lets_anyone_in_fails_the_check_with_a_warning(
    moto: Store, with_role: Source, empty: TemporaryInstallation
) -> None:
    trust = trust_policy(empty.installation.registry.tenant("acme"), PLATFORM)
    del trust["Statement"][0]["Condition"]
    role_for(moto, with_role, trust)
    output = failure_of("source", "check", "acme/labs")
    for how in ("with a wrong external id", "without an external id"):
        assert f"FAILED role refuses callers {how}: WARNING: the role was assumed" in output
    assert "finops source policy acme/labs --part trust" in output
    assert output.endswith("acme/labs cannot be used yet.\n")


def test_the_role_of_a_tenant_does_not_open_for_another_tenant(
    moto: Store, with_role: Source, empty: TemporaryInstallation
) -> None:
    """The confused deputy: globex declares acme's role before acme does."""
    registry = empty.installation.registry
    role_for(moto, with_role, trust_policy(registry.tenant("acme"), PLATFORM))
    registry.save(Tenant(name="acme"))
    registry.save(Tenant(name="globex", sources=(with_role,)))
    reason = empty.ingest("globex").failed[0].reason
    assert "AccessDenied" in reason and not empty.installation.status("globex")


# --- what the commands print


def test_the_policy_grants_a_single_prefix_and_nothing_else(empty: TemporaryInstallation) -> None:
    output_of("tenant", "add", "acme")
    arguments = ["--format", "cur-2.0", "--location", "s3://bills/a$b*/cur", "--role-arn"]
    output_of("source", "add", "acme/payer", *arguments, ROLE.format("111122223333"))
    result = empty.finops("source", "policy", "acme/payer", "--platform-role", PLATFORM)
    policy = json.loads(result.stdout)
    assert policy["trust"]["Statement"] == [
        {
            "Sid": "FinopsAssume",
            "Effect": "Allow",
            "Principal": {"AWS": PLATFORM},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {
                    "sts:ExternalId": empty.installation.registry.tenant("acme").external_id
                }
            },
        }
    ]
    listing, reading = policy["permissions"]["Statement"]
    assert listing["Action"] == "s3:ListBucket" and listing["Resource"] == "arn:aws:s3:::bills"
    assert listing["Condition"] == {"StringLike": {"s3:prefix": "a${$}b${*}/cur/*"}}
    assert reading["Action"] == "s3:GetObject"
    assert reading["Resource"] == "arn:aws:s3:::bills/a${$}b${*}/cur/*"
    assert "finops source check acme/payer" in result.stderr and "--kms-key" in result.stderr

    key = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd"
    arguments = ["source", "policy", "acme/payer", "--kms-key", key, "--part", "permissions"]
    kms = printed_json(*arguments)["Statement"][-1]
    assert (kms["Action"], kms["Resource"]) == ("kms:Decrypt", key)
    for wrong in (["--kms-key", "alias/x"], ["--platform-role", "arn:aws:iam::1:root"]):
        assert "is not the ARN" in failure_of(*arguments[:3], *wrong)


def test_the_policy_of_cost_explorer_grants_a_single_action(empty: TemporaryInstallation) -> None:
    source = CostExplorerApiSource(
        name="ce",
        location="https://ce.us-east-1.amazonaws.com",
    )
    empty.installation.registry.save(Tenant(name="acme", sources=(source,)))
    (statement,) = printed_json("source", "policy", "acme/ce", "--part", "permissions")["Statement"]
    assert (statement["Action"], statement["Resource"]) == ("ce:GetCostAndUsage", "*")


def test_the_printed_permissions_are_enough_and_no_more(
    bills: Bills, in_s3: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a real policy engine: a user with exactly the statements that are printed."""
    command = ["source", "policy", "acme/payer", "--part", "permissions"]
    keys = bills.store.add_user("granted", printed_json(*command)["Statement"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys[1])
    for source in ("payer", "labs"):
        output_of("source", "add", f"acme/{source}", "--profile", "")
    output = output_of("source", "check", "acme/payer")
    assert "ok     read: s3://bills/acme/payer/" in output and "least privilege" not in output
    output = failure_of("source", "check", "acme/labs")
    assert "FAILED access: acme/labs could not list s3://bills/acme/labs" in output
    assert "Grant the permissions that finops source policy acme/labs prints" in output
