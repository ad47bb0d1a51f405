"""Commands that show the deliveries of a month, their differences, and missing months.

Put here: `history`, `diff`, `gaps` and their layout. Keep out: the data that they show
(application/deliveries.py, application/gaps.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

import typer

from finops_pipeline.application.deliveries import (
    DeliveryHistory,
    SourceMonth,
    compare_versions,
    read_delivery_history,
    report_gaps,
)
from finops_pipeline.application.gaps import Gap
from finops_pipeline.application.installation import Installation
from finops_pipeline.cli.failures import report_failures
from finops_pipeline.cli.show import (
    ExactOption,
    Format,
    complain,
    open_installation,
    refuse_parquet,
    say,
    split,
    table,
    write_records,
)
from finops_pipeline.cli.text_table import Layout
from finops_pipeline.errors import counted
from finops_pipeline.money import difference, plain
from finops_pipeline.reconciliation.delivery_history import (
    BY_HAND,
    Change,
    DeliveryComparison,
    DeliveryVersion,
    short_id,
)
from finops_pipeline.serve.caveats import month_caveat

TABLE_LINES = 100
"""Lines that `diff` shows as a table, the largest differences first; other formats write all."""

SourceMonthArguments = Annotated[
    list[str], typer.Argument(metavar="TENANT/SOURCE MONTH", show_default=False)
]
FormatOption = Annotated[Format, typer.Option(help="table, csv or json.")]


def history_command(
    where: SourceMonthArguments, format: FormatOption = Format.TABLE, exact: ExactOption = False
) -> None:
    """List every delivery of a month: when it landed and what it billed."""
    refuse_parquet(format)
    source_month, installation = _parse_source_month(where), open_installation()
    history = read_delivery_history(installation, source_month)
    if format is Format.TABLE:
        _print_history(source_month, history, exact)
    else:
        write_records(format, DeliveryVersion, history.summaries)
    _print_caveat(installation, source_month)


def _print_history(source_month: SourceMonth, history: DeliveryHistory, is_exact: bool) -> None:
    names = ("landed (UTC)", "id", "AWS's id", "", "rows", "quarantined", "bills", "change",
             "currency")  # fmt: skip
    rows = [
        (
            _minute(row.landed_at),
            row.id,
            row.execution_id[:40],
            row.state,
            row.rows,
            row.rows_quarantined,
            row.billed_cost,
            row.change,
            row.billing_currency,
        )
        for row in history.summaries
    ]
    title = f"{source_month}: what its deliveries bill (unblended), oldest first"
    table(names, rows, layout=Layout(title, is_exact, ("AWS's id", "quarantined")))
    if len(history.deliveries) > 1:
        say(f"To see what the last one changed: finops diff {source_month}")
    else:
        say("It was delivered once; no later delivery has replaced it.")


def diff_command(
    where: SourceMonthArguments,
    before: Annotated[
        str | None,
        typer.Option("--from", metavar="ID", help="Earlier delivery; default: the one before."),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option("--to", metavar="ID", help="Later delivery; default: the published one."),
    ] = None,
    format: FormatOption = Format.TABLE,
    exact: ExactOption = False,
) -> None:
    """Show what a restatement changed, by line item type, service and account.

    `finops history` lists the IDs. The differences add up exactly to the difference between the
    two bills.
    """
    refuse_parquet(format)
    source_month, installation = _parse_source_month(where), open_installation()
    history = read_delivery_history(installation, source_month)
    comparison = compare_versions(history, before, after)
    if comparison is None:
        complain(f"{source_month} has no earlier delivery, so there is nothing to compare")
        if format is not Format.TABLE:
            write_records(format, Change, [])
        return
    if format is Format.TABLE:
        _print_comparison(source_month, comparison, exact)
    else:
        write_records(format, Change, comparison.changes)
        if comparison.note:
            complain(comparison.note)
    _print_caveat(installation, source_month)


def _print_comparison(
    source_month: SourceMonth, comparison: DeliveryComparison, is_exact: bool
) -> None:
    for label, record in (("from", comparison.before), ("to  ", comparison.after)):
        billed = record.billed_by_currency().items()
        sums = ", ".join(f"{plain(cost)} {currency}" for currency, cost in billed) or "nothing"
        say(
            f"{label} {short_id(record)} ({record.execution_id or BY_HAND}), landed"
            f" {_minute(record.landed_at)}: {counted(record.rows_kept, 'row')}, bills {sums}"
        )
    if not comparison.changes:
        say("No line item type, service or account differs.")
        return
    names = ("line item type", "service", "account", "rows before", "rows after", "before",
             "after", "difference", "currency")  # fmt: skip
    rows = [_change_row(change) for change in comparison.changes[:TABLE_LINES]]
    layout = Layout(f"{source_month}: what differs", is_exact, ("rows before", "rows after"))
    table(names, rows, layout=layout)
    if len(comparison.changes) > TABLE_LINES:
        rest = len(comparison.changes) - TABLE_LINES
        say(f"{counted(rest, 'more difference')}; --format csv lists all of them.")
    for line in _conclusions(comparison):
        say(line)


def _change_row(change: Change) -> Sequence[Any]:
    return (
        change.line_item_type,
        change.service,
        change.sub_account_id,
        change.rows_before,
        change.rows_after,
        change.cost_before,
        change.cost_after,
        change.difference,
        change.billing_currency,
    )


def _conclusions(comparison: DeliveryComparison) -> list[str]:
    """Return the total difference per currency (the sum of the lines above), and the note."""
    before = comparison.before.billed_by_currency()
    after = comparison.after.billed_by_currency()
    lines = []
    for currency in sorted(before.keys() | after.keys()):
        changes = [c for c in comparison.changes if c.billing_currency == currency]
        total = difference(after.get(currency, Decimal(0)), before.get(currency, Decimal(0)))
        rows = sum(change.rows_after - change.rows_before for change in changes)
        noun = "row" if abs(rows) == 1 else "rows"
        lines.append(f"Together: {_signed(total)} {currency} and {rows:+} {noun}.")
    return [*lines, f"Note: {comparison.note}."] if comparison.note else lines


def _signed(amount: Decimal) -> str:
    return plain(amount) if amount < 0 else f"+{plain(amount)}"


def _minute(landed_at: str) -> str:
    """Return an ISO time as date, hour and minute."""
    return landed_at[:16].replace("T", " ")


def gaps_command(
    tenant: Annotated[
        str | None, typer.Argument(metavar="TENANT", help="Default: every tenant.")
    ] = None,
    format: FormatOption = Format.TABLE,
    fail: Annotated[
        bool, typer.Option("--fail", help="Exit code 1 when a month is missing (for scripts).")
    ] = False,
) -> None:
    """List the months that are missing, why, and what to do about it."""
    refuse_parquet(format)
    report = report_gaps(open_installation(), tenant)
    if format is not Format.TABLE:
        write_records(format, Gap, report.gaps)
    elif report.gaps:
        rows = [(f"{g.tenant}/{g.source}", g.billing_period or "(all)", g.why) for g in report.gaps]
        table(("source", "month", "why"), rows)
        for line in _reasons(report.gaps):
            say(line)
    elif report.tenants or not report.failures:
        names = ", ".join(report.tenants) or "no tenant is declared"
        say(f"No month is missing ({names}).")
    report_failures(report.failures, format)
    if fail and report.gaps:
        raise typer.Exit(1)


def _reasons(missing: Sequence[Gap]) -> list[str]:
    """Return one line per source and reason, with its months."""
    months: dict[tuple[str, str], list[str]] = {}
    for gap in missing:
        reason = f"{gap.detail.rstrip('.')}. {gap.cure.rstrip('.')}."
        months.setdefault((f"{gap.tenant}/{gap.source}", reason), []).append(gap.billing_period)
    return [
        f"{source}{' ' if any(periods) else ''}{', '.join(periods)}: {reason}"
        for (source, reason), periods in months.items()
    ]


def _parse_source_month(where: list[str]) -> SourceMonth:
    """Parse `TENANT SOURCE MONTH` or `TENANT/SOURCE MONTH`.

    Raises:
        typer.BadParameter: it is neither.
    """
    if len(where) == 2:
        return SourceMonth(*split(where[0], "SOURCE"), where[1])
    if len(where) == 3:
        return SourceMonth(*where)
    raise typer.BadParameter("give TENANT/SOURCE MONTH, such as acme/payer 2026-10")


def _print_caveat(installation: Installation, source_month: SourceMonth) -> None:
    """Print a line when the month is not reconciled."""
    if caveat := month_caveat(
        installation, source_month.tenant, source_month.source, source_month.month
    ):
        complain(caveat)
