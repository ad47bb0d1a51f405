"""Lists of months for people: one line per tenant, or one line per month of a tenant.

Put here: both lists, and the notes below the second. Keep out: the state of a single month
(status.py), how a state is computed (reconciliation).
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from finops_pipeline.application.month_status import TenantStatus
from finops_pipeline.cli.show import say, table
from finops_pipeline.cli.text_table import Layout, screen_width
from finops_pipeline.errors import counted, one_line
from finops_pipeline.lake.collection import Space
from finops_pipeline.reconciliation.states import ReconciliationState, Status

_FINE = (ReconciliationState.RECONCILED, ReconciliationState.OPEN, ReconciliationState.LANDED)
_COMMON_MONTHS = 3
"""A note that stands on fewer months is shown at each of them."""


def print_tenants(tenants: Sequence[TenantStatus]) -> None:
    """Print one line per tenant, and how to see a tenant's months."""
    readable = [tenant for tenant in tenants if tenant.failure is None]
    if not readable:
        if not tenants:
            say("No tenant is declared. Declare tenants: finops apply FILE")
        return
    names = ("tenant", "sources", "months", "states", "latest month", "landed (UTC)", "size")
    table(names, [_tenant_row(t) for t in readable], layout=Layout(dispensable=("size", "sources")))
    for note in (note for tenant in readable for note in tenant.notes):
        say(note)
    unsettled = [t for t in readable if any(s.state not in _FINE for s in t.statuses)]
    say(f"To see the months of a tenant: finops status {(unsettled or readable)[0].tenant}")


def _tenant_row(tenant: TenantStatus) -> Sequence[Any]:
    states = Counter(status.state for status in tenant.statuses)
    # What needs attention comes first.
    order = sorted(states, key=lambda state: (state in _FINE, -states[state]))
    return (
        tenant.tenant,
        len({status.source for status in tenant.statuses}),
        len({status.billing_period for status in tenant.statuses}),
        ", ".join(f"{states[state]} {state}" for state in order) or "nothing has landed",
        max((status.billing_period for status in tenant.statuses), default=None),
        _minute(max((status.landed_at or "" for status in tenant.statuses), default="")),
        _size(tenant.space.current_bytes) if tenant.space else None,
    )


def print_months(tenant: TenantStatus, is_exact: bool) -> None:
    """Print one tenant's months, then what there is to know about some of them."""
    statuses = tenant.statuses
    names = ("source", "month", "state", "rows", "quarantined", "files bill", "charges bill",
             "effective", "currency", "delivery", "landed (UTC)")  # fmt: skip
    empty = f"Nothing has landed. Ingest what AWS has delivered: finops ingest {tenant.tenant}"
    layout = Layout(tenant.tenant, is_exact, _dispensable(statuses), empty)
    table(names, [_month_row(status) for status in statuses], layout=layout)
    for line in note_lines(statuses):
        wrapped = textwrap.wrap(
            one_line(line), screen_width(), subsequent_indent="  ",
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
        say("\n".join(wrapped))
    for note in tenant.notes:
        say(note)
    if tenant.space is not None and tenant.space.current_bytes:
        say(_space_line(tenant.space))


def _dispensable(statuses: Sequence[Status]) -> tuple[str, ...]:
    """Return the columns that a narrow screen leaves out, those that say nothing first."""
    has_quarantine = any(status.rows_quarantined for status in statuses)
    is_equal = all(status.source_cost == status.billed_cost for status in statuses)
    columns = ["delivery"]
    columns += [] if has_quarantine else ["quarantined"]
    columns += ["files bill"] if is_equal else []
    return (*columns, "landed (UTC)", "rows", "effective")


def _month_row(status: Status) -> Sequence[Any]:
    return (
        status.source,
        status.billing_period,
        status.state,
        status.rows_kept,
        status.rows_quarantined,
        status.source_cost,
        status.billed_cost,
        status.effective_cost,
        status.billing_currency,
        (status.execution_id or status.delivery_id or "")[:12],
        _minute(status.landed_at or ""),
    )


def _minute(time: str) -> str:
    return time[:16].replace("T", " ")


def _space_line(space: Space) -> str:
    superseded = counted(space.superseded_files, "superseded file")
    kept = f"{superseded} kept for open connections"
    aside = f", {_size(space.set_aside_bytes)} set aside" if space.set_aside_bytes else ""
    return f"space: {_size(space.current_bytes)}, {_size(space.superseded_bytes)} in {kept}{aside}"


def _size(count: int) -> str:
    return f"{Decimal(count) / 1_000_000:.1f} MB"


# ---- notes


@dataclass(frozen=True)
class _Note:
    """One thing to know about a month; `kind` is the same for notes that differ in numbers only."""

    status: Status
    text: str
    kind: str


def note_lines(statuses: Sequence[Status]) -> list[str]:
    """Return what there is to know about months: the particular first, at their month.

    A note that stands on nearly every month of a source is stated once at the end, so that it does
    not hide the others. A month that needs attention shares a line with others only if the whole
    text is the same.
    """
    of_kind: dict[tuple[str, str], list[_Note]] = defaultdict(list)
    for note in (note for status in statuses for note in _notes(status)):
        of_kind[note.status.source, note.kind].append(note)
    months = Counter(source for source, _ in {(s.source, s.billing_period) for s in statuses})
    common = {
        key: notes
        for key, notes in of_kind.items()
        if len(notes) >= _COMMON_MONTHS and 4 * len(notes) >= 3 * months[key[0]]
    }
    particular: dict[tuple[str, str], list[str]] = {}
    for key, notes in of_kind.items():
        for note in notes if key not in common else ():
            place = (note.status.source, note.status.billing_period)
            particular.setdefault(place, []).append(note.text)
    lines = [
        f"{source} {month}: {'; '.join(texts)}"
        for (source, month), texts in sorted(particular.items())
    ]
    return lines + [
        _common_line(source, notes, months[source]) for (source, _), notes in common.items()
    ]


def _notes(status: Status) -> list[_Note]:
    is_fine = status.state in _FINE
    parts = (status.reason or "").split("; ") if is_fine else [status.reason or ""]
    parts += [f"columns: {status.drift}"] if status.drift else []
    return [
        _Note(status, part, re.sub(r"\d[\d.,:-]*", "#", part) if is_fine else part)
        for part in parts
        if part
    ]


def _common_line(source: str, notes: Sequence[_Note], months: int) -> str:
    last = notes[-1]
    count = f"{len(notes)} of {counted(months, 'month')}"
    is_same = len({note.text for note in notes}) == 1
    return (
        f"{source}, {count}{'' if is_same else f', in {last.status.billing_period}'}: {last.text}"
    )
