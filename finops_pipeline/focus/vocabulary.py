"""The words of a month's charges: the few texts that a column can have, as types of DuckDB.

Put here: which values of a report a column of charges takes its texts from. Keep out: computing the
columns (sql/), writing them (month_pass.py).

Charges are mostly text, and most of that is a few words repeated. DuckDB hashes and copies each
text, but for a word of an ENUM it handles only a number. Readers of the Parquet files see plain
text either way. A text that is not among the words stops the statement, so that a rule in
sql/ that this module does not know makes a month slower, never wrong.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from finops_pipeline.contracts.focus import CHARGE
from finops_pipeline.lake.duck import Connection, ident

_CONSTANT = re.compile(r"'[^']*'$|\(select ")

LEAST_ROWS = 50_000
"""Rows below which reading the words takes longer than they save."""
SAMPLED_ROWS, MOST_WORDS = 60_000, 50_000
ROWS_PER_WORD = 20
"""The least number of rows per word and file, on average."""

_ACCOUNT = "line_item_usage_account_id"
_PAYER = "bill_payer_account_id"
_CODE, _METER = "line_item_product_code", "line_item_usage_type"
_TYPE, _CURRENCY = "line_item_line_item_type", "line_item_currency_code"
_PLAN, _RESERVATION = "savings_plan_savings_plan_a_r_n", "reservation_reservation_a_r_n"
_ENTITIES = ("line_item_legal_entity", "bill_billing_entity", "bill_invoicing_entity")
_ZONE = "line_item_availability_zone"
_REGIONS = (
    "product_region_code",
    "product_region",
    "product_from_region_code",
    f"regexp_extract({_ZONE}, '^[a-z]{{2}}(-[a-z]+)+-[0-9]+')",
)
_SKU = ("product_sku", f"{_CODE} || ':' || {_METER}", f"{_CODE} || ':' || {_TYPE}", _TYPE)
_COMPANY = "'Amazon Web Services, Inc.'"
_UNUSED = "'Unused portion of ' || "

SOURCES: dict[str, Sequence[str]] = {
    "AvailabilityZone": (_ZONE,),
    "BillingAccountId": (_PAYER, _ACCOUNT),
    "BillingAccountName": ("bill_payer_account_name", _PAYER, _ACCOUNT),
    "BillingAccountType": ("'Management Account'",),
    "BillingCurrency": (_CURRENCY,),
    "ChargeDescription": (
        "line_item_line_item_description",
        f"{_UNUSED} coalesce({_PLAN}, '')",
        f"{_UNUSED} {_RESERVATION}",
        "'Rest of Savings Plan negations'",
    ),
    "CommitmentDiscountId": (_PLAN, _RESERVATION),
    "CommitmentDiscountName": (),
    "CommitmentDiscountType": ("'Savings Plan'", "'Reserved Instance'"),
    "CommitmentDiscountUnit": (_CURRENCY, "'NFU-Hours'", "'Hours'"),
    "ConsumedUnit": ("focus_unit(pricing_unit)", _CURRENCY, "'Units'"),
    "InvoiceId": ("bill_invoice_id",),
    "InvoiceIssuerName": (*_ENTITIES[1:], _COMPANY),
    "PricingCurrency": ("pricing_currency", _CURRENCY),
    "PricingUnit": ("focus_unit(pricing_unit)", _CURRENCY, "'Units'"),
    "ProviderName": ("'AWS'",),
    "PublisherName": (*_ENTITIES, _COMPANY),
    "RegionId": _REGIONS,
    "RegionName": (*_REGIONS, "(select list(region_name) from regions)"),
    "ServiceCategory": ("(select list(service_category) from services)", "'Other'"),
    "ServiceName": (
        "product_product_name",
        "(select list(service_name) from services)",
        _CODE,
        "'AWS'",
    ),
    "ServiceSubcategory": ("(select list(service_subcategory) from services)", "'Other (Other)'"),
    "SkuId": _SKU,
    "SkuMeter": (_METER, _TYPE),
    "SkuPriceId": ("pricing_rate_code", *_SKU),
    "SubAccountId": (_ACCOUNT,),
    "SubAccountName": ("line_item_usage_account_name", _ACCOUNT),
    "SubAccountType": ("'AWS Account'",),
    "ServiceProviderName": ("'AWS'",),
    "HostProviderName": ("'AWS'",),
    "x_Source": ("x_source",),
    "x_LineItemType": (_TYPE,),
    "x_BillType": ("bill_bill_type",),
    "x_BillingEntity": ("bill_billing_entity",),
    "x_TaxType": ("line_item_tax_type",),
    "x_ServiceCode": (_CODE,),
    "x_UsageType": (_METER,),
    "x_Operation": ("line_item_operation",),
    "x_InstanceType": ("product_instance_type",),
    "x_SourceFile": ("x_source_file",),
    "x_TagKeys": ("tag_keys",),
    "x_FilledCosts": (),
}
"""Column of a charge -> SQL over `line_items` of all its texts; constants are read once."""


def make_word_types(
    connection: Connection, views: Sequence[str], rows: int, files: int
) -> dict[str, str]:
    """Create a type for each column that has few words, and return column -> name of its type.

    Args:
        views: names of the views of `line_items` that the charges are made from.
        rows: their number of rows.
        files: number of files that the charges are written to.
    """
    if rows < LEAST_ROWS:
        return {}
    most = min(MOST_WORDS, rows // (ROWS_PER_WORD * files))
    words = {column.name: set(column.allowed) for column in CHARGE if column.allowed}
    constants = _read_constants(connection)
    known = [_read_words(connection, view, most) | constants for view in views]
    for column, sources in SOURCES.items():
        if all(source in texts for texts in known for source in sources):
            words[column] = {
                word for texts in known for source in sources for word in texts[source]
            }
    return {
        column: _make_type(connection, column, texts)
        for column, texts in words.items()
        if len(texts) <= most and not any("\0" in word for word in texts)
    }


def _expressions(is_constant: bool) -> list[str]:
    sources = {source for sources in SOURCES.values() for source in sources}
    return sorted(s for s in sources if bool(_CONSTANT.match(s)) is is_constant)


Words = dict[str, list[str]]
"""SQL expression -> its distinct values."""


def _read_constants(connection: Connection) -> Words:
    constants = _expressions(is_constant=True)
    values = ", ".join(s if s.startswith("(") else f"[{s}]" for s in constants)
    row = connection.execute(f"select {values}").fetchall()[0]
    return dict(zip(constants, row, strict=True))


def _read_words(connection: Connection, view: str, most: int) -> Words:
    """Read the values of every expression that has at most `most`, judged by a sample first."""
    sources = _expressions(is_constant=False)
    counts = ", ".join(f"approx_count_distinct({source})" for source in sources)
    sample = f"(from {view} limit {SAMPLED_ROWS})"
    row = connection.execute(f"select {counts} from {sample}").fetchall()[0]
    few = [source for source, count in zip(sources, row, strict=True) if count <= most]
    lists = ", ".join(f"list(distinct {source}) filter ({source} is not null)" for source in few)
    row = connection.execute(f"select {lists} from {view}").fetchall()[0]
    return {source: values or [] for source, values in zip(few, row, strict=True)}


def _make_type(connection: Connection, column: str, words: Collection[str]) -> str:
    name = ident(f"words of {column}")
    # The words come from a bill, so they are passed as values and are not part of the SQL.
    connection.execute(
        "create or replace temp table word as select unnest(?::varchar[]) as word",
        [sorted(words) or [""]],
    )
    connection.execute(f"drop type if exists {name}")
    connection.execute(f"create type {name} as enum (select word from word order by word)")
    return name
