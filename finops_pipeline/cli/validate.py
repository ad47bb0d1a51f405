"""The command that asks FOCUS's rules of what is published.

Put here: `validate`, and how findings are told. Keep out: the rules (contracts), asking them
(focus/conformance.py).
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from finops_pipeline.cli.show import Format, open_installation, write_csv, write_json
from finops_pipeline.contracts.focus_rules import describe_rule, rules
from finops_pipeline.errors import Unknown
from finops_pipeline.focus.conformance import Violation, validate_charges
from finops_pipeline.marts.results import describe_row
from finops_pipeline.tenants.months import check_month


def register(app: typer.Typer) -> None:
    """Put this command under `finops`."""
    app.command("validate")(validate_command)


def validate_command(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")],
    month: Annotated[
        str | None, typer.Option(metavar="YYYY-MM", help="Only this billing period.")
    ] = None,
    project: Annotated[str | None, typer.Option(help="Only this project.")] = None,
    format: Annotated[Format, typer.Option(help="table, csv or json.")] = Format.TABLE,
) -> None:
    """Ask every rule of FOCUS of each published charge, as the files lie on the disk now."""
    if format is Format.PARQUET:
        raise typer.BadParameter("table, csv or json", param_hint="--format")
    installation = open_installation()
    known = installation.registry.tenant(tenant)
    chosen = known.project(project).name if project else None
    period = check_month(month) if month else None
    files, found = validate_charges(
        installation.folder(known.name), installation.limits, period, chosen
    )
    if not files:
        of = " ".join(filter(None, [chosen and f"project {chosen}", period]))
        raise Unknown(
            f"no charges of tenant {known.name} are published{f' of {of}' if of else ''}",
            "a project and month that have charges",
            f"See what is there: finops status {known.name}",
        )
    if format is Format.TABLE:
        _tell(files, found)
    else:
        write = write_json if format is Format.JSON else write_csv
        names = ("billing_period", "project", "source", "rule", "says", "is_known_gap", "rows")
        write(sys.stdout, (*names, "example"), [_row(one) for one in found])
    if any(not one.finding.is_known_gap for one in found):
        raise typer.Exit(1)


def _row(found: Violation) -> tuple[str | int | bool, ...]:
    finding = found.finding
    of = (
        found.billing_period,
        found.project,
        finding.source,
        finding.rule,
        describe_rule(finding.rule),
    )
    return (*of, finding.is_known_gap, finding.rows, finding.example)


def _tell(files: int, found: list[Violation]) -> None:
    """A line for each rule that is broken, below it where, how often and one of the rows."""
    by_rule: dict[tuple[bool, str], list[Violation]] = {}
    for one in found:
        by_rule.setdefault((one.finding.is_known_gap, one.finding.rule), []).append(one)
    for (known, rule), mine in sorted(by_rule.items()):
        typer.echo(f"{'known gap' if known else 'BROKEN'}  {rule}: {describe_rule(rule)}")
        for one in mine:
            finding = one.finding
            where = f"{one.billing_period} {one.project} {finding.source}".strip()
            typer.echo(
                f"    {where}: {finding.rows} rows, for example {describe_row(finding.example)}"
            )
    broken = sum(not known for known, _ in by_rule)
    typer.echo(
        f"{len(rules())} rules asked of {files} files of charges:"
        f" {broken or 'none'} broken"
        + (f", {len(by_rule) - broken} known gaps of AWS's export" if len(by_rule) > broken else "")
    )
