"""One bill through two exports: noticed charge by charge, shown the same everywhere, and curable.

Put here: pairs of exports of one bill or of two, and each place that shows the result. Keep out:
reading each form of an export (test_forms.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from itertools import combinations

import dagster as dg
import pytest
import yaml

from finops_pipeline.application.installation import Installation
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.marts.library import find_check
from finops_pipeline.orchestration.month_checks import MonthChecks
from finops_pipeline.reconciliation.statuses import Reconciled
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.export_forms import FORMS, declaration, write_form
from tests.support.globex import finops
from tests.support.second_opinion import (
    DAYS,
    DEV,
    EC2,
    MONTH,
    PROD,
    S3,
    Costs,
    Two,
    built_two,
    costs,
    declare,
    lines,
    two,
)
from tests.support.tiers import some_every_day
from tests.test_status_screen import as_json, read_streams, screen

__all__ = ["built_two", "two"]

SECOND = {"name": "second", "format": "legacy-cur", "location": "acme/second"}
EXPORTS = {
    "cur": "cur-gz-new", "cur-again": "cur-gz-new", "cur-parquet": "cur-parquet-over",
    "cur2": "cur2-parquet-new", "cur2-again": "cur2-parquet-new", "cur2-csv": "cur2-gz-new",
    "cur2-no-resources": "cur2-subset",
    "focus": "focus-1-2", "focus-again": "focus-1-2", "focus-old": "focus-1-0",
}  # fmt: skip
"""Sources of the same bill, and their forms: each kind twice, with other columns and files."""
PAIRS = list(combinations(EXPORTS, 2))


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> TemporaryInstallation:
    """Acme with its bill in every form, globex with one export. Read only."""
    folder = tmp_path_factory.mktemp("exports")
    places = {
        name: str(write_form(folder / name, "acme", form).report) for name, form in EXPORTS.items()
    }
    (acme,) = declaration({"acme": dict.fromkeys(EXPORTS.values(), "")})["tenants"]
    acme["sources"] = [
        {"name": name, "format": FORMS[form].format, "location": places[name]}
        for name, form in EXPORTS.items()
    ]
    for project in acme["projects"]:
        project["sources"] = list(EXPORTS)
    other = declaration({"globex": {"cur-gz-new": ""}})["tenants"]
    other[0]["sources"][0]["location"] = str(
        write_form(folder / "other", "globex", "cur-gz-new").report
    )
    declared = folder / "tenants.yaml"
    declared.write_text(yaml.safe_dump({"tenants": [acme, *other]}))
    made = TemporaryInstallation(folder / "data")
    made.apply(declared)
    for tenant in ("acme", "globex"):
        assert not made.ingest(tenant).failed
    return made


@pytest.fixture(scope="module")
def reconciled(repeated: TemporaryInstallation) -> Reconciled:
    """The comparisons of acme's month, computed once."""
    return repeated.installation.reconciled("acme")


@pytest.mark.parametrize("pair", some_every_day(PAIRS, every=5), ids="+".join)
def test_every_pair_of_exports_of_one_bill_counts_twice(
    pair: tuple[str, str], reconciled: Reconciled
) -> None:
    amounts = [
        item.ours
        for item in reconciled.comparisons
        if {item.source, item.counterpart} == set(pair) and item.against == "other bill"
    ]
    billed = [s.billed_cost for s in reconciled.statuses if s.source in pair]
    assert len(amounts) == len(billed) == 2 and amounts[0] == amounts[1]
    # The CSV of a legacy CUR has other amounts of usage for a third of the charges.
    smaller = min(cost or Decimal(0) for cost in billed)
    assert smaller / 2 < (amounts[0] or 0) <= smaller


def test_all_repeated_exports_are_untrusted_and_another_organisation_is_not_concerned(
    repeated: TemporaryInstallation,
) -> None:
    statuses = repeated.installation.status("acme")
    assert len(statuses) == len(EXPORTS)
    assert {s.state for s in statuses} == {"differs"}
    assert {s.state for s in repeated.installation.status("globex")} == {"reconciled"}
    assert not dagster_check(repeated.installation, "acme").passed
    assert dagster_check(repeated.installation, "globex").passed


