"""The command `finops project preview`: what declared claims would move between projects.

Put here: its options and layout. Keep out: the comparison (application/claim_preview.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from finops_pipeline.application.claim_preview import ClaimPreview, MovedCharges, preview_claims
from finops_pipeline.cli.show import (
    ExactOption,
    Format,
    complain,
    open_installation,
    refuse_parquet,
    say,
    table,
    write_records,
)
from finops_pipeline.cli.text_table import Layout

_NAMES = ("from", "to", "claim", "charges", "billed_cost", "effective_cost", "currency",
          "first month", "last month")  # fmt: skip


def preview_command(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="Name of a tenant.")],
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            metavar="FILE",
            help="A tenants.yaml; default: the claims already declared.",
        ),
    ] = None,
    format: Annotated[Format, typer.Option(help="table, csv or json.")] = Format.TABLE,
    exact: ExactOption = False,
) -> None:
    """Show which charges each claim would move between projects; change nothing."""
    refuse_parquet(format)
    preview = preview_claims(open_installation(), tenant, file)
    if format is Format.TABLE:
        _print(tenant, file, preview, exact)
    else:
        write_records(format, MovedCharges, preview.moved)
    for note in preview.notes:
        complain(note)


def _print(tenant: str, file: Path | None, preview: ClaimPreview, is_exact: bool) -> None:
    if not preview.moved:
        say("No charge would move: all published charges are already in the right projects.")
        return
    title = f"{tenant}: published charges that would move to another project"
    rows = [
        (
            moved.from_project,
            moved.to_project,
            moved.claim,
            moved.charges,
            moved.billed_cost,
            moved.effective_cost,
            moved.billing_currency,
            moved.first_month,
            moved.last_month,
        )
        for moved in preview.moved
    ]
    table(_NAMES, rows, layout=Layout(title, is_exact, ("first month", "last month")))
    taking = {f"{m.claim} of {m.to_project}: {m.conditions}" for m in preview.moved if m.conditions}
    for line in sorted(taking):
        say(line)
    commands = [f"finops apply {file}"] if file else []
    commands.append(f"finops ingest {tenant}")
    say(f"Nothing was changed. To move them: {' && '.join(commands)}")
