"""Reservations: their fees, the usage that they cover, their unused hours.

Put here: the estate's reservations and their lines.
Keep out: savings plans, plain usage, other fees.

By construction, in every month and exactly:

    sum(effective of covered usage) + unused = recurring fee + amortized upfront payment

so that without an upfront payment, used + unused equals the billed amount.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from finops_pipeline.synthetic.catalogue import (
    EC2,
    RDS,
    REGION_PREFIXES,
    Product,
    token,
    uuid_like,
)
from finops_pipeline.synthetic.commitments import (
    TERM_HOURS,
    holder_role,
    is_held,
    net_counterparts,
    term_of,
)
from finops_pipeline.synthetic.rows import ZERO, Detail, Line, Slot
from finops_pipeline.synthetic.usage import Scene, instance_details, product_details

_NET_RI_USE = (
    "reservation_effective_cost",
    "reservation_recurring_fee_for_usage",
    "reservation_amortized_upfront_cost_for_usage",
)
_NET_RI_FEE = (
    "reservation_amortized_upfront_fee_for_billing_period",
    "reservation_unused_recurring_fee",
    "reservation_unused_amortized_upfront_fee_for_billing_period",
)


@dataclass(frozen=True, slots=True)
class Reservation:
    """`count` instances reserved; `hourly` and `upfront_hourly` are USD per instance-hour."""

    name: str
    role: str
    payment: str
    product: Product
    usage_type: str
    operation: str
    instance_type: str
    count: int
    hourly: str
    upfront_hourly: str
    public: str
    lowest_use: int
    began: int
    waste: bool = False


# `began` counts months back from the open month; an upfront payment falls into that month.
RESERVATIONS: tuple[Reservation, ...] = (
    Reservation("ri-none", "prod", "No Upfront", EC2, "BoxUsage:m5.xlarge", "RunInstances",
                "m5.xlarge", 3, "0.121", "0", "0.192", 82, 9),
    Reservation("ri-partial", "prod2", "Partial Upfront", RDS, "InstanceUsage:db.r5.xlarge",
                "CreateDBInstance:0014", "db.r5.xlarge", 2, "0.1505", "0.1495", "0.48", 90, 6),
    Reservation("ri-all", "moving", "All Upfront", EC2, "BoxUsage:c5.large", "RunInstances",
                "c5.large", 2, "0", "0.0525", "0.085", 40, 6, waste=True),
)  # fmt: skip


def reservation_lines(scene: Scene) -> Iterator[Line]:
    """Yield all lines of the source's reservations in the month."""
    for item in RESERVATIONS:
        if is_held(scene, item.name, item.role, item.began):
            yield from _Holding.of(scene, item).lines()


def reservation_arn(scene: Scene, reservation: Reservation) -> str:
    """Make the ARN of a reservation, the same in all months."""
    name = uuid_like(scene.tenant.name, scene.source.name, reservation.name)
    region, account = scene.region(0), scene.source.accounts[holder_role(scene, reservation.role)]
    noun = "rds" if reservation.product is RDS else "ec2"
    return f"arn:aws:{noun}:{region}:{account}:reserved-instances/{name}"


