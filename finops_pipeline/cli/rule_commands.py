"""Commands for the dimensions of a tenant and the rules that give charges their values.

Put here: `rules list`, `rules test`, `rules explain`. Keep out: what they do
(application/rule_use.py); rules are declared by `finops apply`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from finops_pipeline.application.rule_use import (
    DeclaredRule,
    Explanation,
    explain,
    list_rules,
    try_declaration,
)
from finops_pipeline.cli.show import (
    ExactOption,
    Format,
    open_installation,
    refuse_parquet,
    say,
    table,
    write_records,
    write_rows,
)
from finops_pipeline.cli.text_table import Layout
from finops_pipeline.errors import counted
from finops_pipeline.marts.rule_explanation import COST_EXPLORER_DAY, ExplainedCharges
from finops_pipeline.marts.rule_trial import ValueChange

TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="Name of a tenant.")]
FormatOption = Annotated[Format, typer.Option(help="table, csv or json.")]

UNALLOCATED = "(unallocated)"
_DISPENSABLE = ("rule_before", "billing_currency", "billed_cost", "rule_after")
"""Columns that are left out on a narrow terminal, in this order."""


def list_command(tenant: TenantName, format: FormatOption = Format.TABLE) -> None:
    """List a tenant's dimensions and rules, in the order in which rules are tried."""
    refuse_parquet(format)
    rules = list_rules(open_installation(), tenant)
    if format is Format.TABLE:
        empty = f"Tenant {tenant} declares no dimensions. Add a section dimensions to tenants.yaml."
        _print(DeclaredRule, rules, Layout(dispensable=("declared_on", "position"), if_empty=empty))
    else:
        write_records(format, DeclaredRule, rules)


def test_command(
    tenant: TenantName,
    file: Annotated[
        Path,
        typer.Option("--file", "-f", metavar="FILE", help="A tenants.yaml with changed rules."),
    ],
    every: Annotated[
        bool, typer.Option("--all", help="Also show charges whose values stay as they are.")
    ] = False,
    format: FormatOption = Format.TABLE,
    exact: ExactOption = False,
) -> None:
    """Show which charges a changed tenants.yaml would give other values; change nothing."""
    refuse_parquet(format)
    changes = try_declaration(open_installation(), tenant, file)
    listed = [change for change in changes if every or change.is_change]
    if format is Format.TABLE:
        named = ("value_before", "value_after")
        empty = "No charge would get another value or another rule."
        _print(ValueChange, listed, Layout("", exact, _DISPENSABLE, empty), named)
    else:
        write_records(format, ValueChange, listed)


def explain_command(
    tenant: TenantName,
    charge: Annotated[
        str,
        typer.Argument(
            metavar="CHARGE-or-RESOURCE",
            help="Id of a line item, resource (or its name) or commitment; or the account of"
            " charges that have none.",
        ),
    ],
    format: FormatOption = Format.TABLE,
    exact: ExactOption = False,
) -> None:
    """Explain why charges are in their project, and which rule gave each dimension its value."""
    refuse_parquet(format)
    explanations = explain(open_installation(), tenant, charge)
    if format is Format.TABLE:
        _print_explanations(explanations, exact)
        return
    names = [field.name for field in fields(ExplainedCharges)]
    rows = [
        [*(getattr(e.charges, name) for name in names), e.claim, e.reason] for e in explanations
    ]
    write_rows(format, [*names, "claim", "reason"], rows)


def _print(
    kind: type[Any], records: Sequence[Any], layout: Layout, values: Sequence[str] = ()
) -> None:
    """Print records as a table; `values` are the fields in which None means unallocated."""
    names = [field.name for field in fields(kind)]
    rows = [
        [
            UNALLOCATED if name in values and getattr(r, name) is None else getattr(r, name)
            for name in names
        ]
        for r in records
    ]
    table(names, rows, layout=layout)


def _print_explanations(explanations: Sequence[Explanation], exact: bool) -> None:
    """Print like charges under lines that describe them and say why they are in their project."""
    of_charges: dict[tuple[Any, ...], list[Explanation]] = {}
    for explanation in explanations:
        charges = explanation.charges
        key = (
            *(charges.billing_period, charges.source, charges.project, charges.sub_account_id),
            *(charges.row_kind, charges.charge_category, charges.line_item_type),
            *(charges.region_id, charges.service_name, charges.resource_id, charges.tags),
            *(charges.cost_categories, charges.billing_currency),
            *(charges.first_day, charges.last_day),
        )
        of_charges.setdefault(key, []).append(explanation)
    for position, alike in enumerate(of_charges.values()):
        if position:
            say()
        _print_alike(alike, exact)


def _print_alike(alike: Sequence[Explanation], exact: bool) -> None:
    first = alike[0].charges
    kind = ", ".join(filter(None, (first.row_kind, first.charge_category, first.line_item_type)))
    days = f"{first.first_day} to {first.last_day}"
    title = f"{first.billing_period} {first.service_name} ({kind}), {days}"
    is_day = first.row_kind == COST_EXPLORER_DAY
    number = counted(first.charges, "row" if is_day else "charge")
    say(f"{title}: {number}, {first.billing_currency}")
    if first.tags and first.tags != "{}":
        say(f"tags {first.tags}")
    say(f"project {first.project}: {alike[0].claim}")
    if is_day:
        return
    rows = [
        (
            e.charges.dimension,
            UNALLOCATED if e.charges.value is None else e.charges.value,
            e.reason,
        )
        for e in alike
        if e.charges.dimension
    ]
    names = ("dimension", "value", "reason")
    table(names, rows, layout=Layout(if_empty="no dimension is declared", is_exact=exact))
