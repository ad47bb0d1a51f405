"""The command that tells the state of months: all of them, or one on one screen.

Put here: `status` and how it looks. Keep out: the states (reconciliation/statuses.py), the verdict
(reconciliation/verdict.py).
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from finops_pipeline.application.installation import Installation
from finops_pipeline.cli.show import Format, cell, open_installation, table, write_csv, write_json
from finops_pipeline.errors import RegistryError, one_line
from finops_pipeline.lake.changed_files import changed_files
from finops_pipeline.marts.evidence import Evidence, Finding, read_evidence
from finops_pipeline.money import plain
from finops_pipeline.reconciliation.comparisons import (
    BASIS_NAMES,
    COUNTERPART_NAMES,
    Comparison,
    ComparisonState,
    CounterpartKind,
)
from finops_pipeline.reconciliation.states import ReconciliationState, Status
from finops_pipeline.reconciliation.verdict import Doubts, MonthOutcome, Verdict, reach_verdict
from finops_pipeline.tenants.months import check_month, shift

WIDTH, LINES = 100, 40
"""One screen."""


def register(app: typer.Typer) -> None:
    """Put this command under `finops`."""
    app.command("status")(status_command)


def status_command(
    tenant: Annotated[str | None, typer.Argument(metavar="TENANT")] = None,
    month: Annotated[
        str | None, typer.Argument(metavar="YYYY-MM", help="One month, on one screen.")
    ] = None,
    format: Annotated[Format, typer.Option(help="table, csv or json.")] = Format.TABLE,
) -> None:
    """Tell for every month whether it reconciles; for one, whether it can be trusted and why."""
    installation = open_installation()
    if tenant is not None and month is not None:
        _one_month(
            _told(installation, installation.registry.tenant(tenant).name, check_month(month)),
            format,
        )
        return
    names = (
        installation.registry.names()
        if tenant is None
        else [installation.registry.tenant(tenant).name]
    )
    rows = [
        {"tenant": name, **asdict(status)} for name in names for status in installation.status(name)
    ]
    if format is Format.TABLE:
        for name in names:
            _status_table(name, [row for row in rows if row["tenant"] == name])
        return
    keys = list(rows[0]) if rows else ["tenant"]
    write = write_json if format is Format.JSON else write_csv
    write(sys.stdout, keys, [[row[key] for key in keys] for row in rows])


def _status_table(tenant: str, rows: list[dict[str, Any]]) -> None:
    """One tenant's months on one screen; what is to be known of a month stands below it."""
    shown = [
        (
            row["source"],
            row["billing_period"],
            row["state"],
            row["rows_kept"],
            row["rows_quarantined"],
            row["source_cost"],
            row["billed_cost"],
            row["effective_cost"],
            row["billing_currency"],
            (row["execution_id"] or row["delivery_id"] or "")[:12],
            (row["landed_at"] or "")[:16].replace("T", " "),
        )
        for row in rows
    ]
    names = ("source", "month", "state", "rows", "quarantined", "files bill", "charges bill",
             "effective", "currency", "delivery", "landed (UTC)")  # fmt: skip
    table(names, shown, tenant)
    for row in rows:
        if row["reason"]:
            typer.echo(f"{row['source']} {row['billing_period']}: {one_line(row['reason'])}")
        if row["drift"]:
            words = f"{row['source']} {row['billing_period']}, columns: {row['drift']}"
            typer.echo(one_line(words))


# ---- one month


@dataclass(frozen=True)
class Told:
    """All that one screen tells."""

    tenant: str
    month: str
    statuses: Sequence[Status]
    comparisons: Sequence[Comparison]
    evidence: Evidence
    verdict: Verdict


def _told(installation: Installation, tenant: str, month: str) -> Told:
    found = installation.reconciled(tenant)
    statuses = [status for status in found.statuses if status.billing_period == month]
    comparisons = [one for one in found.comparisons if one.billing_period == month]
    if not statuses:
        raise RegistryError(
            f"nothing of {month} has landed for tenant {tenant}",
            "a month that finops status lists",
            f"See what is missing: finops gaps {tenant}",
        )
    said = read_evidence(installation.folder(tenant), month)
    doubts = Doubts(
        failed_checks=tuple(one.name for one in said.failed if one.is_doubt),
        harmless_checks=tuple(one.name for one in said.failed if not one.is_doubt),
        are_checked=said.are_all,
        broken_rules=tuple(one.name for one in said.conformance or () if not one.is_export_gap),
        changed_files=tuple(changed_files(installation.folder(tenant), month)),
        refused_sources=tuple(source for source, of in found.refused if of == month),
        absent_sources=tuple(_absent(found.statuses, month)),
    )
    judged = reach_verdict(MonthOutcome(tenant, month, statuses, comparisons), doubts)
    return Told(tenant, month, statuses, comparisons, said, judged)


_NO_BILL = (ReconciliationState.LANDED, ReconciliationState.REFUSED)
"""States of months without charges of their own."""


def _absent(statuses: Sequence[Status], month: str) -> list[str]:
    """Sources of bills that have the month before and nothing of this one."""
    bills = [one for one in statuses if one.state not in _NO_BILL]
    before = {one.source for one in bills if one.billing_period == shift(month, -1)}
    return sorted(before - {one.source for one in statuses if one.billing_period == month})


def _one_month(told: Told, format: Format) -> None:
    if format is Format.JSON:
        write_json(sys.stdout, *_as_one(told))
        return
    if format is not Format.TABLE:
        raise typer.BadParameter("table or json, for one month", param_hint="--format")
    for line in screen(told):
        typer.echo(line)


