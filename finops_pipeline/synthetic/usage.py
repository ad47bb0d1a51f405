"""Metered usage: every stream of a source, slot by slot, as lines of type Usage.

Put here: quantities, weekly pattern, planted spikes, tags and resource names of plain usage, and
the context of a source-month. Keep out: the table of streams, usage that a commitment covers.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from finops_pipeline.synthetic.catalogue import (
    REGION_NAMES,
    REGION_PREFIXES,
    Product,
    sku_of,
    token,
    uuid_like,
)
from finops_pipeline.synthetic.rows import Detail, Line, Period, Slot
from finops_pipeline.synthetic.spec import Source, Tenant
from finops_pipeline.synthetic.streams import STREAMS, Stream

NET_SHARE = Decimal("0.94")
NORMALIZATION: dict[str, str] = {
    "micro": "0.5", "medium": "2", "large": "4", "xlarge": "8", "2xlarge": "16",
}  # fmt: skip

# The age of the month in which a tag column first appears: the third of a seven-month estate.
LATE_TAG_AGE = 4

# Tag styles, by position in `Scene.tags`, that also determine the style of descriptions.
UNTAGGED, AWKWARD, PARTIAL = 3, 4, 5

# A small source has one in this many streams.
SMALL_STEP = 3

SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Scene:
    """The context of a source-month: whose bill it is, which export, and which period."""

    tenant: Tenant
    source: Source
    period: Period

    def rng(self, part: str) -> random.Random:
        """Make a separate random generator for a part, so that parts do not affect each other."""
        tenant, period = self.tenant, self.period
        return random.Random(
            f"{tenant.seed}/{tenant.name}/{self.source.name}/{period.month}/{part}"
        )

    def version(self, restatement: int, rows: int) -> str:
        """Make the id of a delivery, which differs whenever its content does."""
        tenant, period = self.tenant, self.period
        names = (tenant.name, self.source.name, period.month)
        return uuid_like("version", tenant.seed, *names, period.days, restatement, rows)

    def region(self, place: int) -> str:
        """Return the tenant's region number `place`, modulo the number of regions."""
        return self.tenant.regions[place % len(self.tenant.regions)]

    def net(self, cost: Decimal) -> Decimal | None:
        """Return the cost after the private discount; None if the export has no net columns."""
        return cost * NET_SHARE if self.source.net_columns else None

    def tags(self, style: int, name: str) -> tuple[tuple[str, str], ...]:
        """Make tags in one of six styles: tidy, wrong case, capitals, none, awkward, partial."""
        marker = self.tenant.marker
        styles: tuple[tuple[tuple[str, str], ...], ...] = (
            (("user:Team", "web"), ("user:Env", "Prod"), ("user:Owner", f"{marker}@example.com")),
            (("user:Team", "web"), ("user:env", "prod"), ("user:Name", name)),
            (("user:Team", "Platform"), ("user:Env", "PROD"), ("aws:createdBy", f"Root:{marker}")),
            (),
            (("user:Team", 'data, "lake"\nand more'), ("user:Env", "prod")),
            (("user:env", "Prod"),),
        )
        chosen = styles[style % len(styles)]
        if chosen and self.period.age <= LATE_TAG_AGE and style % 2 == 0:
            return (*chosen, ("user:CostCenter", f"cc-{1000 + style}"))
        return chosen


def usage_lines(scene: Scene) -> Iterator[Line]:
    """Yield all Usage lines of the source-month, stream by stream in time order."""
    for index, stream in enumerate(STREAMS):
        has_account = stream.role in scene.source.accounts
        if has_account and not (scene.source.small and index % SMALL_STEP):
            yield from _stream_lines(scene, stream)


def resource_of(scene: Scene, stream: Stream) -> str:
    """Make the resource id of a stream: the same in all months, with the tenant's marker."""
    name = f"{stream.name}-{scene.tenant.marker}"
    short = token(scene.tenant.name, scene.source.name, stream.name, length=17)
    account, region = scene.source.accounts[stream.role], scene.region(stream.place)
    forms = {
        "AmazonEC2": f"i-{short}",
        "AmazonEBS": f"vol-{short}",
        "AmazonRDS": f"arn:aws:rds:{region}:{account}:db:{name}",
        "AmazonS3": name,
        "AWSLambda": f"arn:aws:lambda:{region}:{account}:function:{name}",
        "AmazonCloudWatch": f"arn:aws:logs:{region}:{account}:log-group:/{name}",
    }
    return forms.get(stream.product.code, name)


def product_details(product: Product, usage_type: str, region: str) -> dict[str, Detail]:
    """Make the product_* columns that every metered line has."""
    return {
        "product_product_name": product.name,
        "product_servicecode": product.code,
        "product_product_family": product.family,
        "product_sku": sku_of(product, usage_type),
        "product_usagetype": usage_type,
        "product_region": region,
        "product_region_code": region,
        "product_location": REGION_NAMES.get(region, ""),
        "product_location_type": "AWS Region" if region else "",
    }


