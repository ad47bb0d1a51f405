"""Random small bills of a legacy CUR, and the sums that they must give.

Put here: Hypothesis strategies for bills in which commitments are consistent with themselves, and
the rules of docs/cost-bases.md in Python, line by line. Keep out: the pipeline, and comparing with
it (test_properties.py).

A bill is made of groups: single lines of any type, a Savings Plan's hours, a reservation's month.
Groups may appear twice, identically, as AWS's lines may.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from hypothesis import strategies as st

from tests.support.bills import row

Line = dict[str, str]
TYPE, COST, NET, PLAN, RESERVED, PARENT = (
    "lineItem/LineItemType", "lineItem/UnblendedCost", "lineItem/NetUnblendedCost",
    "savingsPlan/SavingsPlanARN", "reservation/ReservationARN", "splitLineItem/ParentResourceId",
)  # fmt: skip
MOVES = "444455556666"
"""The account that belongs to prod until the 15th, and to dev from the 16th on."""
ACCOUNTS = ("111122223333", MOVES, "000000000042")
MONTH = "2026-09"
UNKNOWN = "SomethingNew"
DISCOUNTS = ("EdpDiscount", "PrivateRateDiscount", "BundledDiscount", "RiVolumeDiscount",
             "SppDiscount", "Discount")  # fmt: skip
DESCRIPTION = "lineItem/LineItemDescription"
ZERO = Decimal(0)


def project_of(account: str, day: str) -> str:
    """Which project claims an account on a day, by the declaration of test_properties."""
    moved = account == MOVES and day >= f"{MONTH}-16"
    return "dev" if moved else "prod" if account in (ACCOUNTS[0], MOVES) else "unassigned"


@dataclass
class Bill:
    """Lines of a month, and per commitment what its used and unused parts must cost together."""

    lines: list[Line] = field(default_factory=list)
    commitments: dict[tuple[str, str], Decimal] = field(
        default_factory=lambda: defaultdict(Decimal)
    )

    def add(self, other: Bill) -> None:
        """Another bill's lines and commitments on top."""
        self.lines += other.lines
        for key, owed in other.commitments.items():
            self.commitments[key] += owed


ODD = ("0", "0.000000000000000001", "-0.000000000000000001", "0.1", "1E-7", "-2.5E-10",
       "98765432.123456789012345678", "-0.00000000005", "17")  # fmt: skip
AMOUNT = (
    st.decimals(-5000, 5000, places=2)
    | st.decimals(-10, 10, places=18)
    | st.decimals(-100000, 100000, places=10)
).map("{:f}".format) | st.sampled_from(ODD)
SHARE = st.decimals(0, 50, places=9) | st.decimals(0, 3, places=18) | st.just(ZERO)
QUANTITY = st.decimals(0, 10**6, places=8).map("{:f}".format) | st.sampled_from(
    ("", "0", "1", "744", "0.0000000001")
)
MAYBE = st.just("") | AMOUNT.map(lambda text: text.removeprefix("-"))
WHERE = st.tuples(
    st.sampled_from(ACCOUNTS),
    st.integers(1, 30).map(lambda day: f"{MONTH}-{day:02d}"),
    st.sampled_from(("USD", "USD", "EUR")),
)
Where = tuple[str, str, str]


def _line(kind: str, cost: str, where: Where, **more: str) -> Line:
    account, day, currency = where
    base = {TYPE: kind, "lineItem/CurrencyCode": currency}
    columns = {name.replace("_", "/", 1): value for name, value in more.items()}
    return row(cost, account, day, **base, **columns)


@st.composite
def _single(draw: st.DrawFn) -> Bill:
    """One line of a type that stands alone."""
    kind = draw(st.sampled_from(("Usage", "Usage", "Tax", "Credit", "Refund", "Fee",
                                 "SavingsPlanUpfrontFee", UNKNOWN, *DISCOUNTS)))  # fmt: skip
    code = draw(st.sampled_from(("AmazonEC2", "AmazonS3", "")))
    made = _line(kind, draw(AMOUNT), draw(WHERE), lineItem_UsageAmount=draw(QUANTITY),
                 lineItem_ProductCode=code)  # fmt: skip
    if kind == "Usage":
        made["pricing/publicOnDemandCost"] = draw(MAYBE)
        made["pricing/publicOnDemandRate"] = draw(MAYBE)
        made["lineItem/UnblendedRate"] = draw(MAYBE)
        made[PARENT] = draw(st.sampled_from(("", "", "i-0parent")))
    if kind == "Refund":
        made["bill/BillType"] = draw(st.sampled_from(("Refund", "Anniversary", "")))
        made["lineItem/TaxType"] = draw(st.sampled_from(("", "", "VAT")))
        made[DESCRIPTION] = draw(st.sampled_from(("", "Refund for one-time fee", "Discount")))
    if kind in ("Refund", "Fee"):
        made[RESERVED] = draw(
            st.sampled_from(("", "arn:aws:ec2:eu-west-1:1:reserved-instances/up"))
        )
    if kind == "SavingsPlanUpfrontFee":
        made[PLAN] = "arn:aws:savingsplans::1:savingsplan/up"
    return Bill([made])