def _as_one(told: Told) -> tuple[list[str], list[list[Any]]]:
    fields: dict[str, Any] = {
        "tenant": told.tenant,
        "billing_period": told.month,
        "verdict": told.verdict.trust.name.lower(),
        "why": told.verdict.why,
        "todo": list(told.verdict.todo),
        "statuses": [asdict(status) for status in told.statuses],
        "reconciliation": [asdict(one) for one in told.comparisons],
        "checks": told.evidence.checks,
        "failed_checks": [asdict(one) for one in told.evidence.failed],
        "conformance": None
        if told.evidence.conformance is None
        else [asdict(one) for one in told.evidence.conformance],
    }
    return list(fields), [list(fields.values())]


def screen(told: Told) -> list[str]:
    """At most LINES lines of WIDTH signs: the verdict, the evidence, what to do."""
    head = _folded(f"{told.month} of {told.tenant} {told.verdict.trust.value}: {told.verdict.why}.")
    todo = [f"  {line}" for line in told.verdict.todo[:5]]
    tail = ["", "What to do:", *todo] if todo else []
    facts = [*_checks(told.evidence), *_conformance(told.evidence)]
    room = LINES - len(head[:4]) - len(tail) - len(facts) - 1
    body = list(_sources(told))
    folded = [part for line in body for part in _folded(line, 18)]
    body = folded if len(folded) <= room else body
    if len(body) > room:
        left = len(body) - room + 1
        body = [*body[: room - 1], f"… {left} more lines: --format json tells all"]
    return [_fit(line) for line in [*head[:4], "", *body, *facts, *tail]]


def _fit(line: str) -> str:
    shown = cell(line).replace("\n", " ")
    return shown if len(shown) <= WIDTH else f"{shown[: WIDTH - 1]}…"


def _folded(words: str, indent: int = 2) -> list[str]:
    """A line over as many lines as it needs."""
    return textwrap.wrap(words, WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False)


def _sources(told: Told) -> Iterator[str]:
    """Per source and currency: its state, rows, and what it was compared with."""
    bills = [status for status in told.statuses if status.state != ReconciliationState.LANDED]
    for status in bills:
        yield f"{status.source} {status.billing_currency or ''}".rstrip() + f": {status.state}"
        if status.reason:
            yield f"  why             {status.reason}"
        if status.rows_read is not None:
            yield (
                f"  rows            {status.rows_read} read, {status.rows_kept} kept,"
                f" {status.rows_quarantined} in quarantine (all currencies)"
            )
        mine = [
            one
            for one in told.comparisons
            if one.source == status.source
            and one.billing_currency in (None, status.billing_currency)
            and one.cost_basis != "rows"
        ]
        for against in CounterpartKind:
            yield from _against([one for one in mine if one.against == against])


DETAILS = 3
"""Services and accounts of a source that the screen names; the table has all."""


def _against(found: list[Comparison]) -> Iterator[str]:
    for one in (one for one in found if one.is_whole):
        name = COUNTERPART_NAMES[one.against].removeprefix("the ")
        yield f"  {name:<15} {_state(one)}"
    details = [one for one in found if not one.is_whole and one.state != ComparisonState.AGREES]
    for one in details[:DETAILS]:
        cut = " ".join(filter(None, [one.sub_account_id, one.service_name]))
        yield f"    {cut}, {_state(one)}"
    if len(details) > DETAILS:
        yield f"    {len(details) - DETAILS} more in the table reconciliation"


def _state(one: Comparison) -> str:
    whose = f"{one.counterpart}, " if one.counterpart else ""
    basis = BASIS_NAMES.get(one.cost_basis or "", "")
    if one.state == ComparisonState.NOT_CHECKED and one.ours is None:
        return f"{one.state}: {whose}{f'{basis}, ' if basis else ''}{one.note}"
    sums = f"{plain_of(one.ours)} and {plain_of(one.theirs)}"
    off = "" if one.difference == 0 else f", {plain_of(one.difference)} apart"
    agrees = one.state == ComparisonState.AGREES
    note = "" if agrees and one.against == CounterpartKind.FILES else f"; {one.note}"
    return f"{one.state}: {whose}{basis} {sums}{off}{note if one.note else ''}"


def plain_of(amount: Any) -> str:
    """An amount for people; nothing for null."""
    return "" if amount is None else plain(amount)


def _checks(said: Evidence) -> Iterator[str]:
    passed = said.checks - len(said.failed)
    yield (
        f"checks            {passed} of {said.checks} passed"
        if said.checks
        else ("checks            none were run on it as it is published")
    )
    yield from _findings(said.failed)


def _conformance(said: Evidence) -> Iterator[str]:
    if said.conformance is None:
        yield "FOCUS conformance not checked: the file is from before it was (finops ingest)"
        return
    broken = [one for one in said.conformance if not one.is_export_gap]
    known = len(said.conformance) - len(broken)
    gaps = f", known gaps: {known}" if known else ""
    words = f"rules broken: {len(broken)}" if broken else "every rule is kept"
    yield f"FOCUS conformance {words}{gaps}"
    yield from _findings(broken)


def _findings(found: Sequence[Finding]) -> Iterator[str]:
    for one in found[:DETAILS]:
        example = f", for example {one.example}" if one.example else ""
        yield f"    {one.name}: {one.rows} rows{example}"
    if len(found) > DETAILS:
        yield f"    {len(found) - DETAILS} more"
