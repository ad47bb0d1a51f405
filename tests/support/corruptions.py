"""Single ways to corrupt published charges, one row (or file) at a time.

Put here: what is done to which row, as data; doing it; and which of our checks notices.
Keep out: that one of them must (test_corruptions.py);
what the official validator notices (conformance/score.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from finops_pipeline.application.installation import Installation
from finops_pipeline.focus.conformance import find_published_violations
from finops_pipeline.marts.results import check_published

_USAGE = (
    "x_LineItemType = 'Usage' and BilledCost > 1 and ListCost > 1 and PricingQuantity > 1"
    " and PricingCategory = 'Standard' and ResourceId is not null"
)
_COVERED = "x_LineItemType = 'SavingsPlanCoveredUsage' and EffectiveCost > 0"
_RESERVED = "x_LineItemType = 'DiscountedUsage' and EffectiveCost > 0"
_FEE = "x_LineItemType = 'SavingsPlanRecurringFee' and x_RowKind = 'line' and BilledCost > 0"
_UNUSED = "x_RowKind = 'unused' and EffectiveCost > 0"
_TAX = "x_LineItemType = 'Tax' and BilledCost > 0"
_CREDIT = "x_LineItemType = 'Credit'"
_UNBILLED = "x_LineItemType = 'DiscountedUsage' and BilledCost = 0"
_NET = "x_NetUnblendedCost > 0"
_EXPORTED = "x_Source = 'labs' and ChargeCategory = 'Usage' and BilledCost > 0"


@dataclass(frozen=True)
class Corruption:
    """A way to corrupt charges: `column` becomes `value` (SQL) in the first row that is `victim`.

    The values `lost` and `doubled` remove or repeat the row instead; `whole` is SQL over all rows
    of the file (`charges`) and changes the file instead of a row.
    """

    name: str
    victim: str = "true"
    column: str = ""
    value: str = ""
    project: str = "prod"
    tenant: str = "acme"
    whole: str = ""


def _values(
    victim: str, kind: str, *changes: tuple[str, str], project: str = "prod"
) -> list[Corruption]:
    return [
        Corruption(f"{kind}: {column} := {value}", victim, column, value, project)
        for column, value in changes
    ]


ROWS: list[Corruption] = [
    *_values(
        _USAGE, "enum",
        ("ChargeCategory", "'Usages'"), ("ChargeCategory", "'usage'"),
        ("ChargeClass", "'correction'"), ("ChargeFrequency", "'Monthly'"),
        ("PricingCategory", "'On-Demand'"), ("CapacityReservationStatus", "'Idle'"),
        ("ServiceCategory", "'Computing'"), ("ServiceSubcategory", "'Virtual Machine'"),
        ("x_RowKind", "'rest'"), ("RegionName", "'Europe (Atlantis)'"),
        ("x_LineItemType", "'Fee'"), ("x_LineItemType", "'Usages'"), ("x_ServiceCode", "'AmazonX'"),
    ),
    *_values(
        _COVERED, "enum of covered",
        ("CommitmentDiscountStatus", "'used'"), ("CommitmentDiscountCategory", "'Money'"),
    ),
    *_values(
        _USAGE, "sign",
        ("BilledCost", "-BilledCost"), ("EffectiveCost", "-EffectiveCost"),
        ("ListCost", "-ListCost"), ("ContractedCost", "-ContractedCost"),
        ("ListUnitPrice", "-ListUnitPrice"), ("ContractedUnitPrice", "-ContractedUnitPrice"),
        ("PricingQuantity", "-PricingQuantity"), ("ConsumedQuantity", "-ConsumedQuantity"),
    ),
    *_values(
        _CREDIT, "sign of a credit",
        ("BilledCost", "-BilledCost"), ("EffectiveCost", "-EffectiveCost"), project="dev",
    ),
    *_values(
        _USAGE, "amount",
        ("BilledCost", "BilledCost + 0.01"), ("BilledCost", "BilledCost + 1e-18::decimal(38,18)"),
        ("BilledCost", "0"), ("x_UnblendedCost", "x_UnblendedCost + 0.01"),
        ("EffectiveCost", "EffectiveCost + 0.01"),
    ),
    *_values(
        _USAGE, "price x quantity",
        ("ListCost", "ListCost + 1"), ("ListCost", "ListCost * 1.00001"),
        ("ContractedCost", "ContractedCost + 0.0001"), ("ListUnitPrice", "ListUnitPrice * 2"),
        ("ContractedUnitPrice", "ContractedUnitPrice / 2"),
        ("PricingQuantity", "PricingQuantity * 2"),
        ("PricingCurrencyListUnitPrice", "ListUnitPrice * 2"),
    ),
    *_values(
        _COVERED, "amount covered",
        ("BilledCost", "ListCost"), ("EffectiveCost", "EffectiveCost + 0.01"),
        ("EffectiveCost", "0"),
    ),
    *_values(
        _RESERVED, "amount reserved", ("EffectiveCost", "EffectiveCost * 2"), ("BilledCost", "1"),
    ),
    *_values(_FEE, "amount of a fee", ("EffectiveCost", "BilledCost"), ("BilledCost", "0")),
    *_values(_UNUSED, "amount unused", ("EffectiveCost", "0"), ("BilledCost", "EffectiveCost")),
    *_values(
        _USAGE, "null",
        *((name, "null") for name in (
            "BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "ChargeCategory",
            "ChargeFrequency", "ListUnitPrice", "ContractedUnitPrice", "PricingQuantity",
            "PricingUnit", "PricingCategory", "SkuId", "SkuPriceId", "BillingCurrency",
            "InvoiceIssuerName", "PublisherName", "ServiceName", "ServiceCategory",
            "ChargePeriodStart", "BillingPeriodStart", "SubAccountId", "SubAccountType",
            "BillingAccountId", "ConsumedQuantity", "ConsumedUnit", "ResourceType", "x_RowKind",
        )),
    ),
    *_values(
        _COVERED, "null on covered",
        ("CommitmentDiscountId", "null"), ("CommitmentDiscountStatus", "null"),
        ("CommitmentDiscountType", "null"), ("CommitmentDiscountQuantity", "null"),
        ("CommitmentDiscountUnit", "null"), ("RegionName", "null"),
    ),
    *_values(
        _USAGE, "placeholder",
        ("ResourceId", "''"), ("InvoiceId", "'null'"), ("ChargeDescription", "'N/A'"),
    ),
    *_values(
        _USAGE, "period",
        ("ChargePeriodEnd", "ChargePeriodStart"),
        ("ChargePeriodEnd", "ChargePeriodStart - interval 1 hour"),
        ("ChargePeriodEnd", "ChargePeriodEnd - interval 1 second"),
        ("ChargePeriodStart", "ChargePeriodStart - interval 40 days"),
        ("ChargePeriodEnd", "ChargePeriodEnd + interval 2 months"),
        ("BillingPeriodStart", "BillingPeriodStart + interval 1 month"),
        ("BillingPeriodStart", "BillingPeriodStart + interval 1 day"),
        ("BillingPeriodEnd", "BillingPeriodEnd - interval 1 second"),
    ),
    *_values(
        _USAGE, "currency",
        ("BillingCurrency", "'US$'"), ("BillingCurrency", "'EUR'"),
        ("PricingCurrency", "'Dollars'"),
    ),
    *_values(
        _TAX, "tax",
        ("SkuId", "'SKU1'"), ("PricingQuantity", "1"), ("PricingCategory", "'Standard'"),
        ("ChargeCategory", "'Usage'"), ("ConsumedQuantity", "1"),
    ),
    *_values(
        _USAGE, "combination",
        ("ChargeCategory", "'Tax'"), ("ChargeCategory", "'Credit'"),
        ("ChargeClass", "'Correction'"), ("PricingCategory", "'Committed'"),
        ("ServiceCategory", "case ServiceCategory when 'Storage' then 'Web' else 'Storage' end"),
        ("ServiceSubcategory", "'Bots'"), ("CommitmentDiscountStatus", "'Used'"),
    ),
    *_values(_CREDIT, "credit", ("ChargeCategory", "'Adjustment'"), project="dev"),
    *_values(
        _FEE, "fee",
        ("ChargeFrequency", "'Usage-Based'"), ("PricingCategory", "'Committed'"),
        ("CommitmentDiscountStatus", "'Used'"), ("ResourceId", "'vm-1'"),
        ("ChargeCategory", "'Usage'"), ("CommitmentDiscountQuantity", "null"),
    ),
    *_values(
        _COVERED, "commitment",
        ("CommitmentDiscountStatus", "'Unused'"), ("PricingCategory", "'Standard'"),
        ("CommitmentDiscountCategory", "'Usage'"), ("CommitmentDiscountUnit", "'Hours'"),
        ("CommitmentDiscountId", "CommitmentDiscountId || 'x'"),
        ("CommitmentDiscountType", "'Reserved Instance'"),
    ),
    *_values(
        _UNUSED, "unused",
        ("CommitmentDiscountStatus", "'Used'"), ("ResourceId", "'vm-1'"), ("x_RowKind", "'line'"),
    ),
    *_values(
        _USAGE, "JSON",
        ("Tags", "'{\"team\": '"), ("Tags", "'[\"team\"]'"), ("Tags", "'{\"team\": {\"a\": 1}}'"),
        ("SkuPriceDetails", "'{\"core count\": 4}'"), ("x_CostCategories", "'none'"),
    ),
    *_values(
        _USAGE, "moved",
        ("SubAccountId", "reverse(SubAccountId)"), ("SubAccountId", "left(SubAccountId, 11)"),
        ("x_Source", "'labs'"), ("RegionId", "null"),
    ),
    Corruption("net: one row without", _NET, "x_NetUnblendedCost", "null", tenant="globex"),
    Corruption("export: BilledCost + 0.01", _EXPORTED, "BilledCost", "BilledCost + 0.01", "dev"),
    Corruption("export: ChargeCategory", _EXPORTED, "ChargeCategory", "'usage'", "dev"),
    Corruption("export: EffectiveCost null", _EXPORTED, "EffectiveCost", "null", "dev"),
    Corruption("lost row", _USAGE, value="lost"),
    Corruption("lost row that bills nothing", _UNBILLED, value="lost"),
    Corruption("lost unused part", _UNUSED, value="lost"),
    Corruption("doubled row", _USAGE, value="doubled"),
    Corruption("doubled row that bills nothing", _UNBILLED, value="doubled"),
]  # fmt: skip

FILES: list[Corruption] = [
    Corruption("column is gone", whole="select * exclude (ServiceName) from charges"),
    Corruption("column without x_", whole="select *, 1 as Margin from charges"),
    Corruption("column renamed", whole="select * rename (BilledCost as BillCost) from charges"),
    Corruption(
        "money as float",
        whole="select * replace (BilledCost::double as BilledCost) from charges",
    ),
    Corruption(
        "money as text",
        whole="select * replace (EffectiveCost::varchar as EffectiveCost) from charges",
    ),
    Corruption(
        "money with two decimals",
        whole="select * replace (BilledCost::decimal(18, 2) as BilledCost) from charges",
    ),
    Corruption("no rows", whole="select * from charges where false"),
    Corruption("file cut off", whole="cut"),
    Corruption("file gone", whole="gone"),
]

CORRUPTIONS: list[Corruption] = [*ROWS, *FILES]


def noticed_by(
    installation: Installation, tenant: str, month: str, project: str | None = None
) -> list[str]:
    """List the rules that report a violation; if there are none, the checks that failed."""
    _, violations = find_published_violations(
        installation.folder(tenant), installation.limits, month, project
    )
    rules = sorted(
        {violation.finding.rule for violation in violations if not violation.finding.is_known_gap}
    )
    if rules:
        return rules
    results = check_published(installation.folder(tenant), installation.limits, month)
    return sorted({result.check_name for result in results if result.state == "failed"})


def corrupt(file: Path, how: Corruption, to: Path) -> None:
    """Write a file of charges, corrupted, to another place (or the same); it must differ."""
    if how.whole == "gone":
        to.unlink(missing_ok=True)
        return
    if how.whole == "cut":
        to.write_bytes(file.read_bytes()[:-200])
        return
    beside = to.with_suffix(".new")
    with duckdb.connect() as connection:
        connection.execute(
            f"create view charges as from read_parquet('{file}', hive_partitioning = false)"
        )
        sql = how.whole or _changed(connection, how)
        connection.execute(f"copy ({sql}) to '{beside}' (format parquet)")
    beside.replace(to)


def _changed(connection: duckdb.DuckDBPyConnection, how: Corruption) -> str:
    rows = "(select *, row_number() over () as number from charges)"
    victim_row = connection.execute(f"select min(number) from {rows} where {how.victim}").fetchone()
    assert victim_row and victim_row[0] is not None, f"no row is {how.victim}"
    number = victim_row[0]
    if how.value == "lost":
        return f"select * exclude (number) from {rows} where number <> {number}"
    if how.value == "doubled":
        again = f"select * exclude (number) from {rows} where number = {number}"
        return f"select * from charges union all {again}"
    kind = connection.execute(f'select typeof("{how.column}") from charges limit 1').fetchone()
    value = f"case when number = {number} then {how.value} else {how.column} end"
    differs = f"select {how.column} is distinct from ({how.value}) from {rows}"
    changed = connection.execute(f"{differs} where number = {number}").fetchone()
    assert changed == (True,), f"{how.name}: nothing changes"
    assert kind is not None
    replaced = f"{value}::{kind[0]} as {how.column}"
    return f"select * exclude (number) replace ({replaced}) from {rows}"
