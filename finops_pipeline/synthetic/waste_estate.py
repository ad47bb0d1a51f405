"""Two tenants with planted waste: bills, inventories and statistics that agree, and their truth.

Put here: what callers may request, and the files. Keep out: the plan (`waste_of_bills`,
`waste_of_resources`), what it means (`waste_items`), the estate without waste (`estate`).

acme has each item and, under another id, its near miss. globex has the same ids, and there all of
them are near misses. Nothing is computed by rules of waste.

    tenants.yaml, prices.csv                      declaration, prices that are an installation's own
    <tenant>/payer/...                            the bills, month by month
    <tenant>/inventory.json                       what exists, for `finops ingest-file`
    <tenant>/statistics.json                      what CloudWatch says, for a server of tests
    truth.json                                    each planted item, and what it costs and saves
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from finops_pipeline.synthetic.catalogue import REGION_PREFIXES, Product
from finops_pipeline.synthetic.cur_2 import write_cur_2
from finops_pipeline.synthetic.forms import CUR_2, LEGACY
from finops_pipeline.synthetic.legacy_cur import write_legacy_cur
from finops_pipeline.synthetic.rows import DAY, ZERO, Line, Period, month_start, shift_month
from finops_pipeline.synthetic.spec import Claim, Project, Source, Tenant
from finops_pipeline.synthetic.truth import plain
from finops_pipeline.synthetic.usage import Scene, on_demand_details, product_details
from finops_pipeline.synthetic.waste_items import EAST, Meter, WasteItem, filled, near_of
from finops_pipeline.synthetic.waste_of_bills import BILLED_ITEMS, OWN_PRICES
from finops_pipeline.synthetic.waste_of_resources import DESCRIBED_ITEMS

ACCOUNTS = {
    "acme": {"payer": "111122223333", "shop": "111122223333", "lab": "222233334444"},
    "globex": {"payer": "444455556666", "shop": "444455556666", "lab": "555566667777"},
}
WINDOW, DAYS_BEFORE = 30, 5
"""Rules judge 30 days; bills begin five days before the month, so that nothing looks new."""


@dataclass(frozen=True, slots=True)
class WasteEstate:
    """Which waste to write. The same values give the same bytes.

    `month` is the newest month ("YYYY-MM"), complete. `seed` changes amounts and with them the
    truth. `ids` replaces the ids of items of acme, which another program has created. With
    `is_old`, bills of twelve earlier months have the snapshot that rule A10 needs.
    """

    month: str
    seed: int = 1
    ids: Mapping[str, str] = field(default_factory=dict)
    is_old: bool = False

    @property
    def items(self) -> tuple[WasteItem, ...]:
        """The planted items, with the amounts of the seed."""
        planted = (*BILLED_ITEMS, *DESCRIBED_ITEMS)
        return tuple(self._scaled(item) for item in planted if self.is_old or not item.is_old)

    def _scaled(self, item: WasteItem) -> WasteItem:
        """Give what is compared with no other price a discount of its own, by the seed."""
        if item.after:
            return item
        factor = 1 - Decimal((self.seed * 7 + sum(map(ord, item.identifier))) % 5) / 8
        return replace(
            item,
            meters=tuple(meter.discounted(factor) for meter in item.meters),
            near=tuple(meter.discounted(factor) for meter in item.near),
        )

    @property
    def end(self) -> date:
        """The last day of the newest month."""
        return (month_start(shift_month(self.month, 1)) - DAY).date()


@dataclass(frozen=True, slots=True)
class Placed:
    """An item as one tenant has it."""

    item: WasteItem
    identifier: str
    is_waste: bool
    places: Mapping[str, str]

    @property
    def billed_id(self) -> str:
        """The id in the bill."""
        return str(filled(self.item.billed, self.places))


def place_items(estate: WasteEstate, tenant: str) -> list[Placed]:
    """List what a tenant has: planted items (acme) and near misses (both)."""
    placed = []
    for item in estate.items:
        if tenant == "acme":
            own = estate.ids.get(item.identifier, item.identifier)
            placed.append(_place(estate, tenant, item, own))
        if not item.is_old:
            near = replace(near_of(item), region=EAST)
            identifier = item.identifier + ("-near" if tenant == "acme" else "")
            placed.append(_place(estate, tenant, near, identifier))
    return placed


def _place(estate: WasteEstate, tenant: str, item: WasteItem, identifier: str) -> Placed:
    places = {
        "id": identifier,
        "account": ACCOUNTS[tenant][item.role],
        "region": item.region,
        "long_ago": str(estate.end - timedelta(200)),
        "lately": str(estate.end - timedelta(20)),
    }
    is_waste = item in estate.items and tenant == "acme"
    return Placed(item, identifier, is_waste, places)


def write_waste_estate(folder: Path, estate: WasteEstate) -> Path:
    """Write the bills up to the newest month and all files beside them; return tenants.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    before = shift_month(estate.month, -1)
    for tenant in ACCOUNTS:
        placed = place_items(estate, tenant)
        if estate.is_old:
            for back in range(2, 14):
                month = shift_month(estate.month, -back)
                old = [one for one in placed if one.item.is_old]
                write_waste_bill(folder, WasteBill(tenant, month, old))
        last = (month_start(estate.month) - DAY).day
        write_waste_bill(folder, WasteBill(tenant, before, placed, last - DAYS_BEFORE + 1))
        write_waste_bill(folder, WasteBill(tenant, estate.month, placed))
        for name, content in (
            ("inventory", list(_inventory(estate, placed))),
            ("statistics", list(_statistics(placed))),
        ):
            (folder / tenant / f"{name}.json").write_text(json.dumps(content, indent=1))
    (folder / "prices.csv").write_text(_prices())
    truth = [_truth(estate, one) for one in place_items(estate, "acme") if one.is_waste]
    (folder / "truth.json").write_text(json.dumps(truth, indent=1))
    (folder / "tenants.yaml").write_text(_declaration())
    return folder / "tenants.yaml"