# ---- two bills of a few rows


def second_bill(two: Two, bill: Iterable[dict[str, str]]) -> None:
    """Give acme a second bill, and ingest it."""
    declare(two.made, two.folder, "acme", SECOND)
    deliver(two.folder / "acme/second", list(bill), MONTH)
    assert not two.made.ingest("acme").failed


def places_that_warn(two: Two) -> set[str]:
    """Name the places that do not trust acme's month; each is asked as a user would ask it."""
    warning = set()
    text = screen(two.made)
    if "cannot be trusted yet" in text:
        warning.add("status month")
    if as_json(two.made)["verdict"] == "not_yet":
        warning.add("status month json")
    code, text = finops("status", "acme", "--format", "json", data=two.made.data)
    assert code == 0
    bills = [status for status in json.loads(text) if status["source"] != "explorer"]
    if all(status["state"] == "differs" for status in bills):
        warning.add("status")
    if {two.status(bill["source"]).state for bill in bills} == {"differs"}:
        warning.add("data_status")
    if "FAILED  bills_apart" in finops("check", "acme", data=two.made.data)[1]:
        warning.add("check")
    sql = "select sum(billed_cost) from monthly_costs"
    if "not reconciled" in read_streams(two, "query", "acme", sql)[1]:
        warning.add("query")
    if not dagster_check(two.made.installation, "acme").passed:
        warning.add("dagster")
    return warning


def dagster_check(installation: Installation, tenant: str) -> dg.AssetCheckEvaluation:
    (result,) = (
        result
        for result in MonthChecks(tenant).evaluate(installation, [MONTH])
        if result.check_name == "checks"
    )
    assert result.passed or "bills_apart" in str(result.metadata["failures"].value)
    return result


EVERYWHERE = {"status month", "status month json", "status", "data_status", "check", "query",
              "dagster"}  # fmt: skip


def test_the_same_bill_with_some_rows_more_is_doubted_everywhere(two: Two) -> None:
    """The second export landed a day later: one cost was restated and five charges are new."""
    later: Costs = costs()
    later[DAYS[3], PROD, EC2] += Decimal("0.37")
    more = [row("7.5", day=day, account=PROD) for day in DAYS[:5]]
    second_bill(two, [*lines(later), *more])
    twice = sum(costs().values()) - costs()[DAYS[3], PROD, EC2]
    for source, other in (("payer", "second"), ("second", "payer")):
        assert (two.status(source).reason or "").split("; ")[0] == (
            f"119 charges ({twice} USD) are also in the bill of {other} and count twice: end one of"
            f" the two, for example with finops source add acme/{source} --to {MONTH}, then finops"
            " ingest acme"
        )
        (comparison,) = two.compared("other bill", source)
        assert comparison.ours == comparison.difference == twice
    assert places_that_warn(two) == EVERYWHERE
    assert "Count one of payer and second: finops source add acme/payer" in screen(two.made)


def test_the_stated_cure_counts_the_bill_once_and_can_be_undone(two: Two) -> None:
    second_bill(two, lines(costs()))
    total = "select sum(billed_cost) from monthly_costs"
    assert two.rows(total) == [(2 * sum(costs().values()),)]
    (line,) = (line for line in as_json(two.made)["todo"] if line.startswith("Count one of"))
    for command in line.split(": ")[1].split(", then "):
        code, output = finops(*command.split()[1:], data=two.made.data)
        assert code == 0, output
        if "source add" in command:
            assert two.made.installation.status("acme")[0].state == "incomplete"
    assert two.rows(total) == [(sum(costs().values()),)]
    assert places_that_warn(two) == set()
    assert [s.source for s in two.made.installation.status("acme")] == ["second"]
    assert "payer" not in finops("gaps", "acme", data=two.made.data)[1]
    assert two.rows("select distinct source from delivery_history") == [("second",)]
    assert finops("source", "add", "acme/payer", "--to", "", data=two.made.data)[0] == 0
    assert not two.made.ingest("acme").failed
    assert two.rows(total) == [(2 * sum(costs().values()),)]


