"""Commands that back up and restore tenants and the registry.

Put here: `backup`, `restore`, `restore-registry`. Keep out: what they do (application/).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from finops_pipeline.application.backup import PartFailure, back_up_installation
from finops_pipeline.application.registry_recovery import restore_registry
from finops_pipeline.application.restore import Restored, restore_backup
from finops_pipeline.cli.show import (
    Format,
    complain,
    open_installation,
    refuse_parquet,
    say,
    table,
    write_records,
)
from finops_pipeline.cli.text_table import Layout
from finops_pipeline.lake.tenant_backup import TenantBackup


def backup_command(
    target: Annotated[
        str, typer.Argument(metavar="TENANT|DEST", help="A tenant; with --all, the folder.")
    ],
    destination: Annotated[
        Path | None, typer.Argument(metavar="DEST", help="A folder outside the data folder.")
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="Every tenant and the registry.")] = False,
    format: Annotated[Format, typer.Option(help="table, csv or json.")] = Format.TABLE,
) -> None:
    """Copy a tenant, or everything with --all, to a folder, even while an ingest runs."""
    refuse_parquet(format)
    if all and destination is not None:
        raise typer.BadParameter("give either a tenant or --all")
    if not all and destination is None:
        raise typer.BadParameter("give a tenant and a folder, or --all and a folder")
    tenant = None if all else target
    report = back_up_installation(open_installation(), tenant, destination or Path(target))
    if format is Format.TABLE:
        names = ("tenant", "publication", "generation", "files", "bytes", "bytes copied")
        rows = [
            (b.tenant, b.publication, b.generation, b.files, b.size_bytes, b.copied_bytes)
            for b in report.backups
        ]
        empty = "No tenant was backed up. See which there are: finops tenant list"
        table(names, rows, layout=Layout(if_empty=empty))
    else:
        write_records(format, TenantBackup, report.backups)
    for name in report.undeclared:
        complain(
            f"tenant {name} has a folder but is not declared, so it is not in the backup:"
            " declare it with finops apply"
        )
    _report_failures(report.failures)


def restore_command(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Folder that finops backup wrote.")],
    tenant: Annotated[
        str | None, typer.Argument(metavar="TENANT", help="Default: everything in SRC.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the tenant's present data.")
    ] = False,
    format: Annotated[Format, typer.Option(help="table, csv or json.")] = Format.TABLE,
) -> None:
    """Restore a tenant, or everything in a backup, after checking every file."""
    refuse_parquet(format)
    report = restore_backup(open_installation(), source, tenant, replace)
    if format is Format.TABLE:
        names = ("tenant", "backed up at", "publication", "files", "bytes")
        rows = [
            (r.tenant, r.backed_up_at, r.publication, r.files, r.size_bytes)
            for r in report.restored
        ]
        empty = (
            f"No tenant was restored: {source} holds none. Make a backup: finops backup --all DEST"
        )
        table(names, rows, layout=Layout(if_empty=empty))
    else:
        write_records(format, Restored, report.restored)
    _report_failures(report.failures)


def restore_registry_command(
    declaration: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Output of finops tenant export, or a tenants.yaml; default: the last good copy.",
        ),
    ] = None,
) -> None:
    """Restore a lost or damaged registry from its last good copy, or from a file."""
    restored = restore_registry(open_installation(), declaration)
    say(f"restored from {restored.source}: {', '.join(restored.tenants) or 'no tenant'}")
    for name in restored.new_external_ids:
        complain(
            f"tenant {name} has a new external id, because the file has none;"
            " customers must put it into the trust policies of their roles"
        )
    for name in restored.undeclared:
        complain(f"tenant {name} has a folder but is not declared: declare it with finops apply")


def _report_failures(failures: Sequence[PartFailure]) -> None:
    for failure in failures:
        complain(f"{failure.part}: {failure.reason}")
    if failures:
        raise typer.Exit(1)
