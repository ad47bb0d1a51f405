"""Statements: what is stated adds up to the bill, never changes once closed, and is adjusted.

Put here: previewing, closing, adjusting and listing statements of two tenants. Keep out: written
statements and folders (test_statement_files.py), bad terms (test_statement_terms_unit.py).
"""

from __future__ import annotations

import json
import multiprocessing
import os
from decimal import Decimal
from typing import Any

import pytest
import yaml

from finops_pipeline.application.closed_statements import list_statements, read_statements
from finops_pipeline.application.statements import (
    preview_statements,
)
from finops_pipeline.errors import FinopsError
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.marts.statement_views import StatementLine, preview_lines
from finops_pipeline.money import exact_sum
from finops_pipeline.tenants.statement_terms import CostBasis, FixedFee, ProjectTerms, TenantTerms
from tests.conftest import TemporaryInstallation
from tests.support.bills import row
from tests.support.commit_steps import end_at
from tests.support.globex import finops
from tests.support.second_opinion_statements import expected_lines
from tests.support.stated_tenants import (
    CURRENCY,
    DEV,
    MONTH,
    OTHER,
    PROD,
    SERVICE,
    TENANTS,
    Stated,
    base,
    bill,
    by_line,
    declaration,
    stated,
)

__all__ = ["base", "stated"]


def totals(lines: list[StatementLine]) -> dict[str, Decimal]:
    """Everything but mark-ups and fees, by currency."""
    own = [line for line in lines if line.line_kind not in ("markup", "fixed_fee")]
    currencies = {line.billing_currency for line in own}
    return {c: exact_sum(x.amount for x in own if x.billing_currency == c) for c in currencies}


# ---- numbers


@pytest.mark.parametrize("basis", CostBasis)
@pytest.mark.parametrize("tenant", TENANTS)
def test_every_month_is_stated_as_the_charges_say(
    built: TemporaryInstallation, tenant: str, basis: CostBasis
) -> None:
    folder = built.installation.folder(tenant)
    terms = TenantTerms(
        basis=basis, markup_percent=Decimal("7.1234"),
        fixed_fee=FixedFee(amount=Decimal(12), currency="USD"),
    )  # fmt: skip
    declared = built.installation.registry.tenant(tenant)
    first = declared.projects[0].model_copy(
        update={"statements": ProjectTerms(markup_percent=Decimal(0))}
    )
    changed = declared.model_copy(
        update={"statements": terms, "projects": (first, *declared.projects[1:])}
    )
    with reading(folder) as connection:
        bills = connection.execute(
            "select billing_period, billing_currency, sum(billed_cost), sum(effective_cost)"
            " from monthly_costs group by all order by all"
        ).fetchall()
    assert len(bills) > 2
    for month, currency, billed, effective in bills[-3:]:
        lines = preview_lines(folder, changed, month)
        assert by_line(lines) == expected_lines(folder, changed, month)
        if basis in (CostBasis.BILLED, CostBasis.EFFECTIVE):
            expected = billed if basis is CostBasis.BILLED else effective
            assert totals(lines)[currency] == expected
        assert {line.project for line in lines if line.line_kind == "fixed_fee"} == {
            line.project for line in lines if line.project != "unassigned"
        }


def test_printed_lines_add_up_to_the_printed_total(base: Stated) -> None:
    out = base.finops("preview", "acme", "--month", MONTH, "--format", "json")
    rows = json.loads(out, parse_float=Decimal)
    for currency, project, total in (("USD", "prod", "102.02"), ("EUR", "prod", "7.52")):
        own = [r for r in rows if (r["billing_currency"], r["project"]) == (currency, project)]
        printed = [Decimal(str(r["printed_amount"])) for r in own]
        assert sum(printed) == Decimal(total)
        assert all(
            abs(p - Decimal(str(r["amount"]))) < Decimal("0.01")
            for p, r in zip(printed, own, strict=True)
        )
    assert {r["version"] for r in rows} == {None}


