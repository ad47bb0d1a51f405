"""Projects that claim charges by tags, regions, services and days, in every form of bill.

Put here: one account split by tag (acme: legacy CUR and FOCUS) and by region (globex: CUR 2.0 and
legacy CUR), against sums computed from the written files. Keep out: what a claim may say
(test_claim_declarations.py), claims to accounts alone (test_account_claims.py).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from finops_pipeline.lake.layout import COSTS
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.money import exact_sum
from finops_pipeline.synthetic.estate import write_estate
from tests.conftest import TemporaryInstallation
from tests.support.globex import finops
from tests.support.published_files import copy_installation
from tests.support.synthetic_bills import (
    LOCATIONS,
    current_manifests,
    entries_of,
    read_bill,
)

MONTHS, LAST = ("2026-09", "2026-10"), "2026-10"
SPLIT = ["001122334455", "012345678901"]
"""The accounts that are split, of both tenants; everything else of theirs is in `base`."""

BASE = ["111122223333", "222233334444", "333344445555", "444455556666", "555566667777",
        "666677778888", "777788889999", "888899990000"]  # fmt: skip
TAGGED = BASE[1]
"""An account of `base` from which globex/capitals takes charges by a tag, in CUR 2.0."""

FORMATS = {"acme": {"payer": "legacy-cur", "labs": "focus"},
           "globex": {"payer": "cur-2.0", "legacy": "legacy-cur"}}  # fmt: skip
BY_TAG = {"live": "Prod", "test": "PROD", "dev": "prod"}
BY_REGION = {"west": "us-west-2", "east": "us-east-1", "europe": "eu-central-1"}
CHANGED = date(2026, 10, 6)
"""The first day on which live and test have swapped their tags."""

Sums = dict[str, tuple[Decimal, Decimal]]
"""Billed and effective cost by project."""


def tag_claims(**more: Any) -> dict[str, list[Any]]:
    return {
        name: [{"accounts": SPLIT, "tags": {"Env": value}, **more}]
        for name, value in BY_TAG.items()
    }


def region_claims() -> dict[str, list[Any]]:
    claims = {name: [{"accounts": SPLIT, "regions": [of]}] for name, of in BY_REGION.items()}
    return {**claims, "capitals": [{"accounts": [TAGGED], "tags": {"env": "PROD"}}]}


def declare(folder: Path, tenant: str, claims: dict[str, list[Any]], **more: Any) -> Path:
    """Write a tenants.yaml beside the estate's exports: `base`, and projects with these claims."""
    sources = [
        {"name": name, "format": form, "location": str(folder / LOCATIONS[tenant, name])}
        for name, form in FORMATS[tenant].items()
    ]
    projects: list[dict[str, Any]] = [{"name": "base", "accounts": BASE}]
    projects += [{"name": name, "claims": of} for name, of in claims.items()]
    declared = {"name": tenant, "sources": sources, "projects": projects, **more}
    path = folder / f"{tenant}.yaml"
    path.write_text(yaml.safe_dump({"tenants": [declared]}))
    return path


@pytest.fixture(scope="module")
def bills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two months of both tenants' exports, in three forms. Read only."""
    folder = tmp_path_factory.mktemp("claims")
    write_estate(folder, seed=5, last_month=LAST, months=len(MONTHS))
    return folder


@pytest.fixture(scope="module")
def whole(bills: Path) -> TemporaryInstallation:
    """Both tenants ingested; nobody claims the accounts that will be split. Read only."""
    made = TemporaryInstallation(bills / "whole")
    for tenant in FORMATS:
        made.apply(declare(bills, tenant, {}))
        assert not made.ingest(tenant).failed
    return made


@pytest.fixture(scope="module")
def previews(whole: TemporaryInstallation, bills: Path) -> dict[str, list[dict[str, Any]]]:
    """What `finops project preview` says about splitting the accounts, before that is declared."""
    answers = {}
    for tenant, claims in (("acme", tag_claims()), ("globex", region_claims())):
        file = declare(bills, tenant, claims)
        code, out = finops(
            *("project", "preview", tenant, "-f", str(file), "--format", "json"), data=whole.data
        )
        assert code == 0, out
        answers[tenant] = json.loads(out, parse_float=Decimal)
    return answers