@dataclass(frozen=True, slots=True)
class _Holding:
    """A reservation as a source holds it in a month; `base` are the details of all its lines."""

    scene: Scene
    item: Reservation
    account: str
    usage_type: str
    base: dict[str, Detail]

    @classmethod
    def of(cls, scene: Scene, item: Reservation) -> _Holding:
        """Make the holding of `item` in the scene's source and month."""
        region = scene.region(0)
        usage_type = REGION_PREFIXES[region] + item.usage_type
        account = scene.source.accounts[holder_role(scene, item.role)]
        return cls(scene, item, account, usage_type, _base_details(scene, item, usage_type))

    def lines(self) -> Iterator[Line]:
        """Yield the covered usage of each slot, the recurring fee, and an upfront fee when due."""
        rng = self.scene.rng(f"commitments/{self.item.name}")
        used = ZERO
        for slot in self.scene.period.slots():
            share = Decimal(rng.randint(self.item.lowest_use, 100)).scaleb(-2)
            amount = slot.hours * self.item.count * share
            used += amount
            yield self._discounted_usage(slot, amount)
        fee = self._fee(used)
        yield fee
        if self.scene.period.age == self.item.began and Decimal(self.item.upfront_hourly):
            yield self._upfront_fee(fee)

    def _discounted_usage(self, slot: Slot, amount: Decimal) -> Line:
        """Make a line of covered usage: nothing is billed, but it has a share of the fee."""
        scene, item = self.scene, self.item
        recurring = amount * Decimal(item.hourly)
        upfront = amount * Decimal(item.upfront_hourly)
        details: dict[str, Detail] = {
            "reservation_effective_cost": recurring + upfront,
            "reservation_recurring_fee_for_usage": recurring,
            "reservation_amortized_upfront_cost_for_usage": upfront,
        }
        if scene.source.net_columns:
            details |= net_counterparts(scene, details, _NET_RI_USE)
        return Line(
            kind="DiscountedUsage",
            account=self.account,
            start=slot.start,
            end=slot.end,
            product=item.product,
            usage_type=self.usage_type,
            amount=amount,
            cost=ZERO,
            net_cost=scene.net(ZERO),
            description=f"{item.product.name}, {item.instance_type} reserved instance applied",
            unit="Hrs",
            operation=item.operation,
            region=scene.region(0),
            resource_id=f"i-{token(scene.tenant.name, scene.source.name, item.name, length=17)}",
            rate=ZERO,
            public_rate=Decimal(item.public),
            tags=scene.tags(1, item.name),
            cost_category=item.role,
            details=self.base | instance_details(item.instance_type, amount) | details,
        )

    def _fee(self, used: Decimal) -> Line:
        """Make the recurring fee of the metered time, with `used` used instance-hours."""
        scene, item = self.scene, self.item
        total = Decimal(scene.period.metered_hours * item.count)
        cost = total * Decimal(item.hourly)
        return Line(
            kind="RIFee",
            account=self.account,
            start=scene.period.start,
            end=scene.period.metered_end,
            product=item.product,
            usage_type=self.usage_type.replace("BoxUsage", "HeavyUsage"),
            amount=total,
            cost=cost,
            net_cost=scene.net(cost),
            description=f"USD {item.hourly} hourly fee per {item.instance_type}, {item.payment}",
            unit="Hrs",
            operation=item.operation,
            region=scene.region(0),
            rate=Decimal(item.hourly),
            details=self.base | self._fee_details(total, total - used),
        )

    def _fee_details(self, total: Decimal, unused: Decimal) -> dict[str, Detail]:
        hourly, upfront = Decimal(self.item.hourly), Decimal(self.item.upfront_hourly)
        details: dict[str, Detail] = {
            "reservation_amortized_upfront_fee_for_billing_period": total * upfront,
            "reservation_unused_quantity": unused,
            "reservation_unused_recurring_fee": unused * hourly,
            "reservation_unused_amortized_upfront_fee_for_billing_period": unused * upfront,
            "reservation_total_reserved_units": total,
            "reservation_number_of_reservations": str(self.item.count),
            "reservation_units_per_reservation": "1",
            "reservation_upfront_value": upfront * TERM_HOURS * self.item.count,
            "reservation_modification_status": "Original",
        }
        if self.scene.source.net_columns:
            details |= net_counterparts(self.scene, details, _NET_RI_FEE)
        return details

    def _upfront_fee(self, fee: Line) -> Line:
        """Make the upfront payment of the entire term; except for the amounts it is like `fee`."""
        item = self.item
        price_of_term = Decimal(item.upfront_hourly) * TERM_HOURS
        price = price_of_term * item.count
        units = {"reservation_total_reserved_units": Decimal(TERM_HOURS * item.count)}
        return replace(
            fee,
            kind="Fee",
            end=self.scene.period.start + timedelta(seconds=1),
            amount=Decimal(item.count),
            cost=price,
            net_cost=self.scene.net(price),
            rate=price_of_term,
            bill_type="Purchase",
            description=f"Upfront fee, {item.count} x {item.instance_type}, {item.payment}",
            details=self.base | units,
        )


def _base_details(scene: Scene, item: Reservation, usage_type: str) -> dict[str, Detail]:
    term = term_of(scene.period, item.began)
    return product_details(item.product, usage_type, scene.region(0)) | {
        "product_instance_type": item.instance_type,
        "product_instance_family": item.instance_type.removeprefix("db.").split(".")[0],
        "pricing_currency": "USD",
        "pricing_term": "Reserved",
        "pricing_lease_contract_length": "1yr",
        "pricing_offering_class": "standard",
        "pricing_purchase_option": item.payment,
        "pricing_unit": "Hrs",
        "reservation_reservation_a_r_n": reservation_arn(scene, item),
        "reservation_subscription_id": str(int(token(item.name, length=8), 16)),
        "reservation_start_time": term["start"],
        "reservation_end_time": term["end"],
    }
