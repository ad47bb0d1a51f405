"""Findings of waste, computed once more from the lines of small random bills, by Polars.

Put here: random usage, and the rules of the bill that it concerns, without SQL. Keep out: the mart
recent_usage (second_opinion_recent_usage.py), what is compared (test_waste_second_opinion.py).
"""

from __future__ import annotations

import random
from calendar import monthrange
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from tests.support.waste_bills import ACCOUNT, DEV, OTHER, Use

RESOURCE = ["account", "service", "resource"]
ZERO = Decimal(0)
_EC2 = {
    "NatGateway-Hours": ("Hrs", "0.045"),
    "NatGateway-Bytes": ("GB", "0.045"),
    "EBS:VolumeUsage.gp2": ("GB-Mo", "0.1"),
    "BoxUsage:m5.large": ("Hrs", "0.096"),
    "BoxUsage:c5.large": ("Hrs", "0.085"),
    "UnusedBox:m5.large": ("Hrs", "0.096"),
    "EBS:FastSnapshotRestore": ("Hrs", "0.75"),
    "ElasticIP:IdleAddress": ("Hrs", "0.005"),
}
_S3 = {
    "TimedStorage-ByteHrs": ("GB-Mo", "0.023"),
    "TimedStorage-SIA-ByteHrs": ("GB-Mo", "0.0125"),
    "TimedStorage-GlacierByteHrs": ("GB-Mo", "0.0036"),
    "TimedStorage-RRS-ByteHrs": ("GB-Mo", "0.024"),
    "Requests-Tier1": ("Requests", "0.000005"),
    "Requests-Tier2": ("Requests", "0.0000004"),
}
_OTHERS = {
    "AWSELB": {"LoadBalancerUsage": ("Hrs", "0.0225"), "LCUUsage": ("LCU-Hrs", "0.008")},
    "AmazonKinesis": {
        "Storage-ShardHour": ("Hrs", "0.015"),
        "PutRequestPayloadUnits": ("PutRequest", "0.000000014"),
    },
}
METERS = {"AmazonEC2": _EC2, "AmazonS3": _S3, **_OTHERS}
"""Service -> usage type -> its unit and list price."""

_AMOUNTS = {
    "Hrs": ("1", "11", "12", "23", "24"),
    "GB": ("0.01", "0.05", "9"),
    "GB-Mo": ("0.4", "3.5", "5.6", "5.8", "60"),
    "Requests": ("2", "3", "4", "500"),
}

PROJECTS = {ACCOUNT: "shop", DEV: "lab", OTHER: "unassigned"}


def random_usage(rng: random.Random) -> list[Use]:
    """Make the usage of some resources, which share ids, accounts, days and services."""
    last = date(2026, 9, rng.randint(20, 30))
    first = last - timedelta(40)
    # an instance in use, so that the bill has all of its days
    uses = [Use("i-base", "AmazonEC2", "BoxUsage:m6g.large", "20", "0.077", listed="0.077",
                operation="RunInstances", first=first, last=last)]  # fmt: skip
    for number in range(45):
        service = rng.choice(["AmazonEC2", "AmazonEC2", "AmazonS3", "AWSELB", "AmazonKinesis"])
        account = rng.choice([ACCOUNT, ACCOUNT, DEV, OTHER])
        rate = Decimal(rng.choice(["1", "1", "0.9", "0.5"]))
        begun = first + timedelta(rng.choice([0, 0, 0, 0, 9, 10, 11, 12, 20]))
        ended = last - timedelta(rng.choice([0, 0, 0, 0, 1, 2, 3, 9]))
        meters = METERS[service]
        for meter in rng.sample(sorted(meters), k=min(rng.randint(1, 3), len(meters))):
            unit, listed = meters[meter]
            price = f"{Decimal(listed) * rate:f}"
            uses.append(
                Use(f"r-{number % 35}", service, meter, rng.choice(_AMOUNTS.get(unit, ("1", "9"))),
                    price, unit=unit, listed=listed, account=account, first=begun, last=ended,
                    operation="RunInstances" if meter.startswith("BoxUsage") else "",
                    kind=rng.choice(["Usage"] * 9 + ["Credit"]))
            )  # fmt: skip
    return uses


@dataclass(frozen=True)
class Resource:
    """What a resource used and cost in the 30 days, by meter."""

    account: str
    amounts: Mapping[str, Decimal]
    costs: Mapping[str, Decimal]
    listed: Mapping[str, Decimal]
    days: Mapping[str, int]
    month_days: int

    def amount(self, *meters: str) -> Decimal:
        """The usage of some meters."""
        return sum((self.amounts.get(meter, ZERO) for meter in meters), ZERO)

    def cost(self, *meters: str) -> Decimal:
        """The cost of some meters."""
        return sum((self.costs.get(meter, ZERO) for meter in meters), ZERO)

    def at_price(self, meter: str, new_cost: Decimal) -> Decimal | None:
        """What is saved if the meter cost that at list prices; None: nothing."""
        listed, cost = self.listed.get(meter, ZERO), self.cost(meter)
        if listed <= 0 or cost <= 0 or new_cost >= listed:
            return None
        return cost * (listed - new_cost) / listed


