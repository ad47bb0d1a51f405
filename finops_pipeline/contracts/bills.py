"""What landing must know of each form of bill: required columns, types, where the money is.

Put here: one BillForm per source format. Keep out: how bills become charges (focus).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from finops_pipeline.contracts import cur
from finops_pipeline.contracts.column import MONEY, TEXT, TIME
from finops_pipeline.contracts.documented import is_documented, is_tag
from finops_pipeline.contracts.focus import FOCUS_1_2
from finops_pipeline.contracts.headers import RESERVED
from finops_pipeline.tenants.model import SourceFormat


@dataclass(frozen=True)
class BillForm:
    """How to read one form of bill. Column names are canonical (see `canonical`).

    `account` is whose a row is; `account_ids` are all columns that hold ids of twelve digits.
    `is_documented` tells whether AWS's dictionary has a column, `is_tag` whether its customers
    name it; both take a canonical name. `has_reservation_units` tells whether reservations may
    be counted in normalized units, which conversion needs to know.
    """

    canonical: Callable[[str], str]
    types: dict[str, str]
    required: tuple[str, ...]
    account: str
    account_ids: tuple[str, ...]
    line_type: str
    service: str
    total: str
    currency: str
    period_start: str
    null_words: tuple[str, ...]
    is_documented: Callable[[str], bool]
    is_tag: Callable[[str], bool]
    has_reservation_units: bool

    def typed(self, columns: dict[str, str]) -> dict[str, tuple[str, str]]:
        """Of a file's columns, those that must be readable as number or time.

        Args:
            columns: column name in the file -> its DuckDB type.

        Returns:
            canonical name -> (column name in the file, promised type).
        """
        found = self.find(columns)
        return {
            name: (column, self.types[name])
            for name, column in found.items()
            if self.types[name] in (MONEY, TIME)
        }

    def find(self, columns: dict[str, str]) -> dict[str, str]:
        """Canonical name -> column of the file, for the columns we know.

        The exact name wins over an alias when a file has both.
        """
        found: dict[str, str] = {}
        for column in columns:
            name = self.canonical(column)
            exact = name.replace("_", "") == "".join(filter(str.isalnum, column.lower()))
            if name in self.types and (name not in found or exact):
                found[name] = column
        return found

    def unknown(self, columns: Iterable[str]) -> list[str]:
        """Of a landing's columns, those that AWS does not document, in order; ours are none."""
        return [
            name
            for name in columns
            if name.lower() not in RESERVED and not self.is_documented(self.canonical(name))
        ]


_FOCUS_NAMES = {column.name.lower(): column.name for column in FOCUS_1_2}
_FOCUS_TYPES = {column.name: column.type for column in FOCUS_1_2} | {
    "x_CostCategories": TEXT,
    "x_Discounts": TEXT,
    "x_Operation": TEXT,
    "x_ServiceCode": TEXT,
    "x_UsageType": TEXT,
}


def focus_name(header: str) -> str:
    """A FOCUS column id in the standard's own capitals, whatever the file's."""
    names = _FOCUS_NAMES | {name.lower(): name for name in _FOCUS_TYPES}
    return names.get(header.strip().lower(), header.strip())


CUR = BillForm(
    canonical=cur.canonical,
    types=cur.COLUMNS,
    required=cur.REQUIRED,
    account=cur.ACCOUNT,
    account_ids=(cur.ACCOUNT, "bill_payer_account_id"),
    line_type=cur.LINE_TYPE,
    service=cur.SERVICE,
    total=cur.TOTAL,
    currency=cur.CURRENCY,
    period_start=cur.PERIOD_START,
    null_words=("",),
    is_documented=lambda name: is_documented(name) or name in cur.COLUMNS,
    is_tag=is_tag,
    has_reservation_units=True,
)

FOCUS = BillForm(
    canonical=focus_name,
    types=_FOCUS_TYPES,
    required=(
        "BilledCost",
        "EffectiveCost",
        "BillingCurrency",
        "BillingPeriodStart",
        "ChargeCategory",
        "ChargePeriodStart",
    ),
    account="SubAccountId",
    account_ids=("SubAccountId", "BillingAccountId"),
    line_type="ChargeCategory",
    service="ServiceName",
    total="BilledCost",
    currency="BillingCurrency",
    period_start="BillingPeriodStart",
    null_words=("", "NULL"),
    is_documented=_FOCUS_TYPES.__contains__,
    is_tag=lambda name: False,
    has_reservation_units=False,
)

FORMS = {
    SourceFormat.LEGACY_CUR: CUR,
    SourceFormat.CUR_2: CUR,
    SourceFormat.FOCUS: FOCUS,
}
