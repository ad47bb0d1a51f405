"""The command that shows and verifies the audit log.

Put here: `audit` and its layout. Keep out: what is recorded (serve/access).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, fields
from datetime import date, timedelta
from typing import Annotated

import typer

from finops_pipeline.application.installation import Installation
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
from finops_pipeline.errors import counted
from finops_pipeline.serve.access.access_store import AccessStore
from finops_pipeline.serve.access.audit_entries import AuditSelection, StoredEntry, VerifiedChain
from finops_pipeline.serve.access.audit_log import read_audit, verify_audit

TABLE_LINES = 100
"""Entries that a table shows, the newest; other formats write all."""

_HELP = "Name of a tenant, or the external id of a purged one; default: the installation's own log."


def audit_command(
    tenant: Annotated[str | None, typer.Argument(metavar="TENANT", help=_HELP)] = None,
    first_day: Annotated[
        str, typer.Option("--from", metavar="DAY", help="First day (UTC), as YYYY-MM-DD.")
    ] = "",
    last_day: Annotated[
        str, typer.Option("--to", metavar="DAY", help="Last day, as YYYY-MM-DD.")
    ] = "",
    verify: Annotated[
        bool, typer.Option("--verify", help="Verify the hashes of all logs instead.")
    ] = False,
    format: Annotated[Format, typer.Option(help="table, csv or json.")] = Format.TABLE,
) -> None:
    """Show who saw, changed or was refused what in a tenant; or verify that nothing was altered."""
    refuse_parquet(format)
    installation = open_installation()
    store = AccessStore(installation.settings)
    tenant_id = _tenant_id(installation, store, tenant) if tenant else ""
    if verify:
        _verify(store, tenant_id if tenant else None, format)
        return
    since = _day(first_day, "--from").isoformat() if first_day else ""
    until = (_day(last_day, "--to") + timedelta(days=1)).isoformat() if last_day else ""
    is_table = format is Format.TABLE
    limit = TABLE_LINES if is_table else None
    selection = AuditSelection(since, until, limit=limit, is_newest=is_table)
    entries = read_audit(store, tenant_id, selection)
    if is_table:
        _print(tenant, list(entries))
    else:
        write_records(format, StoredEntry, entries)


def _tenant_id(installation: Installation, store: AccessStore, tenant: str) -> str:
    """Return the external id of a tenant, whether it is given by name or by that id."""
    identity = installation.registry.identity(tenant) if tenant.isascii() else None
    if identity is not None:
        return identity.external_id
    if tenant.isascii() and any(True for _ in read_audit(store, tenant, AuditSelection(limit=1))):
        return tenant
    return installation.registry.tenant(tenant).external_id  # raises Unknown


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter("give a day as YYYY-MM-DD", param_hint=option) from error


def _print(tenant: str | None, entries: list[StoredEntry]) -> None:
    rows = [(e.at[:19].replace("T", " "), e.principal, e.action, e.outcome, _shown(e),
             e.rows, e.request_id, e.detail) for e in entries]  # fmt: skip
    names = ("time (UTC)", "who", "action", "outcome", "projects", "rows", "request", "detail")
    layout = Layout(f"{tenant or 'installation'}: audit log", if_empty="No entry.")
    table(names, rows, layout=layout)
    if len(entries) == TABLE_LINES:
        say(f"The newest {TABLE_LINES} entries; --format csv gives all.")


def _shown(entry: StoredEntry) -> str:
    return "" if entry.projects is None else ", ".join(entry.projects) or "(none)"


def _verify(store: AccessStore, tenant_id: str | None, format: Format) -> None:
    chains = [c for c in verify_audit(store) if tenant_id is None or c.tenant_id == tenant_id]
    if format is Format.TABLE:
        names = [field.name.replace("_", " ") for field in fields(VerifiedChain)]
        rows = [("installation" if not c.tenant_id else c.tenant, *astuple(c)[1:]) for c in chains]
        table(names, rows, layout=Layout(if_empty="The audit log has no entry."))
    else:
        write_records(format, VerifiedChain, chains)
    _report(chains)


def _report(chains: Iterable[VerifiedChain]) -> None:
    """End with exit code 1 if a chain was altered."""
    altered = [chain for chain in chains if chain.problem]
    for chain in altered:
        complain(f"the log of {chain.tenant or 'the installation'} was altered: {chain.problem}")
    if altered:
        raise typer.Exit(1)
    entries = sum(chain.entries for chain in chains)
    say(f"{counted(entries, 'entry', 'entries')}: nothing was altered", to_stderr=True)
