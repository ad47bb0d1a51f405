"""How a customer lets us in, and nobody else: external ids, roles, `source policy` and `check`.

Covers: who makes external ids, roles assumed with them, roles that do not ask for them, places
and accounts of other tenants, registries of an earlier version, what the commands say.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from finops_pipeline.errors import RegistryError
from finops_pipeline.sources.policy import trust_policy
from finops_pipeline.tenants.model import Source, Tenant
from finops_pipeline.tenants.registry import Registry
from finops_pipeline.tenants.source import (
    CostExplorerApiSource,
    FocusSource,
    LegacyCurSource,
)
from tests.conftest import TemporaryInstallation
from tests.support.estate_in_s3 import Bills, bills, in_s3, profiles
from tests.support.globex import finops
from tests.support.servers import Store, trusting_role

__all__ = ["bills", "in_s3", "profiles"]

PLATFORM = "arn:aws:iam::999988887777:role/finops"
ROLE = "arn:aws:iam::{}:role/finops-read"


def said_by(*words: str) -> str:
    """What a command that must succeed says."""
    code, said = finops(*words)
    assert code == 0, said
    return said


def failing(*words: str) -> str:
    """What a command that must fail says."""
    code, said = finops(*words)
    assert code != 0, said
    return said


def printed(*words: str) -> dict[str, Any]:
    """The JSON that a command ends with."""
    said = said_by(*words)
    loaded: dict[str, Any] = json.loads(said[said.index("{\n") :])
    return loaded


def s3(name: str = "payer", location: str = "s3://bills/acme/cur", **words: str) -> Source:
    return LegacyCurSource(name=name, location=location, **words)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(f"sqlite:///{tmp_path / 'registry.sqlite'}")


# --- external ids


def test_the_registry_makes_the_external_id_once(registry: Registry) -> None:
    for name in ("acme", "globex"):
        registry.save(Tenant(name=name))
    first = {t.name: t.external_id for t in registry.tenants()}
    assert len(set(first.values())) == 2
    assert all(UUID(one).version == 4 for one in first.values())
    registry.save(Tenant(name="acme", display_name="Acme", sources=(s3(),)))
    registry.save(registry.tenant("globex"))
    assert {t.name: t.external_id for t in registry.tenants()} == first


def test_nobody_chooses_an_external_id(registry: Registry, tmp_path: Path, fresh: Any) -> None:
    with pytest.raises(RegistryError, match="the registry makes it"):
        registry.save(Tenant(name="acme", external_id="mine"))
    registry.save(Tenant(name="acme"), Tenant(name="globex"))
    theirs = registry.tenant("globex").external_id
    with pytest.raises(RegistryError, match="the registry makes it"):
        registry.save(Tenant(name="acme", external_id=theirs))
    for entry in (
        {"name": "evil", "external_id": theirs},
        {"name": "evil", "sources": [{"name": "s1", "format": "focus", "external_id": "x1"}]},
    ):
        path = tmp_path / "t.yaml"
        path.write_text(yaml.safe_dump({"tenants": [entry]}))
        said = failing("apply", str(path))
        assert "external_id is declared" in said and "nobody can choose it" in said
        assert "evil" not in fresh.installation.registry.names()


OLD = """
create table tenants (tenant varchar(40) primary key, display_name text not null);
create table sources (tenant varchar(40) references tenants, source varchar(40),
    format varchar(20) not null, location text not null, primary key (tenant, source));
create table projects (tenant varchar(40), project varchar(40), display_name text not null,
    environment text not null, business_unit text not null, primary key (tenant, project));
create table project_sources (tenant varchar(40), project varchar(40), source varchar(40),
    primary key (tenant, project, source));
create table project_accounts (tenant varchar(40) not null, project varchar(40) not null,
    account_id varchar(12) not null, from_day date, to_day date);
