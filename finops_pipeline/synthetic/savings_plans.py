"""Savings plans: their fees, the usage that they cover, its negation, the unused commitment.

Put here: the estate's savings plans and their lines.
Keep out: reservations, plain usage, other fees.

By construction, in every slot and exactly:

    sum(effective of covered usage) + unused = total commitment
                                             = recurring fee + amortized upfront payment
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from finops_pipeline.synthetic.catalogue import (
    EC2,
    REGION_PREFIXES,
    SAVINGS_PLANS,
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
from finops_pipeline.synthetic.usage import (
    Scene,
    instance_details,
    on_demand_details,
    product_details,
)

_NET_SP = (
    "savings_plan_savings_plan_effective_cost",
    "savings_plan_amortized_upfront_commitment_for_billing_period",
    "savings_plan_recurring_commitment_for_billing_period",
)


@dataclass(frozen=True, slots=True)
class SavingsPlan:
    """A plan of `commitment` USD per hour, of which `recurring` is paid hour by hour.

    `covers` lists (role, instance type, on-demand USD per hour, plan USD per hour).
    """

    name: str
    payment: str
    commitment: str
    recurring: str
    covers: tuple[tuple[str, str, str, str], ...]
    began: int


# `began` as in reservations: months back from the open month.
PLANS: tuple[SavingsPlan, ...] = (
    SavingsPlan("sp-none", "No Upfront", "0.35", "0.35", (
        ("prod", "m5.2xlarge", "0.384", "0.2765"), ("dev", "t3.large", "0.0832", "0.0601"),
    ), 8),
    SavingsPlan("sp-partial", "Partial Upfront", "0.25", "0.125", (
        ("moving", "c5.xlarge", "0.17", "0.1185"), ("extra", "r5.large", "0.126", "0.0885"),
    ), 5),
)  # fmt: skip


def savings_plan_lines(scene: Scene) -> Iterator[Line]:
    """Yield all lines of the source's savings plans in the month."""
    for plan in PLANS:
        if is_held(scene, plan.name, "payer", plan.began):
            yield from _Holding.of(scene, plan).lines()


@dataclass(frozen=True, slots=True)
class _CoveredUse:
    """Usage that a plan covers in one slot: hours of an instance, at public and plan prices."""

    role: str
    size: str
    hours: Decimal
    public: Decimal
    price: Decimal

    @property
    def effective(self) -> Decimal:
        """Cost of the usage under the plan."""
        return self.hours * self.price


