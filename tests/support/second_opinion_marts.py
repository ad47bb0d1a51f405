"""The marts of costs computed once more from the charges, by Polars with exact decimals.

Put here: charges read from their Parquet files, each mart as a frame of the contract's columns.
Keep out: SQL, anything of finops_pipeline/marts; what a test compares (test_marts_again.py);
movers (second_opinion_movers.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import polars as pl

from finops_pipeline.contracts.tables import MARTS
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.months import end_day, first_day

MONEY = pl.Decimal(38, 18)
ZERO = pl.lit(Decimal(0)).cast(MONEY)
COSTS = ("billed_cost", "effective_cost", "list_cost", "contracted_cost")
DISCOUNTS = {
    "EdpDiscount", "PrivateRateDiscount", "BundledDiscount", "RiVolumeDiscount", "SppDiscount",
    "DistributorDiscount", "CrossServiceDiscount", "Discount",
}  # fmt: skip
RENAMED = {
    "BillingCurrency": "billing_currency", "SubAccountId": "sub_account_id",
    "RegionId": "region_id", "AvailabilityZone": "availability_zone",
    "ServiceName": "service_name", "x_ServiceCode": "service_code",
    "PublisherName": "publisher_name", "x_BillingEntity": "billing_entity",
    "ChargeCategory": "charge_category", "ChargeClass": "charge_class",
    "ChargeFrequency": "charge_frequency", "x_LineItemType": "line_item_type",
    "x_RowKind": "row_kind", "x_UsageType": "usage_type", "x_Operation": "operation",
    "x_InstanceType": "instance_type", "PricingCategory": "pricing_category",
    "CommitmentDiscountId": "commitment_discount_id",
    "CommitmentDiscountStatus": "commitment_discount_status", "ResourceId": "resource_id",
    "ResourceName": "resource_name", "ResourceType": "resource_type", "Tags": "tags",
    "x_CostCategories": "cost_categories", "ConsumedUnit": "consumed_unit", "x_Source": "source",
    "BilledCost": "billed_cost", "EffectiveCost": "effective_cost", "ListCost": "list_cost",
    "ContractedCost": "contracted_cost", "ConsumedQuantity": "consumed_quantity",
    "x_NetUnblendedCost": "net", "x_NetEffectiveCost": "net_effective_cost",
}  # fmt: skip
IS_UNUSED = (pl.col("row_kind") == "unused") | pl.col("commitment_discount_status").eq_missing(
    pl.lit("Unused")
)


def read_charges(folder: Path) -> pl.DataFrame:
    """Read a tenant's charges, with names as in marts, `project` and `billing_period`."""
    frames = []
    for path in sorted((folder / "costs").rglob("*.parquet")):
        keys = dict(part.split("=", 1) for part in path.parts[-3:-1])
        frames.append(
            pl.read_parquet(path, hive_partitioning=False).with_columns(
                pl.lit(keys["project"]).alias("project"),
                pl.lit(keys["billing_period"]).alias("billing_period"),
            )
        )
    return pl.concat(frames, how="diagonal").rename(RENAMED)


def _share(amount: Decimal, part: int, whole: int) -> Decimal:
    """Return part/whole of an amount, cut after ten decimals."""
    units = int((amount * 10**10).quantize(Decimal(1), ROUND_HALF_UP))
    share = abs(units) * part // whole
    return Decimal(share if units >= 0 else -share).scaleb(-10)


def _spread(
    amount: Decimal | None, start: datetime, end: datetime
) -> Iterator[tuple[date, Decimal | None]]:
    """Divide an amount among the days of a time, in proportion to seconds."""
    whole = int((end - start).total_seconds())
    day, before = start.replace(hour=0, minute=0, second=0, microsecond=0), Decimal(0)
    while day < end:
        passed = min(int((day + timedelta(days=1) - start).total_seconds()), whole)
        if amount is None:
            yield day.date(), None
        else:
            by_end = amount if passed == whole else _share(amount, passed, whole)
            yield day.date(), by_end - before
            before = by_end
        day += timedelta(days=1)