@dataclass(frozen=True, slots=True)
class WasteBill:
    """A tenant's bill of a month, from a day to its end."""

    tenant: str
    month: str
    placed: Sequence[Placed]
    first_day: int = 1


def write_waste_bill(folder: Path, bill: WasteBill) -> Path:
    """Write a month's bill below the folder of the estate; return its manifest."""
    source = _source(bill.tenant)
    days = (month_start(shift_month(bill.month, 1)) - DAY).day
    period = Period.of(bill.month, last_month=bill.month, days=days)
    scene = Scene(_tenant(bill.tenant, source), source, period)
    location = folder / scene.tenant.location(source)
    write = write_legacy_cur if source.format == LEGACY else write_cur_2
    return write(location, scene, list(_lines(scene, bill.placed, bill.first_day)))


def done(placed: Placed, factor: Decimal = Decimal(1)) -> Placed:
    """Return an item after its change, with `factor` times the usage."""
    after = tuple(meter.times(factor) for meter in placed.item.after or ())
    return replace(placed, item=replace(placed.item, meters=after))


def _lines(scene: Scene, placed: Iterable[Placed], first_day: int) -> Iterator[Line]:
    slots = list(scene.period.slots())[first_day - 1 :]
    for one in placed:
        for meter in one.item.meters:
            yield from (_line(scene, one, meter, slot.start) for slot in slots)


def _line(scene: Scene, placed: Placed, meter: Meter, start: datetime) -> Line:
    region, price = placed.item.region, Decimal(meter.price)
    amount = meter.amount_on((scene.period.end - scene.period.start).days)
    product = Product(meter.service, meter.service, "", "Other", "Other (Other)", "")
    usage_type = REGION_PREFIXES[region] + meter.usage_type
    details = product_details(product, usage_type, region)
    details |= on_demand_details(scene, usage_type, str(details["product_sku"]), meter.unit)
    return Line(
        kind="Usage",
        account=placed.places["account"],
        start=start,
        end=start + DAY,
        product=product,
        usage_type=usage_type,
        amount=amount,
        cost=amount * price,
        description=f"${meter.price} per {meter.unit} ({scene.tenant.marker})",
        unit=meter.unit,
        operation=meter.operation,
        region=region,
        resource_id=placed.billed_id,
        rate=price,
        public_rate=Decimal(meter.listed or meter.price),
        details=details,
    )