def test_the_ready_made_query_adds_up_the_lines(base: Stated) -> None:
    code, output = finops(
        "queries", "run", "globex", "project_statements", "--format", "json", data=base.made.data
    )
    assert code == 0, output
    rows = {
        (r["project"], r["billing_currency"]): r for r in json.loads(output, parse_float=Decimal)
    }
    lines = preview_statements(base.installation, "globex", MONTH)
    for (project, currency), found in rows.items():
        own = [x for x in lines if (x.project, x.billing_currency) == (project, currency)]
        for column in ("direct", "markup", "fixed_fee"):
            assert found[column] == exact_sum(x.amount for x in own if x.line_kind == column)
        assert found["total"] == exact_sum(x.amount for x in own) and found["shared"] == 0
    assert len(rows) == 4


def share(stated: Stated, **method: Any) -> None:
    """Split what no project claims."""
    entry = declaration("acme")
    entry["shared_costs"] = [{"name": "rest", "projects": ["unassigned"], **method}]
    path = stated.folder / "shared.yaml"
    path.write_text(yaml.safe_dump({"tenants": [entry]}))
    stated.made.apply(path)
    assert not stated.made.ingest("acme").failed


def test_shared_costs_are_lines_of_both_sides_and_bear_the_markup(stated: Stated) -> None:
    before = totals(preview_statements(stated.installation, "acme", MONTH))
    share(stated, method="even")
    closed = stated.close()
    assert totals(closed.lines) == before
    found = by_line(closed.lines)
    assert found["unassigned", "USD", "shared_given", "rest"] == -4
    assert found["prod", "USD", "shared_received", "rest"] == 2
    assert found["prod", "USD", "markup", "mark-up"] == Decimal("3.824") * Decimal("0.055")
    assert ("unassigned", "USD", "markup", "mark-up") not in found
    share(stated, method="fixed", shares={"prod": 75, "dev": 25})
    assert by_line(stated.adjust().lines) == {
        ("prod", "USD", "shared_received", "rest"): 1,
        ("dev", "USD", "shared_received", "rest"): -1,
        ("prod", "USD", "markup", "mark-up"): Decimal("0.055"),
    }
    assert stated.rows("select count(*) from statements", "globex") == [(0,)]


def test_each_currency_has_a_basis_of_its_own_also_when_it_is_closed(stated: Stated) -> None:
    stated.declare(basis="net_billed")
    net = "lineItem/NetUnblendedCost"
    stated.bill("acme", [
        row("100", PROD, **{SERVICE: "EC2", net: "80"}),
        row("10", DEV, **{SERVICE: "EC2", CURRENCY: "EUR", net: ""}),
        # these cancel out, so that the bill of their day is 0
        row("10", DEV, **{SERVICE: "EC2", CURRENCY: "GBP", net: "8"}),
        row("-10", DEV, **{SERVICE: "EC2", CURRENCY: "GBP", net: ""}),
    ], "net")  # fmt: skip
    lines = stated.close(is_forced=True, reason="no invoice").lines
    bases = {line.billing_currency: line.cost_basis for line in lines}
    assert bases == {"USD": "net_billed", "EUR": "billed", "GBP": "billed"}
    assert by_line(lines)["prod", "USD", "direct", "EC2"] == 80
    assert totals(lines) == {"USD": 80, "EUR": 10, "GBP": 0}
    assert stated.rows("from statement_differences") == [] and stated.adjust() is None


# ---- closing and adjusting


