"""What a source may declare: external ids, roles, places, and nothing of another tenant's.

Put here: who makes external ids, registries of an earlier version, fields of a source, places and
accounts that one tenant alone may use. Keep out: reading through a role (test_source_access.py).
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.model import Source, Tenant
from finops_pipeline.tenants.registry import Registry
from finops_pipeline.tenants.source import LegacyCurSource
from tests.conftest import TemporaryInstallation
from tests.support.command_output import failure_of, output_of
from tests.support.globex import finops

ROLE = "arn:aws:iam::{}:role/finops-read"


def s3(name: str = "payer", location: str = "s3://bills/acme/cur", **fields: str) -> Source:
    return LegacyCurSource(name=name, location=location, **fields)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(f"sqlite:///{tmp_path / 'registry.sqlite'}")


# --- external ids


def test_the_registry_makes_the_external_id_once(registry: Registry) -> None:
    for name in ("acme", "globex"):
        registry.save(Tenant(name=name))
    first = {t.name: t.external_id for t in registry.tenants()}
    assert len(set(first.values())) == 2
    assert all(UUID(external_id).version == 4 for external_id in first.values())
    registry.save(Tenant(name="acme", display_name="Acme", sources=(s3(),)))
    registry.save(registry.tenant("globex"))
    assert {t.name: t.external_id for t in registry.tenants()} == first


def test_nobody_chooses_an_external_id(registry: Registry, tmp_path: Path, fresh: Any) -> None:
    with pytest.raises(RegistryError, match="the registry generates it"):
        registry.save(Tenant(name="acme", external_id="mine"))
    registry.save(Tenant(name="acme"), Tenant(name="globex"))
    globex_id = registry.tenant("globex").external_id
    with pytest.raises(RegistryError, match="the registry generates it"):
        registry.save(Tenant(name="acme", external_id=globex_id))
    for entry in (
        {"name": "evil", "external_id": globex_id},
        {"name": "evil", "sources": [{"name": "s1", "format": "focus", "external_id": "x1"}]},
    ):
        path = tmp_path / "t.yaml"
        path.write_text(yaml.safe_dump({"tenants": [entry]}))
        output = failure_of("apply", str(path))
        assert "external_id is declared" in output and "nobody can choose it" in output
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
    assert len({UUID(external_id) for external_id in ids}) == 2


# --- what a source may declare


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
    ("fields", "message"),
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
def test_an_invalid_source_field_is_refused(fields: dict[str, str], message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        s3(**fields)


def test_a_change_that_breaks_the_rules_is_refused_and_the_source_stays(
    empty: TemporaryInstallation,
) -> None:
    finops("tenant", "add", "acme")
    add = ["source", "add", "acme/payer"]
    options = ["--location", "s3://bills/acme/cur/", "--role-arn", ROLE.format("111122223333")]
    output = failure_of(*add, *options)
    assert "a new source needs a format" in output
    output_of(*add, "--format", "legacy-cur", *options, "--region", "eu-central-1")
    before = empty.installation.registry.tenant("acme").source("payer")
    assert (before.location, before.region) == ("s3://bills/acme/cur", "eu-central-1")
    output = failure_of(*add, "--location", "/exports")
    assert "role_arn and region, but reads nothing from AWS" in output
    assert empty.installation.registry.tenant("acme").source("payer") == before
    output = output_of(*add, "--region", "")
    assert output == "~ source acme/payer: region eu-central-1 -> (none)\n"


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
def test_places_in_the_same_bucket_are_compared_by_segment(
    registry: Registry, other: str, free: bool
) -> None:
    both = (s3(), s3("second", "s3://bills/acme/cur-2"))
    registry.save(Tenant(name="acme", sources=both))
    globex = Tenant(name="globex", sources=(s3(location=other),))
    if free:
        registry.save(globex)
        return
    with pytest.raises(
        RegistryError, match=r"source globex/payer reads .* another tenant"
    ) as error:
        registry.save(globex)
    assert "tenant acme" not in str(error.value) and registry.names() == ["acme"]
    # The message does not name the earlier tenant either when its name sorts after the newcomer's.
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


def test_the_roles_of_an_account_serve_a_single_tenant(registry: Registry) -> None:
    role = ROLE.format("111122223333")
    more = s3("more", "s3://other/x", role_arn=role + "-2")
    registry.save(Tenant(name="acme", sources=(s3(role_arn=role), more)))
    for stolen in (role, role + "-3", "arn:aws-cn:iam::111122223333:role/x"):
        source = s3(location="s3://globex/x", role_arn=stolen)
        with pytest.raises(RegistryError, match="account 111122223333") as error:
            registry.save(Tenant(name="globex", sources=(source,)))
        assert "acme" not in str(error.value)
