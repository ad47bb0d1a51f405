"""Required sets of tags: declared, measured, refused by their place.

Put here: the section `required_tags` and the mart `required_tag_coverage`. Keep out: single keys
(test_marts_again.py).
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from finops_pipeline.errors import RegistryError
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.marts.library import find_check, find_mart
from finops_pipeline.marts.required_tag_rows import required_tag_rows
from finops_pipeline.tenants.declare import apply, read_declaration
from finops_pipeline.tenants.dimensions import Dimensions
from finops_pipeline.tenants.exported import export_tenant, parse_export
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.required_tags import read_required_sets
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.globex import finops
from tests.support.second_opinion_required_tags import (
    MEASURED,
    expected_coverage,
    measured_rows,
)

TENANTS, MONTH = ("acme", "globex"), "2026-09"
TEAM, ENV = "resourceTags/user:Team", "resourceTags/user:Env"
SETS: dict[str, Any] = {
    "policy": {"keys": ["Team", "Env"], "values": {"Env": ["prod", "dev"]}},
    "owners": {"keys": ["team"], "services": ["AmazonEC2", "AmazonS3"]},
    "spelled": {"keys": ["team"], "environments": ["prod"]},
}
BAD: dict[str, tuple[Any, str]] = {
    "no keys": ({"policy": {"keys": []}}, "required_tags.policy names no key of a tag"),
    "nothing": ({"policy": None}, "required_tags.policy is None"),
    "a list": ([{"keys": ["Team"]}], "required_tags is [{'keys'"),
    "a typo": ({"policy": {"key": ["Team"]}}, "required_tags.policy.key: there is no such field"),
    "an empty key": ({"policy": {"keys": [" "]}}, "required_tags.policy.keys is ' '"),
    "a name": (
        {"Our policy": {"keys": ["Team"]}},
        "required_tags: set name 'Our policy' cannot be used",
    ),
    "a foreign value": (
        {"policy": {"keys": ["Team"], "values": {"Env": ["prod"]}}},
        "required_tags.policy.values has values of 'Env', which is not one of its keys",
    ),
    "no value": (
        {"policy": {"keys": ["Team"], "values": {"Team": []}}},
        "required_tags.policy.values.Team allows no value",
    ),
}


def declaration(folder: Path, sets: Any, **more: Any) -> Path:
    entries = [
        {
            "name": name,
            "sources": [{"name": "payer", "format": "legacy-cur", "location": f"{name}/cur"}],
            "projects": [{"name": "prod", "environment": "prod", "accounts": ["111122223333"]}],
            **({"required_tags": sets, **more} if name == "acme" else {}),
        }
        for name in TENANTS
    ]
    path = folder / "tenants.yaml"
    path.write_text(yaml.safe_dump({"tenants": entries}))
    return path


@pytest.mark.parametrize("name", BAD)
def test_bad_sets_are_refused_by_their_place(tmp_path: Path, name: str) -> None:
    sets, message = BAD[name]
    path = declaration(tmp_path, sets)
    with pytest.raises(RegistryError) as refused:
        read_declaration(path)
    assert f"{path}, tenant acme: {message}" in str(refused.value)


def test_sets_are_stored_replaced_renamed_and_exported(
    empty: TemporaryInstallation, tmp_path: Path
) -> None:
    registry = empty.installation.registry
    unknown = {"policy": {"keys": ["Team"], "projects": ["prd"]}}
    with pytest.raises(RegistryError) as refused:
        apply(registry, read_declaration(declaration(tmp_path, unknown)))
    assert "tenant acme, required_tags.policy.projects names 'prd'" in str(refused.value)
    assert "Expected one of: prod, unassigned. Did you mean prod?" in str(refused.value)
    assert registry.names() == []
    sets = {"policy": {"keys": ["Team", 7], "values": {"Team": ["a"]}, "projects": ["prod"]}}
    lines = apply(registry, read_declaration(declaration(tmp_path, sets)))
    assert "+ required tags acme/policy: keys Team, 7; Team of a; projects prod" in lines
    code, _ = finops("project", "rename", "acme/prod", "live", data=empty.data)
    assert code == 0
    tenant = registry.tenant("acme")
    assert tenant.required_tags["policy"].projects == ("live",)
    assert parse_export(export_tenant(tenant), tmp_path / "backup") == tenant
    lines = apply(registry, [tenant.model_copy(update={"required_tags": {}})])
    assert lines == ["- required tags acme/policy"]
    assert not registry.tenant("globex").required_tags


def show_keys(connection: Any, tenant: Tenant) -> None:
    names = ("required_set", "tag_key", "spelling", "is_exact", "allowed_values", "services")
    names += ("projects", "environments")
    columns = ", ".join(f"{name} {'boolean' if name == 'is_exact' else 'text'}" for name in names)
    connection.execute(f"create temp table required_tag_keys ({columns})")
    for line in required_tag_rows(tenant):
        connection.execute(f"insert into required_tag_keys values ({', '.join('?' * 8)})", line)


@pytest.mark.parametrize("tenant", TENANTS)
def test_coverage_is_what_the_charges_say(built: TemporaryInstallation, tenant: str) -> None:
    """The mart's SQL on the estate, with declared sets and spellings of keys."""
    folder = built.installation.folder(tenant)
    declared = built.installation.registry.tenant(tenant)
    with reading(folder) as connection:
        keys = connection.execute(
            "select tag_key, max(tag_value) from tag_costs where tag_kind = 'user_tag'"
            " and coalesce(tag_value, '') <> '' group by 1 order by sum(taggable_cost) desc"
        ).fetchall()
    (first, value), (second, _), *_ = keys
    one = declared.projects[0]
    sets = {
        "both": {"keys": [first, second]},
        "spelled": {"keys": [first.upper() + "_"], "environments": [one.environment]},
        "valued": {
            "keys": [first], "values": {first: [value]}, "projects": ["unassigned", one.name],
        },
        "services": {"keys": [second], "services": ["AmazonEC2", "Amazon Simple Storage Service"]},
    }  # fmt: skip
    section = Dimensions.model_validate({"tag_keys": {first: [first.upper() + "_"]}})
    changed = declared.model_copy(
        update={"required_tags": read_required_sets(sets), "dimensions": section}
    )
    with reading(folder) as connection:
        show_keys(connection, changed)
        sql = find_mart("required_tag_coverage").sql
        connection.execute(f"create temp table required_tag_coverage as {sql}")
        rows = connection.execute(f"select {MEASURED} from required_tag_coverage").fetchall()
        failures = connection.execute(find_check("required_tag_coverage_equals_charges").sql)
        assert failures.fetchall() == []
        connection.execute("delete from required_tag_coverage where required_set = 'both'")
        failures = connection.execute(find_check("required_tag_coverage_equals_charges").sql)
        assert failures.fetchall() != []
    found = measured_rows(rows)
    assert found == expected_coverage(folder, changed)
    assert {key[1] for key in found} == set(sets)
    assert any(0 < tagged < taggable for taggable, tagged in found.values())