def test_a_closed_statement_never_changes_and_adjustments_say_the_rest(stated: Stated) -> None:
    first = stated.close()
    assert first.entry.month_state == "reconciled" and first.entry.version == 1
    file = next((stated.made.folder("acme") / "statements").glob("*/*/*.parquet")).resolve()
    content = file.read_bytes()
    assert stated.rows("select count(*) from statements") == [(len(first.lines),)]
    assert stated.rows("from statement_differences") == [] and stated.adjust() is None
    # a restatement, another mark-up, and a claim that moves an account
    stated.declare(markup_percent=50)
    stated.bill("acme", [*bill("2"), row("9", OTHER, **{SERVICE: "EC2"})], "two")
    path = stated.folder / "moved.yaml"
    moved = declaration("acme")
    moved["projects"] = [{"name": "ops", "accounts": [OTHER]}]
    path.write_text(yaml.safe_dump({"tenants": [moved]}))
    stated.made.apply(path)
    assert not stated.made.ingest("acme").failed
    assert file.read_bytes() == content
    assert read_statements(stated.installation, "acme", MONTH)[0].lines == first.lines
    assert {s.to_adjust for s in list_statements(stated.installation, "acme")} == {True}
    due = stated.rows("select project, line_kind, line, amount from statement_differences")
    second = stated.adjust(reason="restated by AWS")
    assert sorted((x.project, x.line_kind, x.line, x.amount) for x in second.lines) == sorted(due)
    assert second.entry.version == 2 and second.entry.reason == "restated by AWS"
    # the terms of the closing go on to count, and the new project has those of today
    now = by_line(preview_statements(stated.installation, "acme", MONTH))
    versions = read_statements(stated.installation, "acme", MONTH)
    assert by_line([line for version in versions for line in version.lines]) == now
    assert now["prod", "USD", "markup", "mark-up"] == Decimal("21.824") * Decimal("0.055")
    assert now["ops", "USD", "direct", "EC2"] == 9
    assert stated.rows("from statement_differences") == [] and stated.adjust() is None
    assert stated.rows("select count(*) from statements", "globex") == [(0,)]


def test_a_month_closes_once_and_not_before_it_is_reconciled(stated: Stated) -> None:
    finops("invoice", "set", "acme/payer", MONTH, "1", data=stated.made.data)
    output = stated.finops("close", "acme", "--month", MONTH, ok=False)
    assert "is not reconciled: payer differs" in output and "--unreconciled" in output
    output = stated.finops("close", "acme", "--month", MONTH, "--unreconciled", ok=False)
    assert "only with a reason" in output
    output = stated.finops(
        "close", "acme", "--month", MONTH, "--unreconciled", "--reason", "books close"
    )
    assert "3 projects" in output and "payer differs" in output
    (first, *_) = stated.rows("select distinct month_state, reason from statements")
    assert first == ("payer differs", "books close")
    output = stated.finops("close", "acme", "--month", MONTH, ok=False)
    assert "closed already" in output
    assert f"finops statements adjust acme --month {MONTH}" in output
    output = stated.finops("adjust", "acme", "--month", MONTH)
    assert "nothing to adjust" in output
    listed = json.loads(stated.finops("list", "acme", "--format", "json"))
    assert [(x["billing_currency"], x["to_adjust"]) for x in listed] == [
        ("EUR", False),
        ("USD", False),
    ]
    assert "No statement is closed" in stated.finops("list", "globex")


def test_two_closings_at_once_leave_one(stated: Stated) -> None:
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    processes = [context.Process(target=_close, args=(stated, results)) for _ in range(2)]
    for process in processes:
        process.start()
    outcomes = sorted(results.get(timeout=120) for _ in processes)
    for process in processes:
        process.join()
    assert outcomes == ["closed", "the statements of acme 2026-09 are closed already"]
    assert len({s.version for s in list_statements(stated.installation, "acme")}) == 1


def _close(stated: Stated, results: Any) -> None:
    try:
        stated.close()
        results.put("closed")
    except FinopsError as error:
        results.put(error.found)