@pytest.fixture(scope="module")
def split(whole: TemporaryInstallation, bills: Path) -> TemporaryInstallation:
    """Both tenants with the split accounts, ingested. Read only."""
    made = TemporaryInstallation(bills / "split")
    copy_installation(whole.data, made.data)
    for tenant, claims in (("acme", tag_claims()), ("globex", region_claims())):
        made.apply(declare(bills, tenant, claims))
        assert not made.ingest(tenant).failed
    return made


@pytest.fixture
def own(split: TemporaryInstallation, tmp_path: Path) -> TemporaryInstallation:
    """A copy of `split` that a test may change."""
    made = TemporaryInstallation(tmp_path / "own")
    copy_installation(split.data, made.data)
    return made


def lines(folder: Path, tenant: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each row of a tenant's bills with what counts of it (synthetic_bills.entries_of)."""
    for source in FORMATS[tenant]:
        for manifest in current_manifests(folder, tenant, source).values():
            bill = read_bill(folder, manifest)
            yield from zip(bill, entries_of(bill), strict=True)


def by_brute_force(
    folder: Path, tenant: str, project_of: Callable[[dict[str, Any], date], str]
) -> Sums:
    """Sum the rows of the written files by project, row by row.

    Covered usage and negations cancel each other in every account of the estate, so both count 0.
    """
    amounts = defaultdict[str, list[tuple[Decimal, Decimal]]](list)
    for row, entry in lines(folder, tenant):
        is_base = entry["account"] in BASE and not is_capital(tenant, row, entry["account"])
        name = "base" if is_base else project_of(row, entry["day"])
        cancels = entry["kind"] in ("SavingsPlanCoveredUsage", "SavingsPlanNegation")
        billed = Decimal(0) if cancels else entry["billed"]
        amounts[name].append((billed, entry["effective"]))
    return {
        name: (exact_sum(b for b, _ in costs), exact_sum(e for _, e in costs))
        for name, costs in amounts.items()
    }


def is_capital(tenant: str, row: dict[str, Any], account: str) -> bool:
    has_tag = dict(row.get("resource_tags") or ()).get("user_env") == "PROD"
    return (tenant, account) == ("globex", TAGGED) and has_tag


def tag_of(row: dict[str, Any]) -> str | None:
    if "ChargeCategory" in row:
        return dict(row["Tags"] or ()).get("Env")
    return row["resourceTags/user:Env"] or None


def by_tag(row: dict[str, Any], day: date) -> str:
    projects = {value: name for name, value in BY_TAG.items()}
    return projects.get(tag_of(row) or "", "unassigned")


def by_region(row: dict[str, Any], day: date) -> str:
    if row["line_item_usage_account_id"] == TAGGED:
        return "capitals"
    zone = row.get("line_item_availability_zone") or ""
    source = dict(row.get("product") or {}).get("from_region_code")
    product = dict(row.get("product") or {})
    region = (
        product.get("region_code") or row.get("product_region_code") or row.get("product_region")
        or zone[:-1] or source or row.get("product_from_region_code")
    )  # fmt: skip
    projects = {region: name for name, region in BY_REGION.items()}
    return projects.get(region or "", "unassigned")


def published(made: TemporaryInstallation, tenant: str) -> Sums:
    sql = "select project, sum(BilledCost), sum(EffectiveCost) from costs group by all"
    return {name: (billed, effective) for name, billed, effective in rows(made, tenant, sql)}


def rows(made: TemporaryInstallation, tenant: str, sql: str) -> list[tuple[Any, ...]]:
    with reading(made.installation.folder(tenant)) as connection:
        return connection.execute(sql).fetchall()


@pytest.mark.parametrize(("tenant", "rule"), [("acme", by_tag), ("globex", by_region)])
def test_a_split_account_adds_up_per_project(
    split: TemporaryInstallation, bills: Path, tenant: str, rule: Any
) -> None:
    expected = by_brute_force(bills, tenant, rule)
    assert len(expected) == (5 if tenant == "acme" else 6) and all(expected.values())
    assert published(split, tenant) == expected
    code, out = finops("check", tenant, data=split.data)
    assert code == 0, out


@pytest.mark.parametrize("tenant", FORMATS)
def test_all_projects_together_are_the_bill(
    split: TemporaryInstallation, whole: TemporaryInstallation, tenant: str
) -> None:
    before, after = published(whole, tenant).values(), published(split, tenant).values()
    for basis in (0, 1):
        assert exact_sum(v[basis] for v in before) == exact_sum(v[basis] for v in after)
    states = {state for (state,) in rows(split, tenant, "select state from data_status")}
    assert states <= {"reconciled", "open"}


@pytest.mark.parametrize("tenant", FORMATS)
def test_the_preview_says_what_then_happens(
    whole: TemporaryInstallation,
    split: TemporaryInstallation,
    previews: dict[str, list[dict[str, Any]]],
    tenant: str,
) -> None:
    sql = (
        "select project, count(*), sum(BilledCost), sum(EffectiveCost) from costs"
        " where project not in ('base', 'unassigned') group by all order by all"
    )
    moved = [
        (row["to_project"], row["charges"], row["billed_cost"], row["effective_cost"])
        for row in previews[tenant]
    ]
    sources = {row["to_project"]: row["from_project"] for row in previews[tenant]}
    assert sources.pop("capitals", "base") == "base"
    assert set(sources.values()) == {"unassigned"}
    assert not rows(whole, tenant, sql)
    assert sorted(moved) == rows(split, tenant, sql) and len(sources) == 3
    code, out = finops("project", "preview", tenant, data=split.data)
    assert (code, "No charge would move" in out) == (0, True), out


def built_at(made: TemporaryInstallation, tenant: str) -> dict[tuple[str, str], str]:
    records = open_ledger(made.installation.folder(tenant)).partitions(COSTS)
    return {key: record.built_at for key, record in records.items()}


def test_a_changed_claim_moves_only_what_it_should(own: TemporaryInstallation, bills: Path) -> None:
    claims = tag_claims()
    for name, value in (("live", "PROD"), ("test", "Prod")):
        earlier = {**claims[name][0], "to": CHANGED}
        later = {**earlier, "tags": {"Env": value}, "from": CHANGED}
        del later["to"]
        claims[name] = [earlier, later]
    before, others = built_at(own, "acme"), published(own, "globex")
    file = declare(bills, "acme", claims)
    command = ("project", "preview", "acme", "-f", str(file), "--format", "json")
    preview = json.loads(finops(*command, data=own.data)[1], parse_float=Decimal)
    sums = published(own, "acme")
    assert {row["first_month"] for row in preview} == {"2026-10"}
    own.apply(file)
    assert not own.ingest("acme").failed

    def swapped(row: dict[str, Any], day: date) -> str:
        name = by_tag(row, day)
        other = {"live": "test", "test": "live"}
        return other.get(name, name) if day >= CHANGED else name

    assert published(own, "acme") == by_brute_force(bills, "acme", swapped)
    for row in preview:
        for basis, column in enumerate(("billed_cost", "effective_cost")):
            sums[row["from_project"]] = _with(sums[row["from_project"]], basis, -row[column])
            sums[row["to_project"]] = _with(sums[row["to_project"]], basis, row[column])
    assert published(own, "acme") == sums
    rebuilt = {key for key, at in built_at(own, "acme").items() if before.get(key) != at}
    assert {month for _, month in rebuilt} == {"2026-10"}
    assert {"base", "dev"}.isdisjoint(project for project, _ in rebuilt)
    assert published(own, "globex") == others


def _with(sums: tuple[Decimal, Decimal], basis: int, amount: Decimal) -> tuple[Decimal, Decimal]:
    billed, effective = sums
    return (billed + amount, effective) if basis == 0 else (billed, effective + amount)


def test_charges_without_the_claimed_value_follow_a_rule(
    own: TemporaryInstallation, bills: Path
) -> None:
    before = published(own, "acme")
    own.apply(declare(bills, "acme", tag_claims(), without_value="dev"))
    _, out = finops("project", "preview", "acme", "--format", "json", data=own.data)
    preview = json.loads(out, parse_float=Decimal)
    assert [(r["claim"], r["to_project"]) for r in preview] == [("without_value", "dev")]
    assert not own.ingest("acme").failed
    named = published(own, "acme")

    def to_dev(row: dict[str, Any], day: date) -> str:
        return "dev" if tag_of(row) is None else by_tag(row, day)

    assert named == by_brute_force(bills, "acme", to_dev)
    assert named["dev"][0] == before["dev"][0] + preview[0]["billed_cost"]
    own.apply(declare(bills, "acme", tag_claims(), without_value="unassigned"))
    assert not own.ingest("acme").failed
    assert published(own, "acme") == before
