"""Dimensions and their rules on published charges: true sums, small rebuilds, clear explanations.

Put here: what rules make of the bills of two tenants with overlapping tags. Keep out: what a
declaration may say (test_dimensions_unit.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from finops_pipeline.application.installation import Installation
from finops_pipeline.lake.duck import Limits
from finops_pipeline.marts.library import marts
from finops_pipeline.marts.recomputation import recompute_marts
from finops_pipeline.settings import Settings
from finops_pipeline.synthetic.estate import write_estate
from tests.conftest import LAST_MONTH, SEED, TemporaryInstallation
from tests.support.allocated_tenants import (
    SECTION,
    TENANTS,
    Allocated,
    allocate,
    allocated,
    changeable,
    sections,
)
from tests.support.globex import ask, finops
from tests.support.published_files import published_files
from tests.support.second_opinion_allocations import COSTS
from tests.support.tiers import some_every_day

__all__ = ["allocated", "changeable"]

OTHER_SEED = 23


@pytest.fixture(scope="module", params=[SEED, pytest.param(OTHER_SEED, marks=pytest.mark.torture)])
def of_seed(
    request: pytest.FixtureRequest, allocated: Allocated, tmp_path_factory: pytest.TempPathFactory
) -> Allocated:
    """Two tenants with rules, on the estate of a seed."""
    if request.param == SEED:
        return allocated
    folder = tmp_path_factory.mktemp("other-seed")
    write_estate(folder / "estate", seed=request.param, last_month=LAST_MONTH, months=2)
    made = TemporaryInstallation(folder / "data")
    made.apply(folder / "estate" / "tenants.yaml")
    for tenant in TENANTS:
        assert not made.ingest(tenant).failed
    return allocate(folder / "data", folder)


@pytest.mark.parametrize("tenant", TENANTS)
def test_every_dimension_equals_the_second_opinion(of_seed: Allocated, tenant: str) -> None:
    expected = of_seed.second_opinion(tenant, sections(tenant))
    assert of_seed.mart(tenant) == expected
    values = {(key[2], key[3], key[4]) for key in expected}
    assert {dimension for dimension, _, _ in values} == {
        name if isinstance(name, str) else name["name"] for name in SECTION["names"]
    }
    unallocated = {dimension for dimension, value, _ in values if value is None}
    assert {"team", "area", "owner"} <= unallocated
    assert len({rule for _, _, rule in values}) > 8, "rules that nothing matches prove nothing"


@pytest.mark.parametrize("tenant", TENANTS)
def test_every_dimension_adds_up_to_the_bill(of_seed: Allocated, tenant: str) -> None:
    sums = ", ".join(f"sum({name})" for name in ("charges", *COSTS))
    charged = of_seed.rows(
        tenant,
        "select BillingCurrency, count(*), sum(BilledCost), sum(EffectiveCost), sum(ListCost),"
        " sum(ContractedCost) from costs group by 1 order by 1",
    )
    for (dimension,) in of_seed.rows(tenant, "select dimension from dimensions"):
        summed = of_seed.rows(
            tenant,
            f"select billing_currency, {sums} from dimension_costs where dimension = '{dimension}'"
            " group by 1 order by 1",
        )
        assert summed == charged, dimension


def test_tenants_keep_their_own_rules(allocated: Allocated) -> None:
    of_acme = {row[0] for row in allocated.rows("acme", "select value from dimension_costs")}
    of_globex = {row[0] for row in allocated.rows("globex", "select value from dimension_costs")}
    assert "web-eu" not in of_globex and "globex-web" not in of_acme
    assert "shop" not in {
        row[0]
        for row in allocated.rows("acme", "select value from dimension_costs where rule = 'prod'")
    }


def test_labels_of_projects_count_where_no_rule_matches(allocated: Allocated) -> None:
    rows = allocated.rows(
        "acme",
        "select distinct d.project, d.value, p.business_unit from dimension_costs d join projects p"
        " using (project) where dimension = 'business_unit'",
    )
    assert rows and all(value == label for _, value, label in rows)
    environments = dict(
        allocated.rows(
            "acme",
            "select rule, count(*) from dimension_costs where dimension = 'environment' group by 1",
        )
    )
    assert environments["env"] and environments["(project)"]


def test_every_charge_says_why(allocated: Allocated) -> None:
    summed = allocated.rows(
        "acme",
        "select json_extract_string(x_Dimensions, '$.team'), json_extract_string(x_AllocationRule,"
        " '$.team'), json_extract_string(x_AllocationRuleVersion, '$.team')::bigint, count(*),"
        " sum(BilledCost) from allocated_costs group by all order by all",
    )
    of_mart = allocated.rows(
        "acme",
        "select value, rule, rule_version, sum(charges)::bigint, sum(billed_cost) from"
        " dimension_costs where dimension = 'team' and charges > 0 group by all order by all",
    )
    assert summed == of_mart
    ((charges, allocated_charges),) = allocated.rows(
        "acme", "select (select count(*) from costs), (select count(*) from allocated_costs)"
    )
    assert charges == allocated_charges


def fingerprints(made: Allocated, tenant: str) -> dict[tuple[str, str], str]:
    rows = made.rows(tenant, "select project, billing_period, fingerprint from warehouse_slices")
    return {(project, month): text for project, month, text in rows if month}


def test_a_changed_rule_rebuilds_only_the_months_it_touches(changeable: Allocated) -> None:
    before = fingerprints(changeable, "acme")
    of_globex = fingerprints(changeable, "globex")
    charges = [
        (path, path.stat().st_mtime_ns)
        for path in published_files(changeable.tenant_folder("acme"), "costs")
    ]
    section = sections("acme")
    section["rules"][3]["value"] = "taxes"
    output = changeable.apply(acme=section)
    assert output == "~ rule acme/tax: team, version 1 -> team, version 2\n"
    after = fingerprints(changeable, "acme")
    changed = {
        month for slice, month in after.items() if before[slice] != month for slice in [slice]
    }
    assert {slice[1] for slice in after if before[slice] != after[slice]} == {"2026-10"}, changed
    assert charges == [(path, path.stat().st_mtime_ns) for path, _ in charges]
    assert fingerprints(changeable, "globex") == of_globex
    assert changeable.mart("acme") == changeable.second_opinion("acme", section)
    versions = dict(changeable.rows("acme", "select rule, rule_version from allocation_rules"))
    assert versions["tax"] == 2 and {versions[rule] for rule in versions if rule != "tax"} == {1}
    folder = Installation(Settings(data=changeable.data)).folder("acme")
    again = list(recompute_marts(folder, Limits()))
    assert again and all(comparison.is_equal for comparison in again)


def test_a_trial_says_what_the_result_will_be_and_changes_nothing(changeable: Allocated) -> None:
    section = sections("acme")
    section["rules"] = [section["rules"][2], *section["rules"][3:]]
    section["rules"][1]["value"] = "taxes"
    section["names"].append("stage")
    section["rules"].append({"name": "stage", "dimension": "stage", "value_from": "tag env"})
    file = changeable.declare(acme=section)
    before = {p: p.stat().st_mtime_ns for p in changeable.data.rglob("*.duckdb")}
    registry = (changeable.data / "registry.sqlite").read_bytes()
    tried = json.loads(
        changeable.finops("rules", "test", "acme", "-f", str(file), "--all", "--format", "json"),
        parse_float=Decimal,
    )
    assert {p: p.stat().st_mtime_ns for p in changeable.data.rglob("*.duckdb")} == before
    assert (changeable.data / "registry.sqlite").read_bytes() == registry
    assert sums(tried, "before") == results(changeable)
    changeable.apply(acme=section)
    assert sums(tried, "after") == results(changeable)
    moved = [row for row in tried if row["value_before"] != row["value_after"]]
    assert {row["dimension"] for row in moved} == {"team", "stage"}
    default = changeable.finops("rules", "test", "acme", "-f", str(file))
    assert default == "No charge would get another value or another rule.\n"


def sums(tried: list[dict[str, Any]], state: str) -> dict[tuple[Any, ...], list[Any]]:
    """Charges and costs of a trial by month, dimension, value, rule and currency."""
    result: dict[tuple[Any, ...], list[Any]] = {}
    for row in tried:
        key = (*(row["billing_period"], row["dimension"], row[f"value_{state}"]),
               *(row[f"rule_{state}"], row["billing_currency"]))  # fmt: skip
        total = result.setdefault(key, [0, Decimal(0), Decimal(0)])
        for position, name in enumerate(("charges", "billed_cost", "effective_cost")):
            total[position] += row[name]
    # a dimension that does not exist yet has no value
    names = {row["dimension"] for row in tried if row["rule_before"]}
    return {k: v for k, v in result.items() if state == "after" or k[1] in names}


def results(made: Allocated) -> dict[tuple[Any, ...], list[Any]]:
    rows = made.rows(
        "acme",
        "select billing_period, dimension, value, rule, billing_currency, sum(charges)::bigint,"
        " sum(billed_cost), sum(effective_cost) from dimension_costs group by all",
    )
    return {row[:5]: list(row[5:]) for row in rows}


def kinds_of_charges(made: Allocated, tenant: str) -> Iterator[tuple[str, str]]:
    """Each kind of charge that the estate has, and the id of one such line item."""
    yield from made.rows(
        tenant,
        "select x_RowKind || ' ' || x_LineItemType as kind, min(x_LineItemId) from costs"
        " where x_LineItemId is not null group by 1 order by 1",
    )


def test_explanations_name_claim_and_rule_for_every_row_kind(allocated: Allocated) -> None:
    seen = set()
    for kind, id in kinds_of_charges(allocated, "globex"):
        output = allocated.finops("rules", "explain", "globex", id, "--format", "json")
        rows = json.loads(output, parse_float=Decimal)
        assert rows, kind
        seen.add(kind)
        for row in rows:
            if row["project"] == "unassigned":
                assert row["claim"].startswith("no claim takes such charges of account ")
            else:
                claim = f"account {row['sub_account_id']} (priority 1000): account "
                assert row["claim"].startswith(claim), kind
            if row["rule"] is None:
                assert (row["value"], row["reason"]) == (None, "no rule matched")
            elif row["rule"] == "(project)":
                assert row["reason"].endswith(f"the label of project {row['project']} counts")
            else:
                version = f"rule {row['rule']} (version 1, declared on {row['declared_on']}): "
                assert row["reason"].startswith(version), row["reason"]
        assert {row["dimension"] for row in rows} >= {"team", "area"}
    assert {kind.split()[0] for kind in seen} == {"line", "unused"}
    assert {kind.split()[1] for kind in seen} >= {"Tax", "Credit", "RIFee", "Fee", "Refund"}


def test_explanations_of_a_resource_read_well(allocated: Allocated) -> None:
    ((id,),) = allocated.rows(
        "acme",
        'select min(ResourceId) from costs where Tags like \'%"Team":"web"%\' and project ='
        " 'prod' and ServiceName not like '%S3%'",
    )
    output = allocated.finops("rules", "explain", "acme", id)
    assert "project prod: account " in output and "(priority 1000): account " in output
    assert "rule env (version 1, declared on " in output
    assert "(unallocated)" in output and "no rule matched" in output
    code, message = finops("rules", "explain", "acme", "i-nope", data=allocated.data)
    assert code == 1 and "no charge with the line item, resource or commitment 'i-nope'" in message


def test_lists_are_safe_in_spreadsheets(allocated: Allocated) -> None:
    listed = allocated.finops("rules", "list", "acme", "--format", "csv")
    assert ",'=serverless," in listed and ",=serverless" not in listed
    assert listed.splitlines()[0] == (
        "dimension,position,rule,value,conditions,days,rule_version,declared_on"
    )
    assert "from 2026-09-12 until 2026-10-20" in allocated.finops("rules", "list", "acme")
    assert [row["value"] for row in ask("select value from dimension_costs where rule ="
            " 'lambda-since' limit 1", "acme", allocated.data)] == ["=serverless"]  # fmt: skip


def test_rules_are_exported_and_restored_with_their_versions(changeable: Allocated) -> None:
    exported = changeable.finops("tenant", "export")
    (changeable.folder / "exported.yaml").write_text(exported)
    before = changeable.finops("rules", "list", "acme", "--format", "json")
    (changeable.data / "registry.sqlite").unlink()
    changeable.finops("restore-registry", "--from", str(changeable.folder / "exported.yaml"))
    assert changeable.finops("rules", "list", "acme", "--format", "json") == before
    backups = changeable.folder / "backups"
    changeable.finops("backup", "acme", str(backups))
    changeable.finops("restore", str(backups), data=changeable.folder / "other")
    restored = changeable.finops(
        "rules", "list", "acme", "--format", "json", data=changeable.folder / "other"
    )
    assert restored == before
    assert "nothing changed" in changeable.finops(
        "apply", str(changeable.declare(acme=sections("acme")))
    )


def test_a_renamed_project_keeps_its_rules(changeable: Allocated) -> None:
    section = sections("globex")
    section["rules"][-1]["when"] = {"projects": "prod"}
    changeable.apply(globex=section)
    changeable.finops("project", "rename", "globex/prod", "live")
    changeable.finops("ingest", "globex")
    rows = changeable.rows(
        "globex", "select distinct project from dimension_costs where rule='prod'"
    )
    assert rows == [("live",)]


def test_dropping_the_section_drops_the_values(changeable: Allocated) -> None:
    output = changeable.apply(globex={})
    assert "- dimension globex/team" in output and "- rule globex/team-tag" in output
    assert changeable.rows("globex", "select count(*) from dimension_costs") == [(0,)]
    assert changeable.rows("globex", "select distinct x_Dimensions from allocated_costs") == [
        ("{}",)
    ]
    assert changeable.mart("acme")


BROKEN = {
    "allocation_days": "where day(charge_date) > 2",
    "allocations": "where charge_category <> 'Tax'",
    "dimension_costs": "where billed_cost < 0.01",
}


@pytest.mark.parametrize("name", some_every_day(BROKEN))
def test_a_mart_of_rules_that_loses_rows_is_refused(
    changeable: Allocated, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    wrong = [
        replace(mart, sql=f"{mart.sql} {BROKEN[name]}") if mart.name == name else mart
        for mart in marts()
    ]
    monkeypatch.setattr("finops_pipeline.marts.build.marts", lambda: tuple(wrong))
    file = changeable.tenant_folder("acme") / "acme.duckdb"
    before = file.read_bytes()
    code, output = finops("ingest", "acme", data=changeable.data)
    expected = "allocations_cover_charges", "dimension_costs_equal_charges"
    assert code == 1 and any(check in output for check in expected), output
    assert file.read_bytes() == before