def _inventory(estate: WasteEstate, placed: Iterable[Placed]) -> Iterator[dict[str, Any]]:
    for one in placed:
        for number, described in enumerate(one.item.described):
            billed = one.billed_id if number == 0 and one.billed_id.startswith("arn:") else ""
            created = datetime.combine(estate.end - timedelta(described.age), datetime.min.time())
            yield {
                "account_id": one.places["account"],
                "region_id": described.region or one.item.region,
                "resource_type": described.kind,
                "resource_id": filled(described.identifier, one.places),
                "resource_arn": filled(described.arn, one.places) or billed or None,
                "state": described.state or None,
                "created_at": created.replace(tzinfo=UTC).isoformat(),
                "attributes": filled(described.attributes, one.places),
            }


def _statistics(placed: Iterable[Placed]) -> Iterator[dict[str, Any]]:
    for one in placed:
        for described in one.item.described:
            for name, values in described.metrics.items():
                yield {
                    "account_id": one.places["account"],
                    "resource_id": filled(described.identifier, one.places),
                    "metric_name": name,
                    "values": dict(values),
                }


def _truth(estate: WasteEstate, placed: Placed) -> dict[str, Any]:
    item = placed.item
    days = [estate.end - timedelta(ago) for ago in range(WINDOW)]
    lengths = [_month_days(day) for day in days]
    savings = [item.saving_on(length) for length in lengths]
    known = [saving for saving in savings if saving is not None]
    cost = sum((m.cost_on(length) for m in item.meters for length in lengths), ZERO)
    return {
        "rule": item.rule,
        "identifier": item.identifier,
        "resource_id": placed.billed_id,
        "project": item.role,
        "cost": plain(cost),
        "monthly_saving": plain(sum(known, ZERO)) if known else None,
    }


def realised_truth(item: WasteItem, month: str, factor: Decimal = Decimal(1)) -> Decimal:
    """Compute what a change saves in a later month with `factor` times the usage."""
    days = (month_start(shift_month(month, 1)) - month_start(month)).days
    return item.realised_on(days) * days * factor


def _month_days(day: date) -> int:
    return (month_start(shift_month(f"{day:%Y-%m}", 1)) - DAY).day


def _source(tenant: str) -> Source:
    form = LEGACY if tenant == "acme" else CUR_2
    return Source("payer", form, "cur", dict(ACCOUNTS[tenant]), ())


def _tenant(name: str, source: Source) -> Tenant:
    projects = tuple(
        Project(role, environment, "it", ("payer",), (Claim(ACCOUNTS[name][role]),))
        for role, environment in (("shop", "prod"), ("lab", "dev"))
    )
    return Tenant(name, name.title(), 1, (EAST,), (source,), projects, ())


def _prices() -> str:
    lines = ["service_code,price_code,region_id,unit,price,currency,valid_from,source_url"]
    for (service, code), (unit, price) in OWN_PRICES.items():
        lines.append(f"{service},{code},{EAST},{unit},{price},USD,2026-01-01,a contract")
    return "\n".join(lines) + "\n"


def _declaration() -> str:
    """Declare both tenants; inventories are files, which `finops ingest-file` takes."""
    from_plan = []
    for name in ACCOUNTS:
        tenant = _tenant(name, _source(name))
        (source,) = tenant.sources
        payer = {"name": "payer", "format": source.format, "location": tenant.location(source)}
        projects = [
            {"name": p.name, "environment": p.environment, "accounts": [p.claims[0].account]}
            for p in tenant.projects
        ]
        listed = {"name": "listed", "format": "inventory"}
        from_plan.append({"name": name, "sources": [payer, listed], "projects": projects})
    return json.dumps({"tenants": from_plan}, indent=1)
