"""What a tenants.yaml may say in `dimensions`: clear errors, versions, the order of rules.

Put here: declarations alone. Keep out: what rules make of charges (test_allocations.py).
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from finops_pipeline.contracts.focus import CHARGE_CATEGORIES
from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants import rule_conditions
from finops_pipeline.tenants.declare import merge, read_declaration
from finops_pipeline.tenants.dimensions import Dimensions
from finops_pipeline.tenants.exported import export_tenant, parse_export
from finops_pipeline.tenants.model import Tenant

FIRST: dict[str, Any] = {"name": "payments", "dimension": "team", "value": "payments"}


def rule(**fields: Any) -> dict[str, Any]:
    return FIRST | fields


def later(**fields: Any) -> dict[str, Any]:
    return rule(name="second", **fields)


def when(**fields: Any) -> dict[str, Any]:
    return rule(when=fields)


def declared(tmp_path: Path, section: Any, projects: str = "prod") -> Tenant:
    """acme with this section, as the registry would store it."""
    file = tmp_path / "tenants.yaml"
    entry = {"name": "acme", "projects": [{"name": projects}], "dimensions": section}
    file.write_text(yaml.safe_dump({"tenants": [entry]}, sort_keys=False))
    tenant, _ = merge(Tenant(name="acme"), read_declaration(file)[0])
    return tenant


NO_VALUE = {"name": "payments", "dimension": "team"}
WRONG: dict[str, tuple[list[dict[str, Any]], str]] = {
    "an unknown dimension": (
        [rule(dimension="teem")],
        "rule 'payments' gives a value to dimension 'teem', which is not declared. Expected one of:"
        " team. Did you mean team?",
    ),
    "an unknown mapping": (
        [NO_VALUE | {"value_from": "tag Team", "mapping": "teams"}],
        "rule 'payments' uses the mapping 'teams', which is not declared",
    ),
    "an unknown project": (
        [when(projects="prd")],
        "rule 'payments' requires the project 'prd', which is not declared",
    ),
    "a name twice": ([rule(), rule(value="x")], "rule 'payments' is declared twice"),
    "no value": ([NO_VALUE], "rule 'payments' has no value"),
    "two values": ([rule(value_from="tag a")], "rule 'payments' has both value and value_from"),
    "a value from nowhere": (
        [NO_VALUE | {"value_from": "region"}],
        "rule 'payments' has value_from 'region'",
    ),
    "a mapping of a literal": (
        [rule(mapping="m")],
        "rule 'payments' has both a mapping and a literal value",
    ),
    "a long value": ([rule(value="x" * 257)], "value 'x+… has 257 characters. .* at most 256"),
    "a long key": (
        [NO_VALUE | {"value_from": "tag " + "k" * 300}],
        "value_from .* has 304 characters",
    ),
    "a number": ([rule(value=471)], "rule 'payments': value is 471, which is not text"),
    "a truth value": ([when(tags={"Team": True})], "a pattern of tags.Team is True"),
    "an invisible value": ([rule(value="a\x1b[2Jb")], "value is 'a.x1b"),
    "a pattern with many wildcards": (
        [when(resources="*a*a*a*a*a*a*a*a*b")],
        "the pattern '.*' of resources has 9 wildcards .* Expected at most 2",
    ),
    "another kind of wildcard": ([when(resources="i-?[0-9]")], r"contains \?, \[ or \]"),
    "no patterns": ([when(regions=[])], "the list regions is empty, so that no charge can match"),
    "too many patterns": ([when(accounts=["1" * 12] * 1001)], "accounts has 1001 values"),
    "a wrong account": ([when(accounts="123")], "account id '123' is not an AWS account id"),
    "a wrong category": (
        [when(charge_categories="Taxes")],
        "charge category 'Taxes' does not exist.* Did you mean Tax?",
    ),
    "a wrong field": ([when(tag={"Team": "x"})], "rule 1: when.tag: there is no such field"),
    "no rule name": ([{"dimension": "team", "value": "x"}], "rule 1: name is missing"),
    "no days": (
        [rule(**{"from": date(2026, 10, 1), "to": date(2026, 10, 1)})],
        "valid from 2026-10-01 to 2026-10-01, so that no charge can match",
    ),
    "a rule that a rule precludes": (
        [rule(), later(when={"regions": "eu-*"})],
        "rule 'second' cannot match: rule 'payments', which is tried before it, takes all",
    ),
    "a rule with fewer regions": (
        [when(regions=["eu-1", "eu-2"]), later(when={"regions": "eu-2", "projects": "prod"})],
        "rule 'second' cannot match",
    ),
    "the same tag twice": (
        [NO_VALUE | {"value_from": "tag a"}, NO_VALUE | {"name": "second", "value_from": "tag a"}],
        "rule 'second' cannot match",
    ),
    "equal priorities": (
        [rule(priority=1, when={"regions": "eu-*"}),
         later(priority=1, when={"tags": {"Team": "x"}})],
        "rule 'second' has the same priority .1. as rule 'payments' of the same",
    ),
    "some with priorities": (
        [rule(priority=1, when={"regions": "eu-*"}), later()],
        "rule 'second' has no priority, but rule 'payments'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_rule_is_refused_with_its_place(tmp_path: Path, wrong: str) -> None:
    rules, message = WRONG[wrong]
    with pytest.raises(RegistryError) as refusal:
        declared(tmp_path, {"names": ["team"], "rules": rules})
    text = str(refusal.value)
    assert re.search(message, text), text
    assert "tenant acme" in text and "rule" in text


RIGHT = {
    "the special before the general": [when(regions="eu-*"), later()],
    "the rest of the year": [rule(to=date(2026, 10, 1)), later()],
    "the tag, then a rest": [NO_VALUE | {"value_from": "tag a"}, later()],
    "equal priorities apart": [
        rule(priority=1, when={"regions": "eu-1"}), later(priority=1, when={"regions": "eu-2"})
    ],
    "equal priorities on other days": [
        rule(priority=1, to=date(2026, 10, 1)), later(priority=1, **{"from": date(2026, 10, 1)})
    ],
}  # fmt: skip


@pytest.mark.parametrize("right", RIGHT)
def test_rules_that_can_all_match_are_accepted(tmp_path: Path, right: str) -> None:
    section = {"names": ["team"], "rules": RIGHT[right]}
    assert len(declared(tmp_path, section).dimensions.rules) == len(RIGHT[right])


SECTIONS: dict[str, tuple[Any, str]] = {
    "two spellings of a tag": (
        {"names": ["team"], "tag_keys": {"team": []},
         "rules": [NO_VALUE | {"value_from": "tag TEAM"},
                   NO_VALUE | {"name": "second", "value_from": "tag t_eam"}]},
        "rule 'second' cannot match",
    ),
    "a list": (["team"], "dimensions is \\['team'\\]"),
    "a name in capitals": ({"names": ["Team"]}, "dimension name 'Team' cannot be used"),
    "a name twice": ({"names": ["a-b", "a_b"]}, "dimension a-b is declared twice"),
    "a spelling twice": (
        {"tag_keys": {"team": ["Squad"], "crew": ["s_quad"]}},
        "tag_keys: 's_quad' is a spelling of 'team' and of 'crew'",
    ),
    "a value twice": (
        {"mappings": {"m": {"production": ["prod"], "other": ["PROD"]}}},
        "mappings.m: 'PROD' is a spelling of 'production' and of 'other'",
    ),
    "many names": ({"names": [f"d{n}" for n in range(51)]}, "51 names. Expected up to 50"),
    "an unknown key": ({"nmes": []}, "dimensions.nmes: there is no such field"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", SECTIONS)
def test_a_wrong_section_is_refused(tmp_path: Path, wrong: str) -> None:
    section, message = SECTIONS[wrong]
    with pytest.raises(RegistryError, match=message):
        declared(tmp_path, section)


def test_only_a_rule_that_changes_has_a_new_version(tmp_path: Path) -> None:
    section = {
        "names": ["team"], "mappings": {"m": {"x": ["y"]}},
        "rules": [NO_VALUE | {"name": "tag", "value_from": "tag a", "mapping": "m"}, rule()],
    }  # fmt: skip
    before = declared(tmp_path, section)
    assert [r.version for r in before.dimensions.rules] == [1, 1]
    section["mappings"]["m"]["x"].append("z")  # type: ignore[call-overload, index]
    file = tmp_path / "tenants.yaml"
    file.write_text(yaml.safe_dump({"tenants": [{"name": "acme", "dimensions": section}]}))
    after, lines = merge(before, read_declaration(file)[0])
    assert [r.version for r in after.dimensions.rules] == [2, 1]
    assert lines == ["~ rule acme/tag: team, version 1 -> team, version 2"]
    assert merge(after, read_declaration(file)[0]) == (after, [])
    file.write_text(yaml.safe_dump({"tenants": [{"name": "acme"}]}))
    assert merge(after, read_declaration(file)[0]) == (after, [])
    assert parse_export(export_tenant(after), file) == after


def test_order_alone_is_a_change(tmp_path: Path) -> None:
    rules = [when(regions="eu-*"), later(when={"regions": "us-*"})]
    before = declared(tmp_path, {"names": ["team"], "rules": rules})
    swapped = declared(tmp_path, {"names": ["team"], "rules": rules[::-1]})
    after, lines = merge(before, swapped)
    assert lines == ["~ rules acme: order second, payments"]
    assert before.dimensions.of_month("2026-10") != after.dimensions.of_month("2026-10")


def test_a_month_depends_on_its_rules_only() -> None:
    section = {"names": ["team"], "rules": [rule(**{"from": date(2026, 10, 1)})]}
    with_rule = Dimensions.model_validate(section)
    without = Dimensions.model_validate({"names": ["team"]})
    assert with_rule.of_month("2026-09") == without.of_month("2026-09")
    assert with_rule.of_month("2026-10") != without.of_month("2026-10")


def test_categories_are_those_of_charges() -> None:
    assert rule_conditions.CHARGE_CATEGORIES == CHARGE_CATEGORIES
