"""The command that shows the state of all months, or of one month on a single screen.

Put here: `status` and its layout. Keep out: the data that it shows (application/month_status.py).
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from finops_pipeline.application.month_status import (
    MonthStatus,
    read_month_status,
    read_tenant_statuses,
)
from finops_pipeline.cli.failures import report_failures
from finops_pipeline.cli.month_list import print_months, print_tenants
from finops_pipeline.cli.show import (
    ExactOption,
    Format,
    open_installation,
    refuse_parquet,
    say,
    write_json,
    write_rows,
)
from finops_pipeline.cli.text_table import cell, screen_width
from finops_pipeline.errors import counted
from finops_pipeline.marts.evidence import Evidence, Finding
from finops_pipeline.reconciliation.comparisons import (
    BASIS_NAMES,
    COUNTERPART_NAMES,
    Comparison,
    ComparisonState,
    CounterpartKind,
)
from finops_pipeline.reconciliation.states import ReconciliationState

WIDEST, LINES = 100, 40
"""Characters at most, and lines, of one screen."""


def status_command(
    tenant: Annotated[str | None, typer.Argument(metavar="TENANT")] = None,
    month: Annotated[
        str | None, typer.Argument(metavar="YYYY-MM", help="One month, on one screen.")
    ] = None,
    format: Annotated[Format, typer.Option(help="table, csv or json.")] = Format.TABLE,
    exact: ExactOption = False,
) -> None:
    """Show whether each month reconciles; for one month, whether to trust it and why."""
    refuse_parquet(format)
    installation = open_installation()
    if tenant is not None and month is not None:
        _print_month(read_month_status(installation, tenant, month), format)
        return
    tenants = read_tenant_statuses(installation, tenant)
    if format is Format.TABLE and tenant is None:
        print_tenants(tenants)
    elif format is Format.TABLE:
        print_months(tenants[0], exact)
    else:
        rows = [{"tenant": t.tenant, **asdict(status)} for t in tenants for status in t.statuses]
        names = list(rows[0]) if rows else ["tenant"]
        write_rows(format, names, [[row[name] for name in names] for row in rows])
    report_failures([(t.tenant, t.failure) for t in tenants if t.failure], format)


# ---- one month


def _print_month(month_status: MonthStatus, format: Format) -> None:
    if format is Format.JSON:
        fields = _json_fields(month_status)
        write_json(sys.stdout, list(fields), [list(fields.values())])
        return
    if format is not Format.TABLE:
        raise typer.BadParameter("give table or json for one month", param_hint="--format")
    for line in screen(month_status):
        say(line)


def _json_fields(month_status: MonthStatus) -> dict[str, Any]:
    evidence = month_status.evidence
    broken_rules = evidence.conformance
    return {
        "tenant": month_status.tenant,
        "billing_period": month_status.month,
        "verdict": month_status.verdict.trust.name.lower(),
        "why": month_status.verdict.why,
        "todo": list(month_status.verdict.todo),
        "statuses": [asdict(status) for status in month_status.statuses],
        "reconciliation": [asdict(comparison) for comparison in month_status.comparisons],
        "checks": evidence.checks,
        "failed_checks": [asdict(check) for check in evidence.failed],
        "conformance": None if broken_rules is None else [asdict(rule) for rule in broken_rules],
    }


def screen(month_status: MonthStatus) -> list[str]:
    """Return LINES lines at most that fit the terminal: verdict, evidence, what to do."""
    verdict = month_status.verdict
    name = f"{month_status.month} of {month_status.tenant}"
    head = _wrap(f"{name} {verdict.trust.value}: {verdict.why}.")
    todo = [f"  {line}" for line in verdict.todo[:5]]
    tail = ["", "What to do:", *todo] if todo else []
    facts = [*_check_lines(month_status.evidence), *_conformance_lines(month_status.evidence)]
    lines_left = LINES - len(head[:4]) - len(tail) - len(facts) - 1
    body = list(_source_lines(month_status))
    wrapped = [part for line in body for part in _wrap(line, 18)]
    body = wrapped if len(wrapped) <= lines_left else body
    if len(body) > lines_left:
        rest = len(body) - lines_left + 1
        body = [
            *body[: lines_left - 1],
            f"… {counted(rest, 'more line')}: --format json shows all of it",
        ]
    return [_fit(line) for line in [*head[:4], "", *body, *facts, *tail]]


def _fit(line: str) -> str:
    """Return a line cut to the width of the screen."""
    text = cell(line)
    width = min(screen_width(), WIDEST)
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _wrap(text: str, indent: int = 2) -> list[str]:
    """Return a text as lines no wider than the screen."""
    width = min(screen_width(), WIDEST)
    return textwrap.wrap(text, width, subsequent_indent=" " * indent, break_on_hyphens=False)


def _source_lines(month_status: MonthStatus) -> Iterator[str]:
    """Yield per source and currency its state, its rows, and what it was compared with."""
    bills = [
        status for status in month_status.statuses if status.state != ReconciliationState.LANDED
    ]
    for status in bills:
        yield f"{status.source} {status.billing_currency or ''}".rstrip() + f": {status.state}"
        if status.reason:
            yield f"  why             {status.reason}"
        if status.rows_read is not None:
            yield (
                f"  rows            {status.rows_read} read, {status.rows_kept} kept,"
                f" {status.rows_quarantined} in quarantine (all currencies)"
            )
        comparisons = [
            item
            for item in month_status.comparisons
            if item.source == status.source
            and item.billing_currency in (None, status.billing_currency)
            and item.cost_basis != "rows"
        ]
        for against in CounterpartKind:
            yield from _comparison_lines([c for c in comparisons if c.against == against])


DETAIL_LINES = 3
"""Services, accounts and findings that the screen lists; the tables hold all of them."""


def _comparison_lines(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Yield the comparisons of sums, and the first differences by service and account."""
    for comparison in comparisons:
        if comparison.is_whole:
            name = COUNTERPART_NAMES[comparison.against].removeprefix("the ")
            yield f"  {name:<15} {_outcome(comparison)}"
    details = [
        item for item in comparisons if not item.is_whole and item.state != ComparisonState.AGREES
    ]
    for detail in details[:DETAIL_LINES]:
        scope = " ".join(filter(None, [detail.sub_account_id, detail.service_name]))
        yield f"    {scope}, {_outcome(detail)}"
    if len(details) > DETAIL_LINES:
        yield f"    {len(details) - DETAIL_LINES} more in the table reconciliation"