def instance_details(instance_type: str, amount: Decimal) -> dict[str, Detail]:
    """Make instance and normalization columns; empty unless the line is of an instance."""
    if not instance_type:
        return {}
    factor = Decimal(NORMALIZATION[instance_type.rsplit(".", 1)[1]])
    family = instance_type.removeprefix("db.").split(".")[0]
    return {
        "product_instance_type": instance_type,
        "product_instance_family": family,
        "product_operating_system": "Linux",
        "line_item_normalization_factor": factor,
        "line_item_normalized_usage_amount": factor * amount,
    }


def on_demand_details(scene: Scene, usage_type: str, sku: str, unit: str) -> dict[str, Detail]:
    """Make the pricing_* columns of a public price; Spot has its own purchase option."""
    rate_code = f"{sku}.JRTCKXETXF.6YS6EN2CT7"
    return {
        "pricing_rate_code": rate_code,
        "pricing_rate_id": str(int(token("rate", sku, length=9), 16)),
        "pricing_currency": "USD",
        "pricing_term": "Spot" if "SpotUsage" in usage_type else "OnDemand",
        "pricing_purchase_option": "Spot" if "SpotUsage" in usage_type else "",
        "pricing_unit": unit,
    }


def _stream_lines(scene: Scene, stream: Stream) -> Iterator[Line]:
    rng = scene.rng(f"usage/{stream.name}")
    region = scene.region(stream.place)
    usage_type = _usage_type(scene, stream, region)
    resource = resource_of(scene, stream)
    details = product_details(stream.product, usage_type, region)
    sku = str(details["product_sku"])
    details |= on_demand_details(scene, usage_type, sku, stream.unit)
    if stream.product.code == "AWSDataTransfer":
        details |= _transfer_details(scene, stream, region)
    price = Decimal(stream.price)
    public = Decimal(stream.public or stream.price)
    for slot in scene.period.slots(stream.hourly_days):
        if slot.start.day > stream.last_day:
            return
        amount = _amount(rng, scene, stream, slot)
        yield Line(
            kind="Usage",
            account=scene.source.accounts[stream.role],
            start=slot.start,
            end=slot.end,
            product=stream.product,
            usage_type=usage_type,
            amount=amount,
            cost=amount * price,
            net_cost=scene.net(amount * price),
            description=_description(scene, stream, region),
            unit=stream.unit,
            operation=stream.operation,
            region=region,
            resource_id=resource,
            rate=price,
            public_rate=public,
            cost_category=stream.role if stream.tag_style != UNTAGGED else "",
            tags=scene.tags(stream.tag_style, stream.name),
            details=details | instance_details(stream.instance_type, amount),
        )


def _amount(rng: random.Random, scene: Scene, stream: Stream, slot: Slot) -> Decimal:
    """Draw the units metered in a slot: fewer at weekends, more in spikes."""
    decimals = stream.fine if scene.source.fine_grained else stream.decimals
    scale = 10 ** (decimals - stream.decimals)
    steady = stream.low == stream.high
    drawn = rng.randint(stream.low * scale, stream.high * scale) * slot.hours
    if not steady and slot.start.weekday() >= SATURDAY:
        drawn = drawn * 7 // 10
    for spike in scene.tenant.anomalies:
        spike_key = (spike.source, spike.stream, spike.age)
        if spike_key == (scene.source.name, stream.name, scene.period.age):
            drawn *= spike.factor if slot.start.day in spike.days else 1
    return Decimal(drawn).scaleb(-decimals)


def _usage_type(scene: Scene, stream: Stream, region: str) -> str:
    if "{from}" in stream.usage_type:
        source = REGION_PREFIXES[region].rstrip("-") or "USE1"
        target = REGION_PREFIXES[scene.region(stream.place + 1)].rstrip("-") or "USE1"
        return stream.usage_type.format_map({"from": source, "to": target})
    return REGION_PREFIXES[region] + stream.usage_type


def _transfer_details(scene: Scene, stream: Stream, region: str) -> dict[str, Detail]:
    between = "{from}" in stream.usage_type
    target = scene.region(stream.place + 1) if between else ""
    return {
        "product_from_location": REGION_NAMES[region],
        "product_from_location_type": "AWS Region",
        "product_from_region_code": region,
        "product_to_location": REGION_NAMES[target] if between else "External",
        "product_to_location_type": "AWS Region" if between else "Other",
        "product_to_region_code": target,
        "product_transfer_type": "InterRegion Outbound" if between else "AWS Outbound",
    }


def _description(scene: Scene, stream: Stream, region: str) -> str:
    """Make the line's description; some contain commas, quotes and newlines, as real ones do."""
    where = REGION_NAMES[region]
    if stream.tag_style == AWKWARD:
        return f'${stream.price} per {stream.unit}, "{stream.name}"\nin {where}'
    if stream.tag_style == PARTIAL:
        return f"${stream.price} per {stream.unit}, {where} ({scene.tenant.marker})"
    return f"${stream.price} per {stream.unit} in {where}"
