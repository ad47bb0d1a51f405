"""Totals of a source-month, computed from the generator's rows while they are made.

Put here: totals, identities, planted anomalies and waste as plain data for truth.json.
Keep out: reading files back, which would repeat a writer's mistakes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from finops_pipeline.synthetic.focus_rows import FocusRow
from finops_pipeline.synthetic.reservations import RESERVATIONS, reservation_arn
from finops_pipeline.synthetic.rows import ZERO, Line
from finops_pipeline.synthetic.spec import UNASSIGNED, Anomaly
from finops_pipeline.synthetic.streams import STREAMS
from finops_pipeline.synthetic.usage import Scene, resource_of


@dataclass(frozen=True, slots=True)
class Entry:
    """The fields of a row that totals need, in any format.

    `kind` is the line item type of a CUR, or the ChargeCategory of a FOCUS export.
    """

    kind: str
    account: str
    start: datetime
    billed: Decimal
    effective: Decimal
    net_billed: Decimal | None = None
    commitment: str = ""
    fee: Decimal = ZERO
    used: Decimal = ZERO
    unused: Decimal = ZERO
    upfront: bool = False


def plain(value: Decimal) -> str:
    """Format a decimal without exponent and trailing zeros."""
    return f"{value.normalize():f}" if value else "0"


def line_entries(lines: Iterable[Line]) -> list[Entry]:
    """Make the entries of a CUR: `kind` is the line item type, billed is the unblended cost."""
    return [
        Entry(
            kind=line.kind,
            account=line.account,
            start=line.start,
            billed=line.cost,
            effective=line.effective,
            net_billed=line.net_cost,
            commitment=line.commitment,
            fee=line.cost if line.is_commitment_fee else ZERO,
            used=line.used,
            unused=line.unused,
            upfront=_has_upfront(line),
        )
        for line in lines
    ]


def focus_entries(lines: Iterable[Line], rows: Iterable[FocusRow]) -> list[Entry]:
    """Make the entries of a FOCUS export: `kind` is the ChargeCategory, billed is BilledCost.

    The lines of the rows show which commitments have an upfront payment.
    """
    upfront = {line.commitment for line in lines if _has_upfront(line)}
    return [_focus_entry(row, upfront) for row in rows]


def _has_upfront(line: Line) -> bool:
    options = ("savings_plan_payment_option", "pricing_purchase_option")
    payment = {line.details.get(option) for option in options}
    return bool(line.commitment) and not payment.isdisjoint({"Partial Upfront", "All Upfront"})


def _focus_entry(row: FocusRow, upfront: set[str]) -> Entry:
    billed, effective, start = row["BilledCost"], row["EffectiveCost"], row["ChargePeriodStart"]
    if not (isinstance(billed, Decimal) and isinstance(effective, Decimal)):
        raise TypeError(f"costs are {billed!r}, {effective!r}, expected Decimals")
    if not isinstance(start, datetime):
        raise TypeError(f"ChargePeriodStart is {start!r}, expected a datetime")
    status = row.get("CommitmentDiscountStatus")
    arn = str(row.get("CommitmentDiscountId") or "")
    return Entry(
        kind=str(row["ChargeCategory"]),
        account=str(row["SubAccountId"]),
        start=start,
        billed=billed,
        effective=effective,
        commitment=arn,
        fee=billed if arn and row["ChargeCategory"] == "Purchase" else ZERO,
        used=effective if status == "Used" else ZERO,
        unused=effective if status == "Unused" else ZERO,
        upfront=arn in upfront,
    )


def month_truth(scene: Scene, entries: Sequence[Entry]) -> dict[str, Any]:
    """Compute the totals of one source-month; amounts are plain decimal text in USD.

    Shape: {"rows", "billed_cost", "effective_cost", ["net_billed_cost"],
    "by_line_item_type": {kind: [rows, billed]}, "by_account": {id: billed},
    "by_project": {name: {"billed_cost", "effective_cost"}},
    "by_commitment": {arn: {"fees", "used", "unused", "upfront"}}}.
    Every project of the source and `unassigned` are listed, even with zero.
    """
    projects = [p.name for p in scene.tenant.projects if scene.source.name in p.sources]
    shares: dict[str, list[Entry]] = {name: [] for name in (*projects, UNASSIGNED)}
    for entry in entries:
        name = scene.tenant.project_of(scene.source.name, entry.account, entry.start)
        shares[name].append(entry)
    kinds = sorted({entry.kind for entry in entries})
    accounts = sorted({entry.account for entry in entries})
    truth: dict[str, Any] = {
        "rows": len(entries),
        "billed_cost": _billed(entries),
        "effective_cost": _effective(entries),
    }
    if scene.source.net_columns:
        net = (entry.net_billed for entry in entries if entry.net_billed is not None)
        truth["net_billed_cost"] = plain(sum(net, ZERO))
    truth |= {
        "by_line_item_type": {
            kind: [
                sum(1 for entry in entries if entry.kind == kind),
                _billed(entry for entry in entries if entry.kind == kind),
            ]
            for kind in kinds
        },
        "by_account": {
            account: _billed(entry for entry in entries if entry.account == account)
            for account in accounts
        },
        "by_project": {
            name: {"billed_cost": _billed(share), "effective_cost": _effective(share)}
            for name, share in shares.items()
        },
        "by_commitment": _by_commitment(entries),
    }
    return truth


def _by_commitment(entries: Sequence[Entry]) -> dict[str, dict[str, Any]]:
    by_arn: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.commitment:
            by_arn.setdefault(entry.commitment, []).append(entry)
    return {
        arn: {
            "fees": plain(sum((e.fee for e in by_arn[arn]), ZERO)),
            "used": plain(sum((e.used for e in by_arn[arn]), ZERO)),
            "unused": plain(sum((e.unused for e in by_arn[arn]), ZERO)),
            "upfront": any(e.upfront for e in by_arn[arn]),
        }
        for arn in sorted(by_arn)
    }


def anomaly_truth(scene: Scene, spike: Anomaly, lines: Sequence[Line]) -> dict[str, Any]:
    """Describe a planted spike, and the account's costs of the service on every metered day."""
    stream = next(stream for stream in STREAMS if stream.name == spike.stream)
    account = scene.source.accounts[stream.role]
    days: dict[str, Decimal] = {}
    for line in lines:
        if line.account == account and line.product is stream.product and line.kind == "Usage":
            day = line.start.date().isoformat()
            days[day] = days.get(day, ZERO) + line.cost
    dates = [f"{scene.period.month}-{day:02d}" for day in spike.days]
    usual = sorted(cost for day, cost in days.items() if day not in dates)
    return {
        "source": spike.source,
        "account": account,
        "service": stream.product.name,
        "service_code": stream.product.code,
        "region": scene.region(stream.place),
        "resource_id": resource_of(scene, stream),
        "month": scene.period.month,
        "days": dates,
        "factor": spike.factor,
        "usual_daily_cost": plain(usual[len(usual) // 2] if usual else ZERO),
        "daily_cost": {day: plain(days[day]) for day in sorted(days)},
    }


@dataclass(frozen=True, slots=True)
class _Waste:
    """A resource or commitment that costs money in the month without being used."""

    kind: str
    account: str
    region: str
    resource_id: str
    cost: Decimal


def waste_truth(scene: Scene, lines: Sequence[Line]) -> list[dict[str, Any]]:
    """List planted waste of the month: idle instances, unattached volumes, an unused commitment."""
    return [
        {
            "kind": waste.kind,
            "source": scene.source.name,
            "month": scene.period.month,
            "account": waste.account,
            "region": waste.region,
            "resource_id": waste.resource_id,
            "cost": plain(waste.cost),
        }
        for waste in (*_wasted_resources(scene, lines), *_unused_commitments(scene, lines))
    ]


def _wasted_resources(scene: Scene, lines: Sequence[Line]) -> Iterator[_Waste]:
    for stream in STREAMS:
        if stream.waste and stream.role in scene.source.accounts:
            account, region = scene.source.accounts[stream.role], scene.region(stream.place)
            resource = resource_of(scene, stream)
            cost = sum((line.cost for line in lines if line.resource_id == resource), ZERO)
            if cost:
                yield _Waste(stream.waste, account, region, resource, cost)


def _unused_commitments(scene: Scene, lines: Sequence[Line]) -> Iterator[_Waste]:
    for item in RESERVATIONS:
        if item.waste and item.name in scene.source.commitments:
            arn = reservation_arn(scene, item)
            for line in lines:
                if line.commitment == arn and line.unused:
                    yield _Waste("unused commitment", line.account, line.region, arn, line.unused)


def _billed(entries: Iterable[Entry]) -> str:
    return plain(sum((entry.billed for entry in entries), ZERO))


def _effective(entries: Iterable[Entry]) -> str:
    return plain(sum((entry.effective for entry in entries), ZERO))
