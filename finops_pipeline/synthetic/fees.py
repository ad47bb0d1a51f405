"""Lines of a bill that are neither usage nor commitment.

Put here: tax, credits, refunds, discounts, support, Marketplace subscriptions, and a line item
type that AWS does not have yet.
Keep out: commitment fees (`reservations`, `savings_plans`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from finops_pipeline.synthetic.catalogue import (
    EC2,
    LAMBDA,
    MARKETPLACE,
    NOVELTY,
    RDS,
    S3,
    SUPPORT,
    TRANSFER,
    Product,
)
from finops_pipeline.synthetic.rows import DAY, ZERO, Line
from finops_pipeline.synthetic.usage import Scene, product_details

CENT = Decimal("0.01")
MICRO = Decimal("0.000001")
TAX_RATE = Decimal("0.19")
EDP_RATE = Decimal("0.06")


def fee_lines(scene: Scene, usage: Sequence[Line]) -> Iterator[Line]:
    """Yield all remaining lines of the month; taxes and discounts are shares of `usage`."""
    yield from _taxes(scene, usage)
    yield from _discounts(scene, usage)
    yield from _credits_and_refunds(scene)
    if not scene.source.small:
        yield from _subscriptions(scene)
        yield _Fee(
            "FutureCharge", "payer", NOVELTY, "Preview:Units", Decimal("0.37"),
            f"A line item type that nobody has announced ({scene.tenant.marker})",
        ).line(scene)  # fmt: skip


def late_credit(scene: Scene, restatement: int) -> Line:
    """Make a credit that AWS adds to a month later; it grows with `restatement`."""
    return _Fee(
        "Credit", "payer", S3, "Credit:Late", Decimal("-3.25") * restatement,
        f"Late credit no. {restatement} ({scene.tenant.marker})",
    ).line(scene)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Fee:
    """A charge that is neither usage nor commitment, for one unit unless `amount` differs.

    It spans the metered time unless `start` or `end` is given. The account is that of `role`,
    or the payer's where the source has no such account.
    """

    kind: str
    role: str
    product: Product
    usage_type: str
    cost: Decimal
    description: str
    start: datetime | None = None
    end: datetime | None = None
    amount: Decimal = Decimal(1)
    tax_type: str = ""
    bill_type: str = "Anniversary"
    region: str = ""

    def line(self, scene: Scene) -> Line:
        """Make the charge a line of the source's bill."""
        accounts = scene.source.accounts
        return Line(
            kind=self.kind,
            account=accounts.get(self.role, accounts["payer"]),
            start=self.start or scene.period.start,
            end=self.end or scene.period.metered_end,
            product=self.product,
            usage_type=self.usage_type,
            amount=self.amount,
            cost=self.cost,
            # Discounts, taxes and credits are not discounted again.
            net_cost=self.cost if scene.source.net_columns else None,
            description=self.description,
            unit="Units",
            region=self.region,
            rate=self.cost / self.amount if self.kind in {"Fee", "Refund"} else None,
            tax_type=self.tax_type,
            bill_type=self.bill_type,
            details=product_details(self.product, self.usage_type, self.region),
        )


def _billed(usage: Sequence[Line], account: str, product: Product) -> Decimal:
    chosen = (line.cost for line in usage if line.account == account and line.product is product)
    return sum(chosen, ZERO)


def _taxes(scene: Scene, usage: Sequence[Line]) -> Iterator[Line]:
    for role in ("prod", "dev", "extra"):
        account = scene.source.accounts.get(role)
        for product in (EC2, RDS, S3, LAMBDA, TRANSFER):
            base = _billed(usage, account, product) if account else ZERO
            if base > 0:
                yield _Fee(
                    "Tax", role, product, "", (base * TAX_RATE).quantize(CENT),
                    f"Tax for product code {product.code}", tax_type="VAT",
                ).line(scene)  # fmt: skip


def _discounts(scene: Scene, usage: Sequence[Line]) -> Iterator[Line]:
    """Yield discounts; the private one only if no net columns contain it."""
    if not scene.source.net_columns and not scene.source.small:
        for role in ("prod", "prod2", "extra"):
            for product in (EC2, RDS):
                base = _billed(usage, scene.source.accounts.get(role, ""), product)
                if base > 0:
                    yield _Fee(
                        "EdpDiscount", role, product, "", -(base * EDP_RATE).quantize(MICRO),
                        f"Enterprise Program Discount ({scene.tenant.marker})",
                    ).line(scene)  # fmt: skip
    if not scene.source.small:
        region = scene.region(0)
        yield _Fee(
            "BundledDiscount", "prod", TRANSFER, "CloudFront-Bundle", Decimal("-1.75"),
            "Bundled discount, data transfer to CloudFront", region=region,
        ).line(scene)  # fmt: skip
        yield _Fee(
            "RiVolumeDiscount", "prod", EC2, "RIVolumeDiscount", Decimal("-2.4051"),
            "Reserved instance volume discount, tier 1", region=region,
        ).line(scene)  # fmt: skip


def _credits_and_refunds(scene: Scene) -> Iterator[Line]:
    rng = scene.rng("credits")
    amount = Decimal(-rng.randint(500, 2500)).scaleb(-2)
    yield _Fee(
        "Credit", "dev", LAMBDA, "Credit:Promo", amount,
        f'Promotional credit, "spring", for {scene.tenant.display_name}',
    ).line(scene)  # fmt: skip
    before = scene.period.start - 20 * DAY
    yield _Fee(
        "Refund", "prod", EC2, "BoxUsage:m5.large", Decimal("-4.608"),
        "Refund of the previous month", start=before, end=before + DAY,
        amount=Decimal(-48), bill_type="Refund", region=scene.region(0),
    ).line(scene)  # fmt: skip
    inside = scene.period.start + 4 * DAY
    yield _Fee(
        "Refund", "extra", S3, "Requests-Tier1", Decimal("-0.125"),
        "Refund inside the period", start=inside, end=inside + DAY,
        amount=Decimal(-25000), region=scene.region(0),
    ).line(scene)  # fmt: skip


def _subscriptions(scene: Scene) -> Iterator[Line]:
    rng = scene.rng("support")
    yield _Fee(
        "Fee", "payer", SUPPORT, "Dollar", Decimal(rng.randint(10_000, 14_000)).scaleb(-2),
        "AWS Support (Business), monthly", end=scene.period.end,
    ).line(scene)  # fmt: skip
    yield _Fee(
        "Fee", "prod", MARKETPLACE, "SoftwareContract:Annual", Decimal("49.90"),
        f'Contract "Observe, 10 hosts"\nfor {scene.tenant.marker}', bill_type="Purchase",
        end=scene.period.start + timedelta(seconds=1),
    ).line(scene)  # fmt: skip