@st.composite
def _plan(draw: st.DrawFn) -> Bill:
    """A Savings Plan's hour: its fee, what it covers, negations that cancel, or nearly."""
    arn = f"arn:aws:savingsplans::1:savingsplan/{draw(st.integers(1, 3))}"
    where = draw(WHERE)
    covers = draw(st.lists(st.tuples(WHERE, AMOUNT, SHARE), max_size=4))
    used, idle = sum((share for _, _, share in covers), ZERO), draw(SHARE)
    upfront = draw(st.sampled_from((ZERO, ZERO, used, used + idle)))
    whole = Bill()
    whole.lines.append(_line(
        "SavingsPlanRecurringFee", f"{used + idle - upfront:f}", where,
        savingsPlan_SavingsPlanARN=arn, savingsPlan_UsedCommitment=f"{used:f}",
        savingsPlan_TotalCommitmentToDate=f"{used + idle:f}",
        savingsPlan_AmortizedUpfrontCommitmentForBillingPeriod=f"{upfront:f}",
    ))  # fmt: skip
    whole.commitments[arn, where[2]] += used + idle
    for place, cost, share in covers:
        covered_where = (place[0], place[1], where[2])
        whole.lines.append(_line(
            "SavingsPlanCoveredUsage", cost, covered_where, savingsPlan_SavingsPlanARN=arn,
            savingsPlan_SavingsPlanEffectiveCost=f"{share:f}",
            pricing_publicOnDemandCost=draw(MAYBE), lineItem_UsageAmount=draw(QUANTITY),
        ))  # fmt: skip
        back = draw(st.sampled_from((Decimal(cost), Decimal(cost), Decimal("0.01"), None)))
        if back is not None:
            day = draw(st.sampled_from((place[1], f"{MONTH}-20")))
            negation = _line("SavingsPlanNegation", f"{-back:f}", (place[0], day, where[2]))
            whole.lines.append(negation | {PLAN: arn})
    return whole


@st.composite
def _reservation(draw: st.DrawFn) -> Bill:
    """A reservation's month: its fee with an upfront share, what it covers, what stood idle."""
    arn = f"arn:aws:ec2:us-east-1:1:reserved-instances/{draw(st.integers(1, 3))}"
    where = draw(WHERE)
    covers = draw(st.lists(st.tuples(WHERE, SHARE), max_size=4))
    used = sum((share for _, share in covers), ZERO)
    idle_fee, idle_upfront = draw(SHARE), draw(SHARE)
    owed = used + idle_fee + idle_upfront
    upfront = draw(st.sampled_from((ZERO, idle_upfront, owed)))
    whole = Bill()
    whole.lines.append(_line(
        "RIFee", f"{owed - upfront:f}", where, reservation_ReservationARN=arn,
        reservation_UnusedRecurringFee=f"{idle_fee:f}",
        reservation_UnusedAmortizedUpfrontFeeForBillingPeriod=f"{idle_upfront:f}",
        reservation_AmortizedUpfrontFeeForBillingPeriod=f"{upfront:f}",
        reservation_UnusedQuantity=draw(QUANTITY), reservation_TotalReservedUnits=draw(QUANTITY),
    ))  # fmt: skip
    whole.commitments[arn, where[2]] += owed
    for place, share in covers:
        whole.lines.append(_line(
            "DiscountedUsage", "0", (place[0], place[1], where[2]), reservation_ReservationARN=arn,
            reservation_EffectiveCost=f"{share:f}", lineItem_UsageAmount=draw(QUANTITY),
            pricing_publicOnDemandCost=draw(MAYBE),
        ))  # fmt: skip
    return whole