def days_of(charge: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the days of the unused part of a commitment, each with its effective cost."""
    month = charge["billing_period"]
    first = datetime.combine(first_day(month), datetime.min.time())
    last = datetime.combine(end_day(month), datetime.min.time())
    start, end = max(charge["ChargePeriodStart"], first), min(charge["ChargePeriodEnd"], last)
    if start >= end:
        start = charge["ChargePeriodStart"]
        end = start + timedelta(hours=1)
    cost, net = charge["effective_cost"], charge["net_effective_cost"]
    known, later, later_net = charge["x_UseKnownUntil"], Decimal(0), Decimal(0)
    parts = [(start, end, cost, net)]
    if known is not None and start < known < end:
        later = charge["x_NotYetUsedCost"] or Decimal(0)
        if later and net is not None:
            scale = Decimal(10) ** 10
            later_net = Decimal(int(net * scale) * int(later * scale) // int(cost * scale))
            later_net = later_net.scaleb(-10)
        parts = [(start, known, cost - later, None if net is None else net - later_net)]
        if later:
            parts.append((known, end, later, None if net is None else later_net))
    for begin, until, amount, net_amount in parts:
        days = zip(_spread(amount, begin, until), _spread(net_amount, begin, until), strict=True)
        for (day, share), (_, net_share) in days:
            yield charge | {
                "charge_date": day, "effective_cost": share, "net_effective_cost": net_share,
                "net": None if net_share is None else Decimal(0),
            }  # fmt: skip


def charge_group(row: dict[str, Any]) -> str:
    """Tell the group of a charge by its own columns."""
    kind, category = row["line_item_type"], row["charge_category"]
    if category == "Tax":
        return "tax"
    if kind in DISCOUNTS or (kind is None and category == "Adjustment"):
        return "discounts"
    one_time_usage = (category, row["charge_frequency"]) == ("Usage", "One-Time")
    is_returned = category == "Credit" or kind == "Refund" or row["charge_class"] == "Correction"
    if is_returned or (kind is None and one_time_usage):
        return "credits_and_refunds"
    publisher = row["publisher_name"]
    is_of_aws = publisher == "AWS" or publisher.lower().startswith("amazon")
    entity = row["billing_entity"]
    if (entity == "AWS Marketplace") if entity is not None else not is_of_aws:
        return "marketplace"
    if "Support" in (row["service_code"] or row["service_name"]):
        return "support"
    is_fee = category == "Purchase" and kind not in ("RIFee", "SavingsPlanRecurringFee")
    if row["row_kind"] == "residual":
        return "commitments"
    if is_fee and (row["commitment_discount_id"] is None or row["charge_frequency"] != "Recurring"):
        return "upfront_and_fees"
    has_commitment = row["commitment_discount_id"] is not None or category == "Purchase"
    return "commitments" if has_commitment else "usage"


def _with_groups(frame: pl.DataFrame) -> pl.DataFrame:
    names = [
        "line_item_type", "charge_category", "charge_frequency", "charge_class", "publisher_name",
        "billing_entity", "service_code", "service_name", "row_kind", "commitment_discount_id",
    ]  # fmt: skip
    combinations = frame.select(names).unique()
    groups = [charge_group(row) for row in combinations.iter_rows(named=True)]
    named = combinations.with_columns(pl.Series("charge_group", groups))
    return frame.join(named, on=names, how="left", nulls_equal=True)


def _sums(*names: str) -> list[pl.Expr]:
    return [pl.col(name).sum() for name in names]


def label_projects(frame: pl.DataFrame, tenant: Tenant) -> pl.DataFrame:
    """Add the environment and business unit of each project."""
    labels = [(p.name, p.environment or None, p.business_unit or None) for p in tenant.all_projects]
    named = pl.DataFrame(
        labels, schema={"project": str, "environment": str, "business_unit": str}, orient="row"
    )
    return frame.join(named, on="project", how="left")


def of_contract(frame: pl.DataFrame, mart: str) -> pl.DataFrame:
    """Return exactly the columns of a mart, in its order."""
    return frame.select([column.name for column in MARTS[mart].columns])


def resource_daily_costs(charges: pl.DataFrame, tenant: Tenant) -> pl.DataFrame:
    """Compute costs by day and resource."""
    grain = list(MARTS["resource_daily_costs"].grain)
    own = charges.with_columns(
        pl.col("ChargePeriodStart").dt.date().alias("charge_date"),
        pl.lit(1).alias("charges"),
        pl.when(IS_UNUSED).then(ZERO).otherwise("effective_cost").alias("effective_cost"),
        pl.when(IS_UNUSED & pl.col("net_effective_cost").is_not_null()).then(ZERO)
        .otherwise("net_effective_cost").alias("net_effective_cost"),
        pl.when(pl.col("line_item_type").eq_missing(pl.lit("SavingsPlanCoveredUsage"))).then(ZERO)
        .otherwise("net").alias("net_billed"),
        (pl.col("net").is_null() & (pl.col("row_kind") != "unused")).alias("is_without_net"),
    )  # fmt: skip
    unused = charges.filter(IS_UNUSED)
    of_days = [day for charge in unused.iter_rows(named=True) for day in days_of(charge)]
    spread = pl.DataFrame(of_days, schema={**unused.schema, "charge_date": pl.Date}).with_columns(
        *(ZERO.alias(n) for n in ("billed_cost", "list_cost", "contracted_cost")),
        pl.lit(None, MONEY).alias("consumed_quantity"),
        pl.lit(None, pl.String).alias("consumed_unit"),
        pl.lit(0).alias("charges"),
        pl.col("net").alias("net_billed"),
        pl.lit(False).alias("is_without_net"),
    )
    both = pl.concat([own, spread], how="diagonal")
    summed = both.group_by(grain).agg(
        *_sums("charges", *COSTS),
        pl.when(pl.col("consumed_quantity").count() > 0)
        .then(pl.col("consumed_quantity").sum()).alias("consumed_quantity"),
        pl.when((pl.col("net").count() > 0) & ~pl.col("is_without_net").any())
        .then(pl.col("net_billed").sum()).alias("net_billed_cost"),
        pl.when(pl.col("net_effective_cost").is_null().any())
        .then(None).otherwise(pl.col("net_effective_cost").sum()).alias("net_effective_cost"),
        pl.col("is_without_net").sum().alias("charges_without_net_cost"),
    )  # fmt: skip
    return of_contract(_with_groups(label_projects(summed, tenant)), "resource_daily_costs")


def summed_costs(days: pl.DataFrame, mart: str) -> pl.DataFrame:
    """Compute charge_groups, daily_costs or monthly_costs from the costs of resources."""
    keys = [n for n in MARTS[mart].grain if n != "project"]
    keys += ["project", "environment", "business_unit"]
    summed = days.group_by(keys).agg(
        *_sums("charges", *COSTS, "charges_without_net_cost"),
        pl.when((pl.col("charges_without_net_cost").sum() == 0)
                & (pl.col("net_billed_cost").count() > 0))
        .then(pl.col("net_billed_cost").sum()).alias("net_billed_cost"),
        pl.when(pl.col("net_effective_cost").is_null().any())
        .then(None).otherwise(pl.col("net_effective_cost").sum()).alias("net_effective_cost"),
    )  # fmt: skip
    return of_contract(summed, mart)


def _steps(row: dict[str, Any]) -> dict[str, Decimal]:
    """Return what a row of resource_daily_costs adds to each column of the waterfall."""
    billed, effective = row["billed_cost"], row["effective_cost"]
    added = {"billed_cost": billed, "effective_cost": effective}
    fee = row["charge_category"] == "Purchase"
    added["commitment_fees" if fee else "amortized_fees"] = billed - effective
    of_group = {"discounts": "discount_cost", "credits_and_refunds": "credit_cost",
                "tax": "tax_cost"}  # fmt: skip
    if row["row_kind"] == "unused" or row["commitment_discount_status"] == "Unused":
        added["unused_cost"] = added["saved_cost"] = effective
    elif row["charge_group"] in of_group:
        added[of_group[row["charge_group"]]] = effective
    elif row["charge_category"] == "Usage":
        at_list, agreed = row["list_cost"], row["contracted_cost"]
        is_spot = row["pricing_category"] == "Dynamic"
        is_covered = row["commitment_discount_id"] is not None
        added["list_cost"] = at_list
        added["spot_savings" if is_spot else "negotiated_savings"] = agreed - at_list
        added["commitment_savings" if is_covered else "adjustment_cost"] = effective - agreed
        added["saved_cost"] = (effective if is_covered else agreed) - at_list
    else:
        added["fee_cost" if fee else "adjustment_cost"] = effective
    return added


def price_waterfall(days: pl.DataFrame) -> pl.DataFrame:
    """Compute the steps from list prices to the bill."""
    names = [c.name for c in MARTS["price_waterfall"].columns]
    dimensions = names[: names.index("list_cost")]
    schema = {n: pl.String if n in dimensions else MONEY for n in names}
    rows = [
        dict.fromkeys(names[len(dimensions) :], Decimal(0))
        | {n: row[n] for n in dimensions}
        | _steps(row)
        for row in days.iter_rows(named=True)
    ]
    frame = pl.DataFrame(rows, schema=schema)
    summed = frame.group_by(dimensions).agg(_sums(*names[len(dimensions) :]))
    return of_contract(summed, "price_waterfall")


def _entries(texts: Iterable[str | None], kind: str | None) -> Iterator[tuple[str, str, str, str]]:
    for text in texts:
        for key, value in json.loads(text or "{}").items():
            of_aws = "aws_tag" if key.startswith("aws:") else "user_tag"
            yield text or "", kind or of_aws, key, value


def tag_costs(days: pl.DataFrame) -> pl.DataFrame:
    """Compute the costs of every value of every key, and of what lacks the key."""
    is_taggable = (
        (pl.col("charge_category") == "Usage")
        & pl.col("charge_group").is_in(["usage", "commitments", "marketplace"])
        & ~IS_UNUSED
        & (pl.col("row_kind") == "line")
        & (pl.col("resource_id").fill_null("") != "")
    )
    days = days.with_columns(
        pl.when(is_taggable).then("effective_cost").otherwise(ZERO).alias("taggable_cost")
    )
    dimensions = ["billing_period", "project", "environment", "business_unit", "sub_account_id",
                  "service_name", "billing_currency"]  # fmt: skip
    costs = ("charges", "billed_cost", "effective_cost", "taggable_cost")
    frames = []
    for month in days["billing_period"].unique():
        of_month = days.filter(pl.col("billing_period") == month)
        for column, kind in (("tags", None), ("cost_categories", "cost_category")):
            listed = pl.DataFrame(
                list(_entries(of_month[column].unique(), kind)),
                schema=dict.fromkeys((column, "tag_kind", "tag_key", "tag_value"), pl.String),
                orient="row",
            )
            for (key_kind, key), entries in listed.group_by(["tag_kind", "tag_key"]):
                values = entries.select(column, "tag_value")
                valued = of_month.join(values, on=column, how="left").with_columns(
                    pl.lit(key_kind).alias("tag_kind"), pl.lit(key).alias("tag_key")
                )
                names = [*dimensions, "tag_kind", "tag_key", "tag_value"]
                frames.append(valued.group_by(names).agg(*_sums(*costs)))
    every = pl.concat(frames)
    is_something = pl.col("tag_value").is_not_null() | pl.any_horizontal(
        pl.col(name) != 0 for name in costs
    )
    return of_contract(every.filter(is_something), "tag_costs")


def tag_coverage(of_tags: pl.DataFrame) -> pl.DataFrame:
    """Compute what has a key and what lacks it, from the costs of tags."""
    grain = [n for n in MARTS["tag_coverage"].grain if n != "project"]
    keys = [*grain, "project", "environment", "business_unit"]
    has_value = pl.col("tag_value").fill_null("").str.strip_chars() != ""
    summed = (
        of_tags.filter(pl.col("taggable_cost") != 0)
        .group_by(keys)
        .agg(
            pl.col("taggable_cost").sum(),
            pl.col("taggable_cost").filter(has_value).sum().alias("tagged_cost"),
            pl.col("taggable_cost").filter(~has_value).sum().alias("untagged_cost"),
        )
    )
    return of_contract(summed, "tag_coverage")
