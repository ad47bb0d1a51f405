"""Budgets per month: the section `budgets` of a tenant.

Put here: the section as classes, and the rules that make it valid. Keep out: what was spent of a
budget (marts/budgets), telling people about it (marts/alert_rules).

The section is declared as a whole: a file that has it replaces all of it, a file without it changes
nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from finops_pipeline.errors import RegistryError, did_you_mean
from finops_pipeline.money import plain
from finops_pipeline.tenants.section_fields import (
    read_choice,
    read_currency,
    read_entries,
    read_fields,
    read_label,
    read_number,
    read_texts,
    refuse_value,
    require_fields,
    require_unique,
)

_MOST = 500
_FIELDS = ("name", "amount", "currency", "project", "environment", "dimension", "basis")


class BudgetBasis(StrEnum):
    """Which cost counts against a budget."""

    EFFECTIVE = "effective"
    BILLED = "billed"


class Budget(BaseModel):
    """An amount for each month, for the charges of its scope.

    `project`, `environment`, `dimension` (with `dimension_value`): at most one has a value; none:
    the whole tenant.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    amount: Decimal
    currency: str
    project: str = ""
    environment: str = ""
    dimension: str = ""
    dimension_value: str = ""
    basis: BudgetBasis = BudgetBasis.EFFECTIVE

    @property
    def scope(self) -> str:
        """What the budget is for: all of the tenant, project, environment or dimension."""
        names = ("project", "environment", "dimension")
        return next((name for name in names if getattr(self, name)), "all")

    def __str__(self) -> str:
        subject = f"{self.dimension} {self.dimension_value}" if self.dimension else ""
        words = {
            "all": "everything",
            "project": f"project {self.project}",
            "environment": f"environment {self.environment}",
            "dimension": subject,
        }
        return (
            f"{plain(self.amount)} {self.currency} a month ({self.basis} cost) for"
            f" {words[self.scope]}"
        )


Budgets = tuple[Budget, ...]


def read_budgets(raw: object) -> Budgets:
    """Read the section.

    Raises:
        RegistryError: it breaks a rule; the message names the place.
    """
    entries = read_entries(raw, "budgets", _MOST)
    budgets = tuple(_read_budget(entry, number) for number, entry in enumerate(entries, 1))
    require_unique((budget.name for budget in budgets), "budgets")
    return budgets


DeclaredBudgets = Annotated[Budgets, BeforeValidator(read_budgets)]


def _read_budget(raw: object, number: int) -> Budget:
    if isinstance(raw, Budget):
        return raw
    place = f"budgets, entry {number}"
    fields = read_fields(raw, place, _FIELDS)
    require_fields(fields, place, ("name", "amount", "currency"))
    name = read_label(fields["name"], f"{place}: name")
    place = f"budgets.{name}"
    scopes = [scope for scope in ("project", "environment", "dimension") if scope in fields]
    if len(scopes) > 1:
        raise RegistryError(
            f"{place} has {' and '.join(scopes)}",
            "one of them, or none for the whole tenant",
            "Declare a budget for each of them",
        )
    amount = read_number(fields["amount"], f"{place}.amount", "an amount, such as 1000.00")
    if not amount:
        refuse_value(f"{place}.amount", fields["amount"], "an amount that is more than 0")
    dimension, value = _read_dimension(fields.get("dimension"), f"{place}.dimension")
    return Budget(
        name=name,
        amount=amount,
        currency=read_currency(fields["currency"], f"{place}.currency"),
        project=_read_text(fields.get("project"), f"{place}.project"),
        environment=_read_text(fields.get("environment"), f"{place}.environment"),
        dimension=dimension,
        dimension_value=value,
        basis=BudgetBasis(
            read_choice(fields.get("basis", "effective"), f"{place}.basis", list(BudgetBasis))
        ),
    )


def _read_text(raw: object, place: str) -> str:
    if raw is None:
        return ""
    texts = read_texts(raw, place)
    if len(texts) != 1:
        refuse_value(place, raw, "a single name")
    return texts[0]


def _read_dimension(raw: object, place: str) -> tuple[str, str]:
    if raw is None:
        return "", ""
    if not isinstance(raw, dict) or len(raw) != 1:
        refuse_value(place, raw, "a dimension and its value, such as {team: web}")
    ((name, value),) = raw.items()
    return _read_text(name, place), _read_text(value, f"{place}.{name}")


@dataclass(frozen=True)
class BudgetNames:
    """The names that a tenant's budgets may use."""

    projects: Collection[str]
    environments: Collection[str]
    dimensions: Collection[str]


def check_budgets(tenant: str, budgets: Iterable[Budget], names: BudgetNames) -> None:
    """Check that what budgets are for exists.

    Raises:
        RegistryError: a project, environment or dimension is not declared.
    """
    for budget in budgets:
        for kind in ("project", "environment", "dimension"):
            known = sorted(getattr(names, f"{kind}s"))
            name = getattr(budget, kind)
            if name and name not in known:
                raise RegistryError(
                    f"tenant {tenant}, budgets.{budget.name} is for the {kind} {name!r}, which no"
                    " project of the tenant has"
                    if kind == "environment"
                    else f"tenant {tenant}, budgets.{budget.name} is for the {kind} {name!r}, which"
                    " is not declared",
                    f"one of: {', '.join(known) or '(none)'}",
                    did_you_mean(name, known) + f"Declare the {kind}, or correct the budget",
                )


def rename_budget_project(budgets: Iterable[Budget], old: str, new: str) -> Budgets:
    """Return budgets that name a project by its new name."""
    return tuple(
        budget.model_copy(update={"project": new}) if budget.project == old else budget
        for budget in budgets
    )


def list_budget_changes(tenant: str, old: Sequence[Budget], new: Sequence[Budget]) -> list[str]:
    """Describe what changed, a line per budget."""
    before, after = ({b.name: str(b) for b in budgets} for budgets in (old, new))
    lines = [f"+ budget {tenant}/{name}: {after[name]}" for name in after if name not in before]
    lines += [
        f"~ budget {tenant}/{name}: {before[name]} -> {after[name]}"
        for name in after
        if name in before and before[name] != after[name]
    ]
    return lines + [f"- budget {tenant}/{name}" for name in before if name not in after]


def export_budgets(budgets: Iterable[Budget]) -> list[dict[str, Any]]:
    """Return the section as plain data, as tenants.yaml has it."""
    return [_export(budget) for budget in budgets]


def _export(budget: Budget) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": budget.name, "amount": plain(budget.amount)}
    fields["currency"] = budget.currency
    if budget.dimension:
        fields["dimension"] = {budget.dimension: budget.dimension_value}
    elif budget.scope != "all":
        fields[budget.scope] = getattr(budget, budget.scope)
    return fields | {"basis": budget.basis.value}
