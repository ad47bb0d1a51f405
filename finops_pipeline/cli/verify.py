"""The command that verifies everything that is published for a tenant.

Put here: `verify`, its progress and summary. Keep out: what is verified
(application/verification.py).
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from finops_pipeline.application.verification import Verification, verify
from finops_pipeline.cli.show import Format, complain, open_installation, say, write_json
from finops_pipeline.errors import counted, one_line


def verify_command(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")],
    format: Annotated[Format, typer.Option(help="table or json.")] = Format.TABLE,
) -> None:
    """Compare every file with its checksum and every table with its charges; run every check."""
    if format not in (Format.TABLE, Format.JSON):
        raise typer.BadParameter("give table or json", param_hint="--format")
    result = verify(open_installation(), tenant, lambda line: complain(f"{tenant}: {line}"))
    if format is Format.JSON:
        fields = asdict(result)
        write_json(sys.stdout, list(fields), [list(fields.values())])
    else:
        _print_result(result)
    if result.findings:
        raise typer.Exit(1)


def _print_result(result: Verification) -> None:
    for finding in result.findings:
        say(one_line(f"WRONG  {finding.subject}: {finding.found}"))
        say(one_line(f"       {finding.cure.rstrip('.')}"))
    warnings = f", {counted(result.warnings, 'warning')} (finops check {result.tenant})"
    findings = counted(len(result.findings), "finding")
    say(
        f"{result.tenant}: {counted(result.files, 'file')} with"
        f" {counted(result.size_bytes, 'byte')}, {counted(result.rows, 'row')}"
        f" of {counted(result.tables, 'table')} in {counted(result.months, 'month')},"
        f" {counted(result.checks, 'check result')}"
        f"{warnings if result.warnings else ''}:"
        f" {findings if result.findings else 'nothing is wrong'}"
    )