@dataclass(frozen=True, slots=True)
class _Holding:
    """A savings plan as a source holds it in a month; `base` are the details of all its lines."""

    scene: Scene
    plan: SavingsPlan
    base: dict[str, Detail]

    @classmethod
    def of(cls, scene: Scene, plan: SavingsPlan) -> _Holding:
        """Make the holding of `plan` in the scene's source and month."""
        payer = scene.source.accounts["payer"]
        name = uuid_like(scene.tenant.name, scene.source.name, plan.name)
        term = term_of(scene.period, plan.began)
        base: dict[str, Detail] = {
            "savings_plan_savings_plan_a_r_n": f"arn:aws:savingsplans::{payer}:savingsplan/{name}",
            "savings_plan_offering_type": "ComputeSavingsPlans",
            "savings_plan_payment_option": plan.payment,
            "savings_plan_purchase_term": "1yr",
            "savings_plan_region": "Any",
            "savings_plan_start_time": term["start"],
            "savings_plan_end_time": term["end"],
        }
        return cls(scene, plan, base)

    def lines(self) -> Iterator[Line]:
        """Yield covered usage, its negation and the fee of each slot, and any upfront fee."""
        rng = self.scene.rng(f"commitments/{self.plan.name}")
        is_hourly = self.plan.name == "sp-none" and not self.scene.source.small
        for slot in self.scene.period.slots(1 if is_hourly else 0):
            used = ZERO
            for role, size, public, price in self.plan.covers:
                hours = slot.hours * Decimal(rng.randint(80, 100)).scaleb(-2)
                use = _CoveredUse(role, size, hours, Decimal(public), Decimal(price))
                used += use.effective
                yield from self._covered(slot, use)
            yield self._fee(slot, used)
        if self.scene.period.age == self.plan.began and self._upfront_hourly:
            yield self._upfront_fee()

    @property
    def _upfront_hourly(self) -> Decimal:
        return Decimal(self.plan.commitment) - Decimal(self.plan.recurring)

    def _covered(self, slot: Slot, use: _CoveredUse) -> Iterator[Line]:
        """Yield usage under a plan at its on-demand cost, and the negation that cancels it."""
        scene, region = self.scene, self.scene.region(0)
        usage_type = f"{REGION_PREFIXES[region]}BoxUsage:{use.size}"
        product = product_details(EC2, usage_type, region)
        cost = use.hours * use.public
        covered = Line(
            kind="SavingsPlanCoveredUsage",
            account=scene.source.accounts[holder_role(scene, use.role)],
            start=slot.start,
            end=slot.end,
            product=EC2,
            usage_type=usage_type,
            amount=use.hours,
            cost=cost,
            net_cost=scene.net(cost),
            description=f"${use.public} per On Demand Linux {use.size} Instance Hour",
            unit="Hrs",
            operation="RunInstances",
            region=region,
            resource_id=f"i-{token(scene.tenant.name, self.plan.name, use.role, length=17)}",
            rate=use.public,
            public_rate=use.public,
            tags=scene.tags(2, self.plan.name),
            cost_category=use.role,
            details=product | self._covered_details(use, usage_type, str(product["product_sku"])),
        )
        yield covered
        yield replace(
            covered,
            kind="SavingsPlanNegation",
            cost=-cost,
            net_cost=scene.net(-cost),
            description=f"SavingsPlanNegation used by AccountId : {covered.account} and UsageSku",
            resource_id="",
            rate=-use.public,
            public_rate=None,
            tags=(),
            cost_category="",
            details=product | {"savings_plan_savings_plan_a_r_n": covered.commitment},
        )

    def _covered_details(self, use: _CoveredUse, usage_type: str, sku: str) -> dict[str, Detail]:
        details = self.base | {
            "savings_plan_savings_plan_rate": use.price,
            "savings_plan_savings_plan_effective_cost": use.effective,
        }
        if self.scene.source.net_columns:
            details |= net_counterparts(self.scene, details, _NET_SP)
        pricing = on_demand_details(self.scene, usage_type, sku, "Hrs")
        return pricing | instance_details(use.size, use.hours) | details

    def _fee(self, slot: Slot, used: Decimal) -> Line:
        """Make the plan's fee for one slot; the unused part is the commitment minus `used`."""
        scene, plan = self.scene, self.plan
        total = slot.hours * Decimal(plan.commitment)
        recurring = slot.hours * Decimal(plan.recurring)
        details: dict[str, Detail] = {
            "savings_plan_total_commitment_to_date": total,
            "savings_plan_used_commitment": used,
            "savings_plan_recurring_commitment_for_billing_period": recurring,
            "savings_plan_amortized_upfront_commitment_for_billing_period": total - recurring,
        }
        if scene.source.net_columns:
            details |= net_counterparts(scene, details, _NET_SP)
        usage_type = f"ComputeSP:1yr{plan.payment.replace(' ', '')}"
        return Line(
            kind="SavingsPlanRecurringFee",
            account=scene.source.accounts["payer"],
            start=slot.start,
            end=slot.end,
            product=SAVINGS_PLANS,
            usage_type=usage_type,
            amount=Decimal(slot.hours),
            cost=recurring,
            net_cost=scene.net(recurring),
            rate=Decimal(plan.recurring),
            description=f"{plan.commitment} dollar hourly {plan.payment} Compute Savings Plan",
            unit="Hrs",
            details=self.base | product_details(SAVINGS_PLANS, usage_type, "") | details,
        )

    def _upfront_fee(self) -> Line:
        """Make the upfront payment of the entire term."""
        scene, plan = self.scene, self.plan
        price = self._upfront_hourly * TERM_HOURS
        usage_type = "ComputeSP:1yrPartialUpfront"
        return Line(
            kind="SavingsPlanUpfrontFee",
            account=scene.source.accounts["payer"],
            start=scene.period.start,
            end=scene.period.start + timedelta(seconds=1),
            product=SAVINGS_PLANS,
            usage_type=usage_type,
            amount=Decimal(1),
            cost=price,
            net_cost=scene.net(price),
            rate=price,
            bill_type="Purchase",
            description=f"{plan.commitment} dollar hourly {plan.payment} Savings Plan, upfront",
            details=self.base | product_details(SAVINGS_PLANS, usage_type, ""),
        )