def _outcome(comparison: Comparison) -> str:
    if comparison.against == CounterpartKind.OTHER_BILL:
        return f"{comparison.state}: {comparison.note}"
    counterpart = f"{comparison.counterpart}, " if comparison.counterpart else ""
    basis = BASIS_NAMES.get(comparison.cost_basis or "", "")
    if comparison.state == ComparisonState.NOT_CHECKED and comparison.ours is None:
        prefix = f"{counterpart}{f'{basis}, ' if basis else ''}"
        return f"{comparison.state}: {prefix}{comparison.note}"
    sums = f"{cell(comparison.ours)} and {cell(comparison.theirs)}"
    difference = cell(comparison.difference)
    apart = "" if comparison.difference == 0 else f", {difference} apart"
    is_plain = (
        comparison.state == ComparisonState.AGREES and comparison.against == CounterpartKind.FILES
    )
    note = f"; {comparison.note}" if comparison.note and not is_plain else ""
    return f"{comparison.state}: {counterpart}{basis} {sums}{apart}{note}"


def _check_lines(evidence: Evidence) -> Iterator[str]:
    passed = evidence.checks - len(evidence.failed)
    yield (
        f"checks            {passed} of {evidence.checks} passed"
        if evidence.checks
        else "checks            none have run on what is published"
    )
    yield from _finding_lines(evidence.failed)


def _conformance_lines(evidence: Evidence) -> Iterator[str]:
    if evidence.conformance is None:
        yield "FOCUS conformance not checked: the file predates this check (run finops ingest)"
        return
    broken = [rule for rule in evidence.conformance if not rule.is_export_gap]
    gap_count = len(evidence.conformance) - len(broken)
    gaps = f", {counted(gap_count, 'known gap')} of the AWS export" if gap_count else ""
    rules = (
        counted(len(broken), "rule is broken", "rules are broken") if broken else "every rule holds"
    )
    yield f"FOCUS conformance {rules}{gaps}"
    yield from _finding_lines(broken)


def _finding_lines(findings: Sequence[Finding]) -> Iterator[str]:
    for finding in findings[:DETAIL_LINES]:
        example = f", for example {finding.example}" if finding.example else ""
        yield f"    {finding.name}: {counted(finding.rows, 'row')}{example}"
    if len(findings) > DETAIL_LINES:
        yield f"    {len(findings) - DETAIL_LINES} more"
