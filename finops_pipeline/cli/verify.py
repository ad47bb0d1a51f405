"""The command that verifies everything that is published of a tenant.

Put here: `verify`, its progress and summary. Keep out: what is verified
(application/verification.py).
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from finops_pipeline.application.verification import Verification, verify
from finops_pipeline.cli.show import Format, complain, open_installation, write_json
from finops_pipeline.errors import one_line


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
        typer.echo(one_line(f"WRONG  {finding.subject}: {finding.found}"))
        typer.echo(one_line(f"       {finding.cure.rstrip('.')}"))
    warnings = f", {result.warnings} warnings (finops check {result.tenant})"
    typer.echo(
        f"{result.tenant}: {result.files} files of {result.size_bytes} bytes, {result.rows} rows of"
        f" {result.tables} tables in {result.months} months, {result.checks} results of checks"
        f"{warnings if result.warnings else ''}:"
        f" {f'{len(result.findings)} findings' if result.findings else 'nothing is wrong'}"
    )
