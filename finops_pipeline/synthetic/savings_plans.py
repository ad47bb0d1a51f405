"""Savings plans: their fees, the usage they cover, its negation, the unused commitment.

Put here: the estate's savings plans and their lines.
Keep out: reservations, plain usage, other fees.

By construction, in every slot and exactly:

    sum(effective of covered usage) + unused = total commitment
                                             = recurring fee + amortized upfront payment
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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
    is_held,
    net_twins,
    role_here,
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
    """All lines of the source's savings plans in the month."""
    for plan in PLANS:
        if is_held(scene, plan.name, "payer", plan.began):
            yield from _lines(scene, plan)


def _lines(scene: Scene, plan: SavingsPlan) -> Iterator[Line]:
    rng = scene.rng(f"commitments/{plan.name}")
    payer = scene.source.accounts["payer"]
    arn = f"arn:aws:savingsplans::{payer}:savingsplan/" + uuid_like(
        scene.tenant.name, scene.source.name, plan.name
    )
    term = term_of(scene.period, plan.began)
    base: dict[str, Detail] = {
        "savings_plan_savings_plan_a_r_n": arn,
        "savings_plan_offering_type": "ComputeSavingsPlans",
        "savings_plan_payment_option": plan.payment,
        "savings_plan_purchase_term": "1yr",
        "savings_plan_region": "Any",
        "savings_plan_start_time": term["start"],
        "savings_plan_end_time": term["end"],
    }
    hourly_days = 1 if plan.name == "sp-none" and not scene.source.small else 0
    for slot in scene.period.slots(hourly_days):
        used = ZERO
        for role, size, public, price in plan.covers:
            hours = slot.hours * Decimal(rng.randint(80, 100)).scaleb(-2)
            details = base | {
                "savings_plan_savings_plan_rate": Decimal(price),
                "savings_plan_savings_plan_effective_cost": hours * Decimal(price),
            }
            used += hours * Decimal(price)
            yield from _covered(scene, plan, slot, (role, size), hours, Decimal(public), details)
        yield _plan_fee(scene, plan, slot, used, base)
    upfront = Decimal(plan.commitment) - Decimal(plan.recurring)
    if scene.period.age == plan.began and upfront:
        price_of_term = upfront * TERM_HOURS
        yield Line(
            kind="SavingsPlanUpfrontFee",
            account=payer,
            start=scene.period.start,
            end=scene.period.start + timedelta(seconds=1),
            product=SAVINGS_PLANS,
            usage_type="ComputeSP:1yrPartialUpfront",
            amount=Decimal(1),
            cost=price_of_term,
            net_cost=scene.net(price_of_term),
            rate=price_of_term,
            bill_type="Purchase",
            description=f"{plan.commitment} dollar hourly {plan.payment} Savings Plan, upfront",
            details=base | product_details(SAVINGS_PLANS, "ComputeSP:1yrPartialUpfront", ""),
        )


def _covered(
    scene: Scene, plan: SavingsPlan, slot: Slot, what: tuple[str, str], hours: Decimal,
    public: Decimal, details: dict[str, Detail],
) -> Iterator[Line]:  # fmt: skip
    """Usage under a plan at its on-demand cost, and the negation that takes it back."""
    role, size = what
    region = scene.region(0)
    usage_type = f"{REGION_PREFIXES[region]}BoxUsage:{size}"
    product = product_details(EC2, usage_type, region)
    pricing = on_demand_details(scene, usage_type, str(product["product_sku"]), "Hrs")
    net = net_twins(scene, details, _NET_SP) if scene.source.net_columns else {}
    cost = hours * public
    covered = Line(
        kind="SavingsPlanCoveredUsage",
        account=scene.source.accounts[role_here(scene, role)],
        start=slot.start,
        end=slot.end,
        product=EC2,
        usage_type=usage_type,
        amount=hours,
        cost=cost,
        net_cost=scene.net(cost),
        description=f"${public} per On Demand Linux {size} Instance Hour",
        unit="Hrs",
        operation="RunInstances",
        region=region,
        resource_id=f"i-{token(scene.tenant.name, plan.name, role, length=17)}",
        rate=public,
        public_rate=public,
        tags=scene.tags(2, plan.name),
        cost_category=role,
        details=product | pricing | instance_details(size, hours) | details | net,
    )
    yield covered
    yield Line(
        kind="SavingsPlanNegation",
        account=covered.account,
        start=slot.start,
        end=slot.end,
        product=EC2,
        usage_type=usage_type,
        amount=hours,
        cost=-cost,
        net_cost=scene.net(-cost),
        description=f"SavingsPlanNegation used by AccountId : {covered.account} and UsageSku",
        unit="Hrs",
        operation="RunInstances",
        region=region,
        rate=-public,
        details=product | {"savings_plan_savings_plan_a_r_n": covered.commitment},
    )


def _plan_fee(
    scene: Scene, plan: SavingsPlan, slot: Slot, used: Decimal, base: dict[str, Detail]
) -> Line:
    """The plan's fee for one slot; commitment minus what was used is the unused part."""
    total = slot.hours * Decimal(plan.commitment)
    recurring = slot.hours * Decimal(plan.recurring)
    details: dict[str, Detail] = {
        "savings_plan_total_commitment_to_date": total,
        "savings_plan_used_commitment": used,
        "savings_plan_recurring_commitment_for_billing_period": recurring,
        "savings_plan_amortized_upfront_commitment_for_billing_period": total - recurring,
    }
    if scene.source.net_columns:
        details |= net_twins(scene, details, _NET_SP)
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
        details=base | product_details(SAVINGS_PLANS, usage_type, "") | details,
    )
