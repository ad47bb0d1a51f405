"""The command that tests what is published against the FOCUS rules.

Put here: `validate`, and how findings are printed. Keep out: the rules (contracts), testing them
(focus/conformance.py, application/published_charges.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from finops_pipeline.application.published_charges import Conformance, validate_charges
from finops_pipeline.cli.show import Format, open_installation, refuse_parquet, say, write_rows
from finops_pipeline.contracts.focus_rules import describe_rule, rules
from finops_pipeline.errors import counted
from finops_pipeline.focus.conformance import Violation
from finops_pipeline.marts.results import describe_row

_NAMES = ("billing_period", "project", "source", "rule", "says", "is_known_gap", "rows", "example")


def validate_command(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")],
    month: Annotated[
        str | None, typer.Option(metavar="YYYY-MM", help="Only this billing period.")
    ] = None,
    project: Annotated[str | None, typer.Option(help="Only this project.")] = None,
    format: Annotated[Format, typer.Option(help="table, csv or json.")] = Format.TABLE,
) -> None:
    """Check every published charge on disk against every FOCUS rule."""
    refuse_parquet(format)
    conformance = validate_charges(open_installation(), tenant, month, project)
    if format is Format.TABLE:
        _print_conformance(conformance)
    else:
        write_rows(format, _NAMES, [_row(item) for item in conformance.findings])
    if any(not item.finding.is_known_gap for item in conformance.findings):
        raise typer.Exit(1)


def _row(item: Violation) -> tuple[str | int | bool, ...]:
    finding = item.finding
    key = (
        item.billing_period,
        item.project,
        finding.source,
        finding.rule,
        describe_rule(finding.rule),
    )
    return (*key, finding.is_known_gap, finding.rows, finding.example)


def _print_conformance(conformance: Conformance) -> None:
    """Print a line per broken rule, and below it where, how often and an example row."""
    by_rule: dict[tuple[bool, str], list[Violation]] = {}
    for item in conformance.findings:
        by_rule.setdefault((item.finding.is_known_gap, item.finding.rule), []).append(item)
    for (is_gap, rule), of_rule in sorted(by_rule.items()):
        say(f"{'known gap' if is_gap else 'BROKEN'}  {rule}: {describe_rule(rule)}")
        _print_occurrences(of_rule)
    broken = sum(not is_gap for is_gap, _ in by_rule)
    gaps = len(by_rule) - broken
    known_gaps = counted(gaps, "known gap")
    say(
        f"{counted(len(rules()), 'rule')} tested on"
        f" {counted(conformance.files, 'file of charges', 'files of charges')}:"
        f" {broken or 'none'} broken" + (f", {known_gaps} of the AWS export" if gaps else "")
    )


def _print_occurrences(items: Sequence[Violation]) -> None:
    for item in items:
        finding = item.finding
        place = f"{item.billing_period} {item.project} {finding.source}".strip()
        rows = counted(finding.rows, "row")
        say(f"    {place}: {rows}, for example {describe_row(finding.example)}")
