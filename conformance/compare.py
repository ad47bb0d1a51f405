"""Our sums beside those of two independent conversions of the same bill, difference by difference.

Put here: reading our published tables, and explaining differences. Keep out: the other two
computations (converter.py, amortized.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from conformance.bills import SOURCE, Ingested
from conformance.converter import Sums
from finops_pipeline.lake.warehouse import reading

NOISE = Decimal("1e-9")
"""The peer computes effective cost in doubles; per key of some tens of charges no more is lost."""

ZERO = Decimal(0)

_BY_DAY = """
select
    SubAccountId, x_ServiceCode, cast(cast(ChargePeriodStart as date) as varchar),
    sum(BilledCost), sum(EffectiveCost),
    sum(case when x_LineItemType = 'SavingsPlanCoveredUsage' then 0
        else coalesce(x_NetUnblendedCost, BilledCost) end)
from costs where x_Source = ? and billing_period = ? group by all
"""

_BY_SERVICE = """
select sub_account_id, service_name, sum(billed_cost), sum(effective_cost)
from monthly_costs where billing_period = ? group by all
"""


@dataclass(frozen=True)
class Comparison:
    """Our total beside a peer's: over `keys` groups, of which `differing` differ.

    `explanation` gives the reason; `unexplained` is the number of groups that it does not explain.
    """

    bill: str
    peer: str
    basis: str
    keys: int
    our_total: Decimal
    peer_total: Decimal
    differing: int
    unexplained: int
    explanation: str


@dataclass(frozen=True)
class Subject:
    """What is compared: a bill, with which peer, on which cost basis."""

    bill: str
    peer: str
    basis: str


@dataclass(frozen=True)
class Group:
    """The sums of one group: ours, the peer's, and the peer's as the explanation predicts it."""

    our: Decimal
    peer: Decimal
    expected: Decimal


def compare_with_converter(
    made: Ingested, tenant: str, month: str, peer_sums: Sums
) -> Iterator[Comparison]:
    """Compare ours with focus_converter's sums per account, product code and day."""
    with reading(made.installation.folder(tenant)) as connection:
        rows = connection.execute(_BY_DAY, [SOURCE, month]).fetchall()
    ours = {row[:3]: row[3:] for row in rows}
    zeros = (ZERO, ZERO, ZERO)
    keys = sorted({*ours, *peer_sums}, key=str)
    pairs = [(ours.get(key, zeros), peer_sums.get(key, zeros)) for key in keys]
    bill = f"{made.form} {tenant} {month}"

    discount = sum(our[0] - our[2] for our, _ in pairs)
    why = f"it bills net columns where stated: our net billed cost is {discount:.2f} less"
    billed = [Group(our[0], peer[0], our[2]) for our, peer in pairs]
    yield _compare(Subject(bill, "focus_converter", "billed"), billed, why)
    effective = [Group(our[1], peer[1], _within_noise(our[1], peer[1])) for our, peer in pairs]
    why = "it computes in doubles, we in decimals"
    yield _compare(Subject(bill, "focus_converter", "effective"), effective, why)


def _within_noise(our: Decimal, peer: Decimal) -> Decimal:
    """What the peer should get: its own number as long as only noise separates it from ours."""
    return peer if abs(peer - our) <= NOISE else our


def compare_with_polars(
    made: Ingested, tenant: str, month: str, peer_rows: list[dict[str, Any]]
) -> Iterator[Comparison]:
    """Compare ours with the computation in Polars per account and service."""
    with reading(made.installation.folder(tenant)) as connection:
        rows = connection.execute(_BY_SERVICE, [month]).fetchall()
    ours = {row[:2]: row[2:] for row in rows}
    peer_sums = {
        (row["account"], row["service"]): (Decimal(row["unblended"]), Decimal(row["amortized"]))
        for row in peer_rows
    }
    bill = f"{made.form} {tenant} {month}"
    zeros = (ZERO, ZERO)
    keys = sorted({*ours, *peer_sums}, key=str)
    for place, basis in enumerate(("billed", "effective")):
        pairs = [(ours.get(key, zeros)[place], peer_sums.get(key, zeros)[place]) for key in keys]
        groups = [Group(our, peer, expected=our) for our, peer in pairs]
        yield _compare(Subject(bill, "Polars", basis), groups, "")


def _compare(subject: Subject, groups: list[Group], why: str) -> Comparison:
    """Add up the groups, and count those that differ and those that `why` does not explain."""
    differing = sum(group.our != group.peer for group in groups)
    return Comparison(
        bill=subject.bill,
        peer=subject.peer,
        basis=subject.basis,
        keys=len(groups),
        our_total=sum((group.our for group in groups), ZERO),
        peer_total=sum((group.peer for group in groups), ZERO),
        differing=differing,
        unexplained=sum(group.peer not in (group.our, group.expected) for group in groups),
        explanation=why if differing else "equal",
    )
