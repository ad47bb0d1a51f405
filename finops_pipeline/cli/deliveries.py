"""Commands that tell how a month came to be what it is, and what is missing.

Put here: `history`, `diff`, `gaps`. Keep out: what they tell
(reconciliation/delivery_history.py, application/gaps.py).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import astuple, fields
from decimal import Decimal
from typing import Annotated, Any

import typer

from finops_pipeline.application.gaps import Gap, list_gaps
from finops_pipeline.cli.show import (
    Format,
    complain,
    open_installation,
    split,
    table,
    write_csv,
    write_json,
)
from finops_pipeline.lake.publish import settle
from finops_pipeline.ledger.ledger import DeliveryRecord, Ledger
from finops_pipeline.money import difference, plain
from finops_pipeline.reconciliation.delivery_history import (
    BY_HAND,
    Change,
    DeliveryComparison,
    DeliveryVersion,
    choose_delivery,
    compare_deliveries,
    list_deliveries,
    list_versions,
    short_id,
)
from finops_pipeline.serve.caveats import month_caveat
from finops_pipeline.tenants.months import check_month

SHOWN_LINES = 100
"""Lines that `diff` shows as a table, the largest differences first; other forms give all."""

Where = Annotated[list[str], typer.Argument(metavar="TENANT/SOURCE MONTH", show_default=False)]
How = Annotated[Format, typer.Option(help="table, csv or json.")]


def register(app: typer.Typer) -> None:
    """Put these commands under `finops`."""
    app.command("history")(history_command)
    app.command("diff")(diff_command)
    app.command("gaps")(gaps_command)


def history_command(where: Where, format: How = Format.TABLE) -> None:
    """Tell every delivery of a month: what was believed of it, and since when."""
    what, month, records = _month(where)
    rows = list_versions(records)
    if format is not Format.TABLE:
        _write(format, DeliveryVersion, rows)
        _tell(what, month)
        return
    names = ("landed (UTC)", "id", "AWS's id", "", "rows", "quarantined", "bills", "change",
             "currency")  # fmt: skip
    shown = [
        (
            row.landed_at[:16].replace("T", " "),
            row.id,
            row.execution_id[:40],
            row.state,
            row.rows,
            row.rows_quarantined,
            row.billed_cost,
            row.change,
            row.billing_currency,
        )
        for row in rows
    ]
    table(names, shown, f"{what} {month}: what its deliveries bill (unblended), oldest first")
    if len(records) > 1:
        typer.echo(f"What changed at the last one: finops diff {what} {month}")
    else:
        typer.echo("It was delivered once; no delivery of it was superseded.")
    _tell(what, month)


def diff_command(
    where: Where,
    before: Annotated[
        str | None, typer.Option("--from", metavar="ID", help="Default: the one before.")
    ] = None,
    after: Annotated[
        str | None, typer.Option("--to", metavar="ID", help="Default: the published one.")
    ] = None,
    format: How = Format.TABLE,
) -> None:
    """Tell what a restatement changed, by line item type, service and account.

    IDs are those of `finops history`. The differences add up to that of the two bills, exactly.
    """
    what, month, records = _month(where)
    newer = choose_delivery(records, after) if after is not None else records[-1]
    older = choose_delivery(records, before) if before is not None else _before(records, newer)
    if older is None:
        complain(f"{what} {month} has no delivery before {short_id(newer)}: nothing to compare")
        if format is not Format.TABLE:
            _write(format, Change, [])
        return
    found = compare_deliveries(older, newer)
    if format is Format.TABLE:
        _show(what, month, found)
    else:
        _write(format, Change, found.changes)
        if found.note:
            complain(found.note)
    _tell(what, month)


def _before(records: list[DeliveryRecord], newer: DeliveryRecord) -> DeliveryRecord | None:
    position = records.index(newer)
    return records[position - 1] if position else None


def _show(what: str, month: str, found: DeliveryComparison) -> None:
    for word, record in (("from", found.before), ("to  ", found.after)):
        billed = record.billed_by_currency().items()
        sums = ", ".join(f"{plain(cost)} {currency}" for currency, cost in billed) or "nothing"
        typer.echo(
            f"{word} {short_id(record)} ({record.execution_id or BY_HAND}), landed"
            f" {record.landed_at[:16].replace('T', ' ')}: {record.rows_kept} rows, bills {sums}"
        )
    if not found.changes:
        typer.echo("No line item type, service or account differs.")
        return
    names = ("line item type", "service", "account", "rows before", "rows after", "before",
             "after", "difference", "currency")  # fmt: skip
    rows: list[Sequence[Any]] = [
        (
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
        for change in found.changes[:SHOWN_LINES]
    ]
    table(names, rows, f"{what} {month}: what differs")
    if len(found.changes) > SHOWN_LINES:
        typer.echo(f"{len(found.changes) - SHOWN_LINES} more lines differ; --format csv gives all.")
    for line in _conclusions(found):
        typer.echo(line)


def _conclusions(found: DeliveryComparison) -> list[str]:
    """The whole difference per currency, which is that of the lines above, and what to know."""
    was, now = found.before.billed_by_currency(), found.after.billed_by_currency()
    lines = []
    for currency in sorted(was.keys() | now.keys()):
        mine = [c for c in found.changes if c.billing_currency == currency]
        off = difference(now.get(currency, Decimal(0)), was.get(currency, Decimal(0)))
        rows = sum(c.rows_after - c.rows_before for c in mine)
        lines.append(f"Together: {_signed(off)} {currency} and {rows:+} rows.")
    return [*lines, f"Note: {found.note}."] if found.note else lines


def _signed(amount: Decimal) -> str:
    return plain(amount) if amount < 0 else f"+{plain(amount)}"


def gaps_command(
    tenant: Annotated[
        str | None, typer.Argument(metavar="TENANT", help="Nothing: every tenant.")
    ] = None,
    format: How = Format.TABLE,
    fail: Annotated[
        bool, typer.Option("--fail", help="Exit code 1 when there is a gap (for scripts).")
    ] = False,
) -> None:
    """Tell which months are missing between the first known one and now, why, and the cure."""
    installation = open_installation()
    chosen = (
        [installation.registry.tenant(tenant)]
        if tenant is not None
        else installation.registry.tenants()
    )
    found = [gap for one in chosen for gap in list_gaps(installation, one)]
    if format is not Format.TABLE:
        _write(format, Gap, found)
    elif not found:
        names = ", ".join(one.name for one in chosen) or "no tenant is declared"
        typer.echo(f"No month is missing ({names}).")
    else:
        shown = [(f"{g.tenant}/{g.source}", g.billing_period or "(all)", g.why) for g in found]
        table(("source", "month", "why"), shown)
        for line in _reasons(found):
            typer.echo(line)
    if fail and found:
        raise typer.Exit(1)


def _reasons(found: list[Gap]) -> list[str]:
    """A line per source and reason, with its months: ten missing months are one piece of news."""
    months: dict[tuple[str, str], list[str]] = {}
    for gap in found:
        words = f"{gap.detail.rstrip('.')}. {gap.cure.rstrip('.')}."
        key = (f"{gap.tenant}/{gap.source}", words)
        months.setdefault(key, []).append(gap.billing_period)
    return [
        f"{name}{' ' if any(of) else ''}{', '.join(of)}: {words}"
        for (name, words), of in months.items()
    ]


def _month(where: list[str]) -> tuple[str, str, list[DeliveryRecord]]:
    """`TENANT SOURCE MONTH` or `TENANT/SOURCE MONTH` -> `tenant/source`, month, deliveries."""
    if len(where) == 2:
        tenant_name, name = split(where[0], "SOURCE")
    elif len(where) == 3:
        tenant_name, name = where[0], where[1]
    else:
        raise typer.BadParameter("give TENANT/SOURCE MONTH, such as acme/payer 2026-10")
    month = check_month(where[-1])
    installation = open_installation()
    tenant = installation.registry.tenant(tenant_name)
    source = tenant.source(name)
    folder = installation.folder(tenant.name)
    settle(folder)
    ledger = Ledger(folder.ledger)
    return (
        f"{tenant.name}/{source.name}",
        month,
        list_deliveries(ledger, tenant.name, source.name, month),
    )


def _tell(what: str, month: str) -> None:
    """Say so when the month that was asked about is not reconciled."""
    tenant, source = split(what, "SOURCE")
    if line := month_caveat(open_installation(), tenant, source, month):
        complain(line)


def _write(format: Format, kind: type[Any], rows: Sequence[Any]) -> None:
    if format is Format.PARQUET:
        raise typer.BadParameter("parquet is a form of finops query; give table, csv or json")
    write = write_json if format is Format.JSON else write_csv
    write(sys.stdout, [field.name for field in fields(kind)], [astuple(row) for row in rows])