@pytest.mark.parametrize("equal", [0, 4])
def test_an_account_that_moves_to_another_payer_stays_trusted(two: Two, equal: int) -> None:
    """Each payer has half of the month; a few small charges and taxes may be equal by chance."""
    of_month = costs()
    before = {key: cost for key, cost in of_month.items() if key[0] <= DAYS[14]}
    after = {key: cost for key, cost in of_month.items() if key[0] > DAYS[14]}
    small = [row("0.01", day=DAYS[day]) for day in range(equal)]
    tax = [row("0.50", day=DAYS[0], **{"lineItem/LineItemType": "Tax"}) for _ in range(equal)]
    two.bill(before, "moved")
    deliver(two.folder / "acme/cur", [*lines(before), *small, *tax], MONTH, "moved again")
    second_bill(two, [*lines(after), *small, *tax])
    assert two.status("payer").state == two.status("second").state == "reconciled"
    assert places_that_warn(two) == set()


def test_an_account_whose_new_bill_has_only_the_same_tax_stays_trusted(two: Two) -> None:
    tax = row("0.50", day=DAYS[0], **{"lineItem/LineItemType": "Tax"})
    deliver(two.folder / "acme/cur", [*lines(costs()), tax], MONTH, "two")
    second_bill(two, [tax])
    assert places_that_warn(two) == set()


def test_equal_prices_of_other_resources_stay_trusted(two: Two) -> None:
    """Two exports that divide one bill by tag: the same price at the same hours, never twice."""
    bills = {
        name: [row("0.0104", day=day, **{"lineItem/ResourceId": f"i-{name}"}) for day in DAYS]
        for name in ("one", "other")
    }
    deliver(two.folder / "acme/cur", bills["one"], MONTH, "two")
    second_bill(two, bills["other"])
    assert places_that_warn(two) == set()


def test_part_of_a_bill_in_another_export_is_doubted(two: Two) -> None:
    """The export of one linked account beside its payer's: all of its charges are repeated."""
    second_bill(two, lines({key: cost for key, cost in costs().items() if key[1] == DEV}))
    assert places_that_warn(two) == EVERYWHERE


def test_an_export_by_hour_beside_the_same_by_day_is_doubted(two: Two) -> None:
    by_hour = [
        row(format(cost / 10, "f"), account=account,
            **{"lineItem/UsageStartDate": f"{day}T{hour:02d}:00:00Z"})
        for (day, account, service), cost in costs().items()
        if service == S3
        for hour in range(10)
    ]  # fmt: skip
    by_day = {key: cost for key, cost in costs().items() if key[2] == S3}
    by_day[DAYS[0], PROD, S3] += 1
    two.bill(by_day, "two")
    second_bill(two, by_hour)
    assert places_that_warn(two) == EVERYWHERE
    assert "59 daily sums of resources" in (two.status().reason or "")


def test_currencies_are_compared_apart(two: Two) -> None:
    """The same numbers in another currency are another bill."""
    second_bill(two, lines(costs(), **{"lineItem/CurrencyCode": "EUR"}))
    assert two.compared("other bill") == two.compared("other bill", "second") == []
    assert two.status("second").state == "reconciled"


def test_nothing_is_scanned_for_bills_without_a_common_account(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comparing fails here, so a run that succeeds has not compared."""
    monkeypatch.setattr(
        "finops_pipeline.reconciliation.cost_explorer_comparison.compare_bills", _must_not_run
    )
    second_bill(two, [row("5", account="999900001111")])
    assert two.status("second").state == "reconciled"
    deliver(two.folder / "acme/second", lines(costs()), MONTH, "two")
    assert two.made.ingest("acme").failed


def _must_not_run(*_: object) -> None:
    raise AssertionError("compared")


def test_an_analyst_can_run_the_check_on_published_charges(two: Two) -> None:
    second_bill(two, lines(costs()))
    with reading(two.made.installation.folder("acme")) as connection:
        rows = connection.execute(
            "select sub_account_id, compared_by, charges, other_charges, equal_charges"
            f" from ({find_check('bills_apart').sql}) order by 1"
        ).fetchall()
    assert rows == [(account, "charge", 60, 60, 60) for account in (DEV, PROD)]