def test_declared_sets_are_measured_with_the_next_run(
    empty: TemporaryInstallation, tmp_path: Path
) -> None:
    def charge(cost: str, team: str, env: str) -> dict[str, str]:
        more = {"lineItem/ProductCode": "AmazonEC2", "lineItem/ResourceId": f"i-{cost}"}
        return row(cost, **{TEAM: team, ENV: env}, **more)

    charges = [charge("1", "a", "prod"), charge("2", "a", "test"), charge("4", "", "dev")]
    for tenant in TENANTS:
        deliver(tmp_path / tenant / "cur", charges)
    empty.apply(declaration(tmp_path, SETS))
    for tenant in TENANTS:
        assert not empty.ingest(tenant).failed
    sql = f"select {MEASURED} from required_tag_coverage"
    with reading(empty.installation.folder("acme")) as connection:
        found = measured_rows(connection.execute(sql).fetchall())
    by_set = {key[1]: costs for key, costs in found.items()}
    assert by_set == {"policy": (7, 1), "owners": (7, 0), "spelled": (7, 0)}
    with reading(empty.installation.folder("globex")) as connection:
        assert connection.execute(sql).fetchall() == []
    more = {"dimensions": {"tag_keys": {"Team": ["team"]}}}
    empty.apply(declaration(tmp_path, {"owners": {"keys": ["team"]}}, **more))
    assert not empty.ingest("acme").failed
    arguments = ("queries", "run", "acme", "required_tag_coverage", "--format", "json")
    code, output = finops(*arguments, data=empty.data)
    (answer,) = json.loads(output, parse_float=Decimal)
    assert code == 0 and answer["required_set"] == "owners"
    assert (answer["taggable_cost"], answer["tagged_cost"]) == (7, 3)
    assert answer["tagged_percent"] == Decimal("42.86")
