"""The forms of bills as landing needs them: required columns, types, columns of amounts.

Put here: one BillForm per source format. Keep out: the conversion of bills to charges (focus).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from finops_pipeline.contracts import cur
from finops_pipeline.contracts.column import MONEY, TEXT, TIME
from finops_pipeline.contracts.documented import is_documented, is_tag
from finops_pipeline.contracts.focus import FOCUS_1_2, FOCUS_1_3
from finops_pipeline.contracts.headers import RESERVED
from finops_pipeline.tenants.model import SourceFormat


@dataclass(frozen=True)
class BillForm:
    """How to read one form of bill. Column names are canonical (see `canonical`).

    `account` is the account that a row is charged to; `account_ids` are all columns of ids, which
    have twelve digits unless the first filled column of `account_owners` names another provider
    than AWS. A row is quarantined if one of its `cost_columns` cannot be read; any other value that
    cannot be read becomes null. `null_texts` are texts that stand for null in a CSV.
    `is_documented` is true for columns of AWS's dictionary, `is_tag` for those that customers name;
    both take a canonical name. `has_reservation_units` is true where reservations may be counted in
    normalized units.
    """

    canonical: Callable[[str], str]
    types: dict[str, str]
    required: tuple[str, ...]
    cost_columns: frozenset[str]
    account: str
    account_ids: tuple[str, ...]
    account_owners: tuple[str, ...]
    line_type: str
    service: str
    total: str
    currency: str
    period_start: str
    null_texts: tuple[str, ...]
    is_documented: Callable[[str], bool]
    is_tag: Callable[[str], bool]
    has_reservation_units: bool

    def typed(self, columns: dict[str, str]) -> dict[str, tuple[str, str]]:
        """Select a file's columns that must be readable as a number or time.

        Args:
            columns: column name in the file -> its DuckDB type.

        Returns:
            canonical name -> (column name in the file, type in the contract).
        """
        by_name = self.find(columns)
        return {
            name: (column, self.types[name])
            for name, column in by_name.items()
            if self.types[name] in (MONEY, TIME)
        }

    def find(self, columns: dict[str, str]) -> dict[str, str]:
        """Map canonical names to columns of a file, for the columns of this form.

        If a file has both the exact name and an alias, the exact name is used.
        """
        by_name: dict[str, str] = {}
        for column in columns:
            name = self.canonical(column)
            exact = name.replace("_", "") == "".join(filter(str.isalnum, column.lower()))
            if name in self.types and (name not in by_name or exact):
                by_name[name] = column
        return by_name

    def unknown(self, columns: Iterable[str]) -> list[str]:
        """Select, in order, the columns of a landing that neither AWS documents nor we add."""
        return [
            name
            for name in columns
            if name.lower() not in RESERVED and not self.is_documented(self.canonical(name))
        ]


_FOCUS_COLUMNS = FOCUS_1_2 + FOCUS_1_3
_FOCUS_NAMES = {column.name.lower(): column.name for column in _FOCUS_COLUMNS}
_FOCUS_TYPES = {column.name: column.type for column in _FOCUS_COLUMNS} | {
    "x_CostCategories": TEXT,
    "x_Discounts": TEXT,
    "x_Operation": TEXT,
    "x_ServiceCode": TEXT,
    "x_UsageType": TEXT,
}


def focus_name(header: str) -> str:
    """Return a FOCUS column id in the standard's capitalization, whatever the file's."""
    names = _FOCUS_NAMES | {name.lower(): name for name in _FOCUS_TYPES}
    return names.get(header.strip().lower(), header.strip())


CUR = BillForm(
    canonical=cur.canonical,
    types=cur.COLUMNS,
    required=cur.REQUIRED,
    cost_columns=cur.COST_COLUMNS,
    account=cur.ACCOUNT,
    account_ids=(cur.ACCOUNT, "bill_payer_account_id"),
    account_owners=(),
    line_type=cur.LINE_TYPE,
    service=cur.SERVICE,
    total=cur.TOTAL,
    currency=cur.CURRENCY,
    period_start=cur.PERIOD_START,
    null_texts=("",),
    is_documented=lambda name: is_documented(name) or name in cur.COLUMNS,
    is_tag=is_tag,
    has_reservation_units=True,
)

_FOCUS_REQUIRED = (
    "BilledCost",
    "EffectiveCost",
    "BillingCurrency",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargePeriodStart",
)

FOCUS = BillForm(
    canonical=focus_name,
    types=_FOCUS_TYPES,
    required=_FOCUS_REQUIRED,
    cost_columns=frozenset(_FOCUS_REQUIRED),
    account="SubAccountId",
    account_ids=("SubAccountId", "BillingAccountId"),
    account_owners=("ServiceProviderName", "ProviderName", "InvoiceIssuerName"),
    line_type="ChargeCategory",
    service="ServiceName",
    total="BilledCost",
    currency="BillingCurrency",
    period_start="BillingPeriodStart",
    null_texts=("", "NULL"),
    is_documented=_FOCUS_TYPES.__contains__,
    is_tag=lambda name: False,
    has_reservation_units=False,
)

FORMS = {
    SourceFormat.LEGACY_CUR: CUR,
    SourceFormat.CUR_2: CUR,
    SourceFormat.FOCUS: FOCUS,
}