Saving = tuple[Decimal, Decimal | None]
"""A finding's cost, and what it saves; None: nobody knows."""
Rule = Callable[[Resource], Saving | None]


def _idle(meters: tuple[str, ...], traffic: str, limit: str) -> Rule:
    def judge(it: Resource) -> Saving | None:
        is_idle = it.amount(meters[0]) > 336 and it.amount(traffic) < Decimal(limit)
        return (it.cost(*meters), it.cost(*meters)) if is_idle else None

    return judge


def _more_than(meter: str, hours: int) -> Rule:
    def judge(it: Resource) -> Saving | None:
        cost = it.cost(meter)
        return (cost, cost) if it.amount(meter) > hours and cost > 0 else None

    return judge


def _other_class(meter: str, price: str, allowed: Callable[[Resource], bool]) -> Rule:
    def judge(it: Resource) -> Saving | None:
        saving = it.at_price(meter, it.amount(meter) * Decimal(price))
        return (it.cost(meter), saving) if saving and allowed(it) else None

    return judge


def _graviton(it: Resource) -> Saving | None:
    """Sizes are judged apart; the one that costs more is the finding."""
    pairs = (("BoxUsage:m5.large", "0.077"), ("BoxUsage:c5.large", "0.068"))
    judged = [(it.cost(m), it.at_price(m, it.amount(m) * Decimal(p))) for m, p in pairs]
    return max(((cost, saving) for cost, saving in judged if saving), default=None)


def _night(it: Resource) -> Saving | None:
    meters = [meter for meter in it.amounts if meter.startswith("BoxUsage")]
    if PROJECTS[it.account] != "lab" or it.amount(*meters) < 684 or it.cost(*meters) <= 0:
        return None
    return it.cost(*meters), it.cost(*meters) * 108 / 168


def _gp3(it: Resource) -> Saving | None:
    meter = "EBS:VolumeUsage.gp2"
    if meter not in it.amounts:
        return None
    size = it.amount(meter) * it.month_days // it.days[meter]
    iops = max(min(3 * size, 16000) - 3000, 0)
    speed = 3 if size <= 170 else 125
    bought = (iops * Decimal("0.005") + speed * Decimal("0.04")) * it.days[meter] / it.month_days
    saving = it.at_price(meter, it.amount(meter) * Decimal("0.08") + bought)
    return (it.cost(meter), saving) if saving else None


def _forgotten(it: Resource) -> Saving | None:
    stores = [meter for meter in it.amounts if meter.startswith("TimedStorage")]
    quiet = it.amount("Requests-Tier1") < 100 and it.amount("Requests-Tier2") < 2000
    return (it.cost(*stores), None) if it.cost(*stores) > 1 and quiet else None


RULES: dict[str, tuple[str, str, Rule]] = {
    "A01": ("AmazonEC2", "all",
            _idle(("NatGateway-Hours", "NatGateway-Bytes"), "NatGateway-Bytes", "1")),
    "A02": ("AWSELB", "all", _idle(("LoadBalancerUsage", "LCUUsage"), "LCUUsage", "0.000001")),
    "A05": ("AmazonEC2", "all", _more_than("ElasticIP:IdleAddress", 0)),
    "A08": ("AmazonEC2", "storage", _gp3),
    "A12": ("AmazonEC2", "compute", _graviton),
    "A16": ("AmazonEC2", "compute", _night),
    "A17": ("AmazonS3", "storage", _other_class("TimedStorage-ByteHrs", "0.0125",
                                                lambda it: it.amount("Requests-Tier2") <= 100)),
    "A18": ("AmazonS3", "storage", _forgotten),
    "A20": ("AmazonS3", "archive",
            _other_class("TimedStorage-GlacierByteHrs", "0.00099", lambda it: True)),
    "A21": ("AmazonS3", "infrequent",
            _other_class("TimedStorage-SIA-ByteHrs", "0.004", lambda it: True)),
    "A26": ("AmazonEC2", "compute", _more_than("UnusedBox:m5.large", 336)),
    "A27": ("AmazonKinesis", "all",
            _idle(("Storage-ShardHour", "PutRequestPayloadUnits"), "PutRequestPayloadUnits",
                  "0.000001")),
    "A31": ("AmazonEC2", "restore", _more_than("EBS:FastSnapshotRestore", 336)),
    "A32": ("AmazonS3", "storage",
            _other_class("TimedStorage-RRS-ByteHrs", "0.023", lambda it: True)),
}  # fmt: skip
"""Rule -> its service, the part of a resource that it is about, and its logic."""