insert into tenants values ('acme', 'Acme'), ('globex', '');
insert into sources values ('acme', 'payer', 'focus', '/exports/acme');
insert into projects values ('acme', 'prod', '', 'prod', 'retail');
insert into project_accounts values ('acme', 'prod', '111122223333', null, null);
"""


def test_a_registry_of_an_earlier_version_is_read_and_brought_up_to_date(
    registry: Registry, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "registry.sqlite") as db:
        db.executescript(OLD)
    db.close()
    acme = registry.tenant("acme")
    assert (acme.external_id, acme.source("payer").role_arn) == ("", "")
    assert acme.project("prod").accounts[0].id == "111122223333"
    before = (tmp_path / "registry.sqlite").read_bytes()
    registry.tenants()
    assert (tmp_path / "registry.sqlite").read_bytes() == before
    registry.save(acme.model_copy(update={"sources": (*acme.sources, s3("bucket"))}))
    assert registry.tenant("acme").sources == (s3("bucket"), acme.source("payer"))
    assert registry.tenant("acme").projects == acme.projects
    ids = [tenant.external_id for tenant in registry.tenants()]
    assert len({UUID(one) for one in ids}) == 2


# --- what a source may say


@pytest.mark.parametrize(
    "role",
    [
        ROLE.format("111122223333"),
        "arn:aws-cn:iam::111122223333:role/path/to/finops",
        "arn:aws-us-gov:iam::111122223333:role/a+=,.@-_b",
    ],
)
def test_roles_of_every_partition(role: str) -> None:
    assert s3(role_arn=role).role_arn == role


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"role_arn": "arn:aws:iam::1111:role/x"}, "not the ARN of a role"),
        ({"role_arn": "arn:aws:iam::111122223333:user/x"}, "not the ARN of a role"),
        ({"role_arn": ROLE.format("111122223333") + "\n"}, "not the ARN of a role"),
        ({"role_arn": "arn:evil:iam::111122223333:role/x"}, "not the ARN of a role"),
        ({"endpoint_url": "ftp://x"}, "endpoint_url"),
        ({"endpoint_url": "https://user:pw@host"}, "without a path, credentials"),
        ({"endpoint_url": "https://host/path"}, "without a path"),
        ({"endpoint_url": "https://"}, "endpoint_url"),
        ({"endpoint_url": "https://host:port"}, "endpoint_url"),
        ({"region": "Europe"}, "region"),
        ({"profile": "a\nb"}, "profile"),
        ({"location": "s3://"}, "does not name a bucket"),
        ({"location": "s3://Bucket/x"}, "does not name a bucket"),
        ({"location": "s3://b/x"}, "does not name a bucket"),
        ({"location": "s3://bucket/a/../b"}, "prefix that cannot be used"),
        ({"location": "s3://bucket/a\x00"}, "prefix that cannot be used"),
        ({"location": "/local", "role_arn": ROLE.format("111122223333")}, "nothing from AWS"),
        ({"location": "", "profile": "p"}, "nothing from AWS"),
    ],
)
def test_what_a_source_cannot_say(words: dict[str, str], says: str) -> None:
    with pytest.raises(RegistryError, match=says):
        s3(**words)


def test_a_change_that_breaks_the_rules_is_refused_and_the_source_stays(
    empty: TemporaryInstallation,
) -> None:
    finops("tenant", "add", "acme")
    add = ["source", "add", "acme/payer"]
    words = ["--location", "s3://bills/acme/cur/", "--role-arn", ROLE.format("111122223333")]
    said = failing(*add, *words)
    assert "a new source needs a format" in said
    said_by(*add, "--format", "legacy-cur", *words, "--region", "eu-central-1")
    before = empty.installation.registry.tenant("acme").source("payer")
    assert (before.location, before.region) == ("s3://bills/acme/cur", "eu-central-1")
    said = failing(*add, "--location", "/exports")
    assert "role_arn and region, but reads nothing from AWS" in said
    assert empty.installation.registry.tenant("acme").source("payer") == before
    said = said_by(*add, "--region", "")
    assert said == "~ source acme/payer: region eu-central-1 -> (none)\n"


# --- one place, one tenant


@pytest.mark.parametrize(
    ("other", "free"),
    [
        ("s3://bills/acme/cur", False),
        ("s3://bills/acme/cur/", False),
        ("s3://bills/acme", False),
        ("s3://bills", False),
        ("s3://bills//acme/cur/x", False),
        ("s3://bills/acme/cur-evil", True),
        ("s3://bills/acme-evil/cur", True),
        ("s3://bills-2/acme/cur", True),
        ("s3://bills/ACME/cur", True),
    ],
)
def test_places_in_one_bucket_are_compared_by_segment(
    registry: Registry, other: str, free: bool
) -> None:
    both = (s3(), s3("second", "s3://bills/acme/cur-2"))
    registry.save(Tenant(name="acme", sources=both))
    theirs = Tenant(name="globex", sources=(s3(location=other),))
    if free:
        registry.save(theirs)
        return
    with pytest.raises(
        RegistryError, match=r"source globex/payer reads .* another tenant"
    ) as error:
        registry.save(theirs)
    assert "tenant acme" not in str(error.value) and registry.names() == ["acme"]
    # Whoever is there already is not told either when the newcomer's name sorts after.
    registry.save(Tenant(name="globex", sources=(s3(location="s3://free/x"),)))
    with pytest.raises(RegistryError, match="source acme/payer") as error:
        registry.save(Tenant(name="acme", sources=(s3(location="s3://free"),)))
    assert "globex" not in str(error.value)


def test_stores_of_different_endpoints_are_different_places(registry: Registry) -> None:
    registry.save(Tenant(name="acme", sources=(s3(endpoint_url="https://minio.acme:9000"),)))
    registry.save(Tenant(name="globex", sources=(s3(endpoint_url="https://minio.globex:9000"),)))
    regional = "https://s3.eu-central-1.amazonaws.com"
    registry.save(Tenant(name="initech", sources=(s3(endpoint_url=regional),)))
    with pytest.raises(RegistryError, match="another tenant"):
        registry.save(Tenant(name="umbrella", sources=(s3(),)))


def test_the_roles_of_an_account_serve_one_tenant(registry: Registry) -> None:
    role = ROLE.format("111122223333")
    more = s3("more", "s3://other/x", role_arn=role + "-2")
    registry.save(Tenant(name="acme", sources=(s3(role_arn=role), more)))
    for stolen in (role, role + "-3", "arn:aws-cn:iam::111122223333:role/x"):
        theirs = s3(location="s3://globex/x", role_arn=stolen)
        with pytest.raises(RegistryError, match="account 111122223333") as error:
            registry.save(Tenant(name="globex", sources=(theirs,)))
        assert "acme" not in str(error.value)


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
    moto.bring(estate / "acme/labs/exports/labs-focus", "acme-bills/labs")
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
    words = ["source", "policy", "acme/labs", "--platform-role", PLATFORM, "--part", "trust"]
    role_for(moto, with_role, printed(*words))
    assert not empty.ingest("acme").failed
    assert {s.state for s in empty.installation.status("acme")} == {"reconciled"}
    said = said_by("source", "check", "acme/labs")
    assert "ok     credentials: arn:aws" in said
    assert "ok     role stays shut with a wrong external id: refused" in said
    assert "ok     role stays shut without an external id: refused" in said
    assert "ok     list: s3://acme-bills/labs: 3 billing periods, 2026-08 to 2026-10" in said
    assert "ok     manifest: s3://acme-bills/labs/metadata/billing_period=2026-10/" in said
    assert "ok     read: s3://acme-bills/labs/data/billing_period=2026-10/" in said
    assert said.endswith("acme/labs can be used.\n")


def test_a_role_that_lets_anyone_in_is_told_loudly(
    moto: Store, with_role: Source, empty: TemporaryInstallation
) -> None:
    trust = trust_policy(empty.installation.registry.tenant("acme"), PLATFORM)
    del trust["Statement"][0]["Condition"]
    role_for(moto, with_role, trust)
    said = failing("source", "check", "acme/labs")
    for how in ("with a wrong external id", "without an external id"):
        assert f"FAILED role stays shut {how}: WARNING: it let us in" in said
    assert "finops source policy acme/labs --part trust" in said
    assert said.endswith("acme/labs cannot be used yet.\n")


def test_the_role_of_one_tenant_does_not_open_for_another(
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


def test_the_policy_grants_one_prefix_and_nothing_else(empty: TemporaryInstallation) -> None:
    said_by("tenant", "add", "acme")
    words = ["--format", "cur-2.0", "--location", "s3://bills/a$b*/cur", "--role-arn"]
    said_by("source", "add", "acme/payer", *words, ROLE.format("111122223333"))
    done = empty.finops("source", "policy", "acme/payer", "--platform-role", PLATFORM)
    said = json.loads(done.stdout)
    assert said["trust"]["Statement"] == [
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
    listing, reading = said["permissions"]["Statement"]
    assert listing["Action"] == "s3:ListBucket" and listing["Resource"] == "arn:aws:s3:::bills"
    assert listing["Condition"] == {"StringLike": {"s3:prefix": "a${$}b${*}/cur/*"}}
    assert reading["Action"] == "s3:GetObject"
    assert reading["Resource"] == "arn:aws:s3:::bills/a${$}b${*}/cur/*"
    assert "finops source check acme/payer" in done.stderr and "--kms-key" in done.stderr

    key = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd"
    words = ["source", "policy", "acme/payer", "--kms-key", key, "--part", "permissions"]
    kms = printed(*words)["Statement"][-1]
    assert (kms["Action"], kms["Resource"]) == ("kms:Decrypt", key)
    for wrong in (["--kms-key", "alias/x"], ["--platform-role", "arn:aws:iam::1:root"]):
        assert "is not the ARN" in failing(*words[:3], *wrong)


def test_the_policy_of_cost_explorer_asks_for_one_action(empty: TemporaryInstallation) -> None:
    source = CostExplorerApiSource(
        name="ce",
        location="https://ce.us-east-1.amazonaws.com",
    )
    empty.installation.registry.save(Tenant(name="acme", sources=(source,)))
    (statement,) = printed("source", "policy", "acme/ce", "--part", "permissions")["Statement"]
    assert (statement["Action"], statement["Resource"]) == ("ce:GetCostAndUsage", "*")


def test_the_printed_permissions_are_enough_and_no_more(
    bills: Bills, in_s3: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a real policy engine: a user with exactly the statements that are printed."""
    words = ["source", "policy", "acme/payer", "--part", "permissions"]
    keys = bills.store.add_user("granted", printed(*words)["Statement"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys[1])
    for source in ("payer", "labs"):
        said_by("source", "add", f"acme/{source}", "--profile", "")
    said = said_by("source", "check", "acme/payer")
    assert "ok     read: s3://bills/acme/payer/" in said and "least rights" not in said
    said = failing("source", "check", "acme/labs")
    assert "FAILED access: acme/labs could not list s3://bills/acme/labs" in said
    assert "Grant what finops source policy acme/labs prints" in said
