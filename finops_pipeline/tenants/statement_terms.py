"""The terms of a tenant's statements: cost basis, mark-up and fixed fee.

Put here: the `statements` sections of tenants.yaml as classes, and reading them with errors that
name the place. Keep out: computing a statement (marts/statements), closing it (application).

A project's own mark-up or fee replaces the tenant's. The basis is the tenant's alone, because
statements on different bases would not add up to a bill.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from finops_pipeline.errors import RegistryError
from finops_pipeline.money import plain
from finops_pipeline.tenants.section_fields import (
    read_currency,
    read_fields,
    read_number,
    refuse_value,
)

MOST_PERCENT = 1000
_PERCENT_DIGITS = 4


class CostBasis(StrEnum):
    """Which cost of a charge a statement states."""

    BILLED = "billed"
    EFFECTIVE = "effective"
    NET_BILLED = "net_billed"
    NET_EFFECTIVE = "net_effective"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FixedFee(_Model):
    """An amount that is added to each statement of a month."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{plain(self.amount)} {self.currency}"


class ProjectTerms(_Model):
    """The terms of a project; None: those of the tenant."""

    markup_percent: Decimal | None = None
    fixed_fee: FixedFee | None = None

    def __bool__(self) -> bool:
        """Return whether anything is declared."""
        return self != type(self)()

    def __str__(self) -> str:
        return ", ".join(self._words())

    def _words(self) -> list[str]:
        words = []
        if self.markup_percent is not None:
            words.append(f"mark-up {plain(self.markup_percent)} %")
        if self.fixed_fee is not None:
            words.append(f"fixed fee {self.fixed_fee}")
        return words


class TenantTerms(ProjectTerms):
    """The terms of a tenant, which count for each project that has none of its own."""

    basis: CostBasis = CostBasis.BILLED

    def _words(self) -> list[str]:
        return [f"basis {self.basis}", *super()._words()]


def read_project_terms(raw: object, place: str) -> ProjectTerms:
    """Read the section `statements` of a project.

    Raises:
        RegistryError: it breaks a rule; the message names the place.
    """
    return raw if isinstance(raw, ProjectTerms) else ProjectTerms(**_read(raw, place, ()))


def _read_tenant_terms(raw: object) -> TenantTerms:
    if isinstance(raw, TenantTerms):
        return raw
    return TenantTerms(**_read(raw, "statements", ("basis",)))


DeclaredTerms = Annotated[TenantTerms, BeforeValidator(_read_tenant_terms)]


def export_terms(terms: ProjectTerms) -> dict[str, Any]:
    """Return terms as plain data, as tenants.yaml has them."""
    return terms.model_dump(mode="json", exclude_defaults=True)


def _read(raw: object, place: str, more: tuple[str, ...]) -> dict[str, Any]:
    fields = read_fields(raw, place, (*more, "markup_percent", "fixed_fee"))
    terms: dict[str, Any] = {}
    if "basis" in fields:
        terms["basis"] = _read_basis(fields["basis"], f"{place}.basis")
    if "markup_percent" in fields:
        terms["markup_percent"] = _read_percent(fields["markup_percent"], f"{place}.markup_percent")
    if "fixed_fee" in fields:
        terms["fixed_fee"] = _read_fee(fields["fixed_fee"], f"{place}.fixed_fee")
    return terms


def _read_basis(raw: object, place: str) -> CostBasis:
    if raw not in set(CostBasis):
        refuse_value(place, raw, f"one of: {', '.join(CostBasis)}")
    return CostBasis(str(raw))


def _read_percent(raw: object, place: str) -> Decimal:
    expected = f"a number from 0 to {MOST_PERCENT} with up to {_PERCENT_DIGITS} decimal places"
    percent = read_number(raw, place, expected)
    if percent > MOST_PERCENT or percent != round(percent, _PERCENT_DIGITS):
        refuse_value(place, raw, expected)
    return percent


def _read_fee(raw: object, place: str) -> FixedFee:
    fields = read_fields(raw, place, ("amount", "currency"))
    for name in ("amount", "currency"):
        if name not in fields:
            raise RegistryError(f"{place}.{name} is missing", "an amount and its currency")
    currency = read_currency(fields["currency"], f"{place}.currency")
    expected = "an amount that is not negative, such as 100.00"
    amount = read_number(fields["amount"], f"{place}.amount", expected)
    return FixedFee(amount=amount, currency=currency)