@pytest.mark.parametrize("step", [2, 4, 6, 8, 10])
def test_a_killed_closing_leaves_one_or_none(stated: Stated, step: int) -> None:
    child = os.fork()
    if not child:
        end_at(pytest.MonkeyPatch(), step, lambda: os._exit(9))
        stated.close()
        os._exit(0)
    os.waitpid(child, 0)
    summaries = list_statements(stated.installation, "acme")
    assert {s.version for s in summaries} <= {1}
    if not summaries:
        stated.close()
    lines = by_line(read_statements(stated.installation, "acme", MONTH)[0].lines)
    assert lines == by_line(preview_statements(stated.installation, "acme", MONTH))
    assert stated.rows("select count(distinct version) from statements") == [(1,)]
    files = list(
        (stated.made.folder("acme") / ".store" / "statements").rglob("statement-*.parquet")
    )
    assert len(files) == 1


# ---- bad input


BAD = {
    "project": (("--project", "shop"), "Expected one of: dev, prod, unassigned"),
    "month": (("--month", "2026-08"), "Expected a month that has one: 2026-09"),
    "not a month": (("--month", "9/26"), "is not a billing period"),
    "suffix": (("-o", "statement.doc"), "does not say which format"),
    "table": (("--format", "table", "-o", "statement.txt"), "terminal only"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_requests_are_refused_with_what_there_is(base: Stated, name: str) -> None:
    more, message = BAD[name]
    month = () if "--month" in more else ("--month", MONTH)
    assert message in base.finops("preview", "acme", *month, *more, ok=False)


def test_commands_of_closed_months_need_one(base: Stated) -> None:
    for command in ("show", "adjust"):
        output = base.finops(command, "acme", "--month", MONTH, ok=False)
        assert "are not closed" in output and "finops statements preview acme" in output


def test_a_fee_in_another_currency_is_refused_by_its_place(stated: Stated) -> None:
    path = stated.folder / "tenants.yaml"
    fee = {"amount": 5, "currency": "CHF"}
    entry = declaration("acme")
    entry["projects"][0]["statements"] = {"fixed_fee": fee}
    path.write_text(yaml.safe_dump({"tenants": [entry]}))
    code, output = finops("apply", str(path), data=stated.made.data)
    assert code and f"{path}, tenant acme: project 'prod': statements.fixed_fee.currency" in output
    assert "CHF, but its bills are in EUR and USD" in output
    # declared before the first bill, it is found when a statement would have it
    stated.made.apply(path)
    for command in ("preview", "close"):
        output = stated.finops(command, "acme", "--month", MONTH, ok=False)
        assert "project 'prod': statements.fixed_fee.currency is CHF" in output
    assert list_statements(stated.installation, "acme") == []


def test_a_new_projects_fee_in_another_currency_is_no_adjustment(stated: Stated) -> None:
    stated.close()
    path = stated.folder / "tenants.yaml"
    entry = declaration("acme")
    entry["projects"] = [
        {"name": "ops", "accounts": [OTHER],
         "statements": {"fixed_fee": {"amount": 5, "currency": "CHF"}}},
    ]  # fmt: skip
    path.write_text(yaml.safe_dump({"tenants": [entry]}))
    stated.made.apply(path)
    assert not stated.made.ingest("acme").failed
    output = stated.finops("adjust", "acme", "--month", MONTH, ok=False)
    assert "project 'ops': statements.fixed_fee.currency is CHF" in output
    assert {s.version for s in list_statements(stated.installation, "acme")} == {1}


def test_a_month_is_not_closed_with_a_project_that_is_not_declared(stated: Stated) -> None:
    for command in (("rename", "acme/prod", "shop"), ("remove", "acme/dev", "--yes", "acme/dev")):
        code, output = finops("project", *command, data=stated.made.data)
        assert code == 0, output
    forced = ("close", "acme", "--month", MONTH, "--unreconciled", "--reason", "books close")
    output = stated.finops(*forced, ok=False)
    assert "which is not declared any more" in output and "finops ingest acme" in output
    assert list_statements(stated.installation, "acme") == []
    assert not stated.made.ingest("acme").failed
    stated.finops(*forced)
    markups = stated.rows("select project, amount from statements where line_kind = 'markup'")
    assert {project for project, _ in markups} == {"shop", "unassigned"}