def findings(uses: list[Use]) -> pl.DataFrame:
    """Compute the findings of a bill, and what of each counts."""
    lines = _lines(uses)
    resources = _resources(lines)
    rows = [
        {"account": account, "service": service, "resource": name, "rule": rule, "part": part,
         "cost": saved[0], "limit": max(resource.cost(*resource.costs), ZERO), "saving": saved[1]}
        for (account, service, name), resource in resources.items()
        for rule, (of_service, part, judge) in RULES.items()
        if of_service == service and (saved := judge(resource)) is not None
    ]  # fmt: skip
    money = dict.fromkeys(("cost", "limit", "saving"), pl.Decimal(38, 18))
    frame = pl.DataFrame([_rounded(row) for row in rows], schema_overrides=money)
    return count_once(frame)


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    saving = row["saving"]
    return row | {
        "saving": None
        if saving is None
        else min(saving, row["cost"], row["limit"]).quantize(Decimal("1e-15"))
    }


def _lines(uses: list[Use]) -> pl.DataFrame:
    """The lines of the bill, day by day."""
    rows = [
        {"account": use.account, "service": use.service, "resource": use.resource,
         "meter": use.usage_type, "day": day, "amount": Decimal(use.amount),
         "cost": Decimal(use.amount) * Decimal(use.price),
         "listed": Decimal(use.amount) * Decimal(use.listed or use.price)}
        for use in uses if use.kind == "Usage" for day in use.days
    ]  # fmt: skip
    money = dict.fromkeys(("amount", "cost", "listed"), pl.Decimal(38, 18))
    return pl.DataFrame(rows, schema_overrides=money)


def _resources(lines: pl.DataFrame) -> dict[tuple[str, ...], Resource]:
    """What each resource used in the 30 days that is neither new nor gone."""
    newest: date = lines["day"].max()  # type: ignore[assignment]
    is_over = newest.day == monthrange(newest.year, newest.month)[1]
    end = newest if is_over else newest - timedelta(1)
    start = end - timedelta(29)
    whole = lines.filter(pl.col("day") <= end)
    lasting = (
        whole.group_by(RESOURCE)
        .agg(first=pl.col("day").min(), last=pl.col("day").max())
        .filter((pl.col("first") <= start) & (pl.col("last") >= end - timedelta(1)))
    )
    metered = (
        whole.filter(pl.col("day") >= start)
        .join(lasting, on=RESOURCE)
        .group_by([*RESOURCE, "meter"])
        .agg(pl.col("amount").sum(), pl.col("cost").sum(), pl.col("listed").sum(),
             days=pl.col("day").n_unique())
    )  # fmt: skip
    resources = {}
    for key, frame in metered.group_by(RESOURCE):
        sums = {
            name: dict(zip(frame["meter"], frame[name], strict=True))
            for name in ("amount", "cost", "listed", "days")
        }
        resources[tuple(map(str, key))] = Resource(
            str(key[0]), sums["amount"], sums["cost"], sums["listed"], sums["days"],
            monthrange(end.year, end.month)[1],
        )  # fmt: skip
    return resources


def count_once(frame: pl.DataFrame) -> pl.DataFrame:
    """Count each amount of money once: the best of each part, or the best of the whole."""
    zero = pl.lit(ZERO).cast(pl.Decimal(38, 18))
    ordered = frame.with_columns(candidate=pl.col("saving").fill_null(zero)).sort(
        ["candidate", "rule"], descending=[True, False]
    )
    best = ordered.with_columns(is_best=pl.int_range(pl.len()).over([*RESOURCE, "part"]) == 0)
    is_whole = pl.col("part") == "all"
    taken = pl.when(pl.col("is_best")).then(pl.col("candidate")).otherwise(zero)
    summed = best.with_columns(
        whole=pl.when(is_whole).then(taken).otherwise(zero).sum().over(RESOURCE),
        parts=pl.when(~is_whole).then(taken).otherwise(zero).sum().over(RESOURCE),
        before=pl.when(~is_whole).then(taken).otherwise(zero).cum_sum().over(RESOURCE),
    ).with_columns(before=pl.col("before") - pl.when(~is_whole).then(taken).otherwise(zero))
    left = pl.max_horizontal(pl.col("limit") - pl.col("before"), zero)
    counts = pl.col("is_best") & (is_whole == (pl.col("whole") >= pl.col("parts")))
    part = pl.when(is_whole).then(pl.col("candidate")).otherwise(
        pl.min_horizontal("candidate", left)
    )  # fmt: skip
    return summed.with_columns(counted=pl.when(counts).then(part).otherwise(zero))
