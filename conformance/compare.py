"""Our sums beside those of two independent conversions of the same bill, difference by difference.

Put here: reading our published tables, and explaining what differs. Keep out: the other two
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
class Line:
    """One sum beside a peer's: over `keys` groups, of which `differing` differ.

    `explanation` says why; `unexplained` is how many groups it does not account for.
    """

    bill: str
    peer: str
    basis: str
    keys: int
    ours: Decimal
    theirs: Decimal
    differing: int
    unexplained: int
    explanation: str


def with_converter(made: Ingested, tenant: str, month: str, theirs: Sums) -> Iterator[Line]:
    """Ours beside focus_converter's per account, product code and day."""
    with reading(made.installation.folder(tenant)) as connection:
        rows = connection.execute(_BY_DAY, [SOURCE, month]).fetchall()
    ours = {row[:3]: row[3:] for row in rows}
    nothing = (ZERO, ZERO, ZERO)
    keys = sorted({*ours, *theirs}, key=str)
    pairs = [(ours.get(key, nothing), theirs.get(key, nothing)) for key in keys]
    bill = f"{made.form} {tenant} {month}"

    net = sum(mine[2] - mine[0] for mine, _ in pairs)
    why = f"it bills net columns where stated: our net billed cost is {-net:.2f} less"
    yield _line(bill, "focus_converter", "billed", [(m[0], t[0], m[2]) for m, t in pairs], why)
    noise = [(m[1], t[1], t[1] if abs(t[1] - m[1]) <= NOISE else m[1]) for m, t in pairs]
    yield _line(
        bill, "focus_converter", "effective", noise, "it computes in doubles, we in decimals"
    )


def with_polars(
    made: Ingested, tenant: str, month: str, theirs: list[dict[str, Any]]
) -> Iterator[Line]:
    """Ours beside the computation in Polars per account and service."""
    with reading(made.installation.folder(tenant)) as connection:
        rows = connection.execute(_BY_SERVICE, [month]).fetchall()
    ours = {row[:2]: row[2:] for row in rows}
    other = {
        (row["account"], row["service"]): (Decimal(row["unblended"]), Decimal(row["amortized"]))
        for row in theirs
    }
    bill = f"{made.form} {tenant} {month}"
    nothing = (ZERO, ZERO)
    keys = sorted({*ours, *other}, key=str)
    for place, basis in enumerate(("billed", "effective")):
        pairs = [(ours.get(k, nothing)[place], other.get(k, nothing)[place]) for k in keys]
        yield _line(bill, "Polars", basis, [(mine, its, mine) for mine, its in pairs], "")


def _line(
    bill: str,
    peer: str,
    basis: str,
    groups: list[tuple[Decimal, Decimal, Decimal]],
    why: str,
) -> Line:
    """Groups of ours, theirs, and what theirs should be by the explanation."""
    differing = sum(mine != its for mine, its, _ in groups)
    return Line(
        bill=bill,
        peer=peer,
        basis=basis,
        keys=len(groups),
        ours=sum((mine for mine, _, _ in groups), ZERO),
        theirs=sum((its for _, its, _ in groups), ZERO),
        differing=differing,
        unexplained=sum(its not in (mine, expected) for mine, its, expected in groups),
        explanation=why if differing else "equal",
    )