@st.composite
def bills(draw: st.DrawFn) -> Bill:
    """A bill of some fifty lines, in any order."""
    groups = draw(
        st.lists(_single() | _single() | _plan() | _reservation(), min_size=14, max_size=40)
    )
    again = draw(st.lists(st.sampled_from(groups), max_size=3))
    whole = Bill()
    for group in (*groups, *again):
        whole.add(group)
    # an ingest refuses a month whose charges do not come to the net of its lines
    nets = draw(st.sampled_from((None, AMOUNT, MAYBE)))
    if nets is not None:
        for line in whole.lines:
            line[NET] = draw(nets)
    return Bill(draw(st.permutations(whole.lines)), whole.commitments)


# ---- the sums that a bill must give

Costs = tuple[Decimal, Decimal, Decimal, Decimal]
"""billed, effective, list, contracted"""
COVERED, FEES = ("SavingsPlanCoveredUsage", "SavingsPlanNegation"), (
    "SavingsPlanRecurringFee", "SavingsPlanUpfrontFee", "RIFee")  # fmt: skip


def _amount(line: Line, column: str) -> Decimal | None:
    return Decimal(line[column]) if line.get(column) else None


def unblended(line: Line) -> Decimal:
    """What AWS bills for a line."""
    return Decimal(line[COST])


def unused_cost(line: Line) -> Decimal:
    """The part of a fee's commitment that nothing used."""
    names = {
        "SavingsPlanRecurringFee": (
            ("savingsPlan/TotalCommitmentToDate", 1), ("savingsPlan/UsedCommitment", -1)),
        "RIFee": (("reservation/UnusedRecurringFee", 1),
                  ("reservation/UnusedAmortizedUpfrontFeeForBillingPeriod", 1)),
    }.get(line[TYPE], ())  # fmt: skip
    return sum((sign * (_amount(line, name) or ZERO) for name, sign in names), ZERO)


def costs(line: Line) -> Costs:
    """A line's share of the four bases, its unused part included (docs/cost-bases.md).

    What covered usage and negations leave is the same on all bases: a negation bills its cost, and
    covered usage, what it would have cost, to be cancelled.
    """
    kind, cost = line[TYPE], unblended(line)
    on_demand = _amount(line, "pricing/publicOnDemandCost")
    listed = cost if on_demand is None or line.get(PARENT) else on_demand
    if kind == "SavingsPlanNegation":
        return cost, cost, cost, cost
    if kind == "SavingsPlanCoveredUsage":
        effective = _amount(line, "savingsPlan/SavingsPlanEffectiveCost") or ZERO
        return cost, cost + effective, cost + listed, cost + cost
    if kind == "DiscountedUsage":
        effective = _amount(line, "reservation/EffectiveCost") or ZERO
        priced = effective if on_demand is None else on_demand
        return cost, effective, priced, priced
    is_refund = "one-time fee" in line.get(DESCRIPTION, "") and not line.get("lineItem/TaxType")
    if kind in FEES or (line.get(RESERVED) and (kind == "Fee" or is_refund)):
        return cost, unused_cost(line), cost, cost
    return cost, cost, listed if kind == "Usage" else cost, cost


def by(key: str, lines: Iterable[Line]) -> dict[tuple[str, str], Costs]:
    """Sums of the four bases by project or account, and currency."""
    sums: dict[tuple[str, str], Costs] = {}
    for line in lines:
        account, day = line["lineItem/UsageAccountId"], line["lineItem/UsageStartDate"][:10]
        name = account if key == "account" else project_of(account, day)
        where = (name, line["lineItem/CurrencyCode"])
        before = sums.get(where, (ZERO, ZERO, ZERO, ZERO))
        added = costs(line)
        sums[where] = (before[0] + added[0], before[1] + added[1],
                       before[2] + added[2], before[3] + added[3])  # fmt: skip
    return sums


def kinds(lines: Iterable[Line]) -> dict[str, int]:
    """How many charges of each kind: line, unused, residual."""
    counts = {"line": 0, "unused": 0, "residual": 0}
    gross: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    net: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for line in lines:
        counts["line"] += line[TYPE] != "SavingsPlanNegation"
        counts["unused"] += unused_cost(line) != 0
        if line[TYPE] in COVERED:
            account, day = line["lineItem/UsageAccountId"], line["lineItem/UsageStartDate"][:10]
            place = (project_of(account, day), account, line[PLAN], line["lineItem/CurrencyCode"])
            gross[place] += unblended(line)
            net[place] += _amount(line, NET) or ZERO
    counts["residual"] = sum(1 for place, rest in gross.items() if rest or net[place])
    return counts
