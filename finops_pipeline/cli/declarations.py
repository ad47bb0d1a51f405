"""Commands that declare tenants, sources and projects.

Put here: `apply`, `tenant …`, `source …`, `project …`. Keep out: the rules (tenants/).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from finops_pipeline.cli.show import Row, open_installation, say, split, table
from finops_pipeline.cli.text_table import Layout
from finops_pipeline.errors import Unknown, printable
from finops_pipeline.tenants.declare import apply, read_declaration
from finops_pipeline.tenants.exported import export_text
from finops_pipeline.tenants.lifecycle import Lifecycle
from finops_pipeline.tenants.model import REACH, Project, SourceFormat, Tenant
from finops_pipeline.tenants.source import EXTENT, parse_source

NO_TENANT = "No tenant is declared. Declare tenants: finops apply FILE"
TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="Name of a tenant.")]
OptionalTenant = Annotated[str | None, typer.Argument(metavar="TENANT", help="Only this tenant.")]


def apply_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A tenants.yaml.")],
) -> None:
    """Declare tenants, sources and projects from a file; print the changes, delete nothing."""
    _print_changes(apply(open_installation().registry, read_declaration(file)))


def _print_changes(changes: list[str]) -> None:
    for line in changes or ["nothing changed"]:
        say(line)


def _declare(tenant: Tenant) -> None:
    _print_changes(apply(open_installation().registry, [tenant]))


def _read_tenants(name: str | None) -> list[Tenant]:
    registry = open_installation().registry
    return registry.tenants() if name is None else [registry.tenant(name)]


def _print_list(names: Sequence[str], rows: Sequence[Row], if_empty: str) -> None:
    """Print a list whose last column is the state, which is left out if everything is active."""
    layout = Layout(if_empty=if_empty)
    if all(row[-1] == Lifecycle.ACTIVE for row in rows):
        names, rows = names[:-1], [row[:-1] for row in rows]
    table(names, rows, layout=layout)


def tenant_add(
    name: TenantName,
    display_name: Annotated[str, typer.Option(help="Free text for people.")] = "",
) -> None:
    """Declare a tenant."""
    _declare(Tenant(name=name, display_name=display_name))


def tenant_list() -> None:
    """List tenants."""
    rows = [
        (t.name, t.display_name, len(t.sources), len(t.projects), t.state.value)
        for t in _read_tenants(None)
    ]
    _print_list(("tenant", "display_name", "sources", "projects", "state"), rows, NO_TENANT)


def tenant_export() -> None:
    """Print all tenants with their external ids, as YAML for finops restore-registry."""
    registry = open_installation().registry
    text = export_text(registry.installation_id(), registry.tenants())
    typer.echo(printable(text) if sys.stdout.isatty() else text, nl=False)


def source_add(
    source: Annotated[str, typer.Argument(metavar="TENANT/SOURCE")],
    format: Annotated[
        SourceFormat | None, typer.Option(help="Format of the export; a new source needs it.")
    ] = None,
    location: Annotated[
        str | None,
        typer.Option(help="Folder of the report; without it, files are ingested by hand."),
    ] = None,
    role_arn: Annotated[
        str | None, typer.Option(help="The customer's role to assume; see finops source policy.")
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(help="AWS profile; default: the default credential chain."),
    ] = None,
    endpoint_url: Annotated[
        str | None, typer.Option(help="Endpoint of an S3-compatible store; default: AWS.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="The bucket's region.")] = None,
    from_month: Annotated[
        str | None, typer.Option("--from", help="First month that counts, YYYY-MM; '': no limit.")
    ] = None,
    to_month: Annotated[
        str | None, typer.Option("--to", help="First month that no longer counts; '': no limit.")
    ] = None,
) -> None:
    """Declare a tenant's billing export, or change it; options not given stay unchanged."""
    tenant, name = split(source, "SOURCE")
    sources = open_installation().registry.tenant(tenant).sources
    declared = next((source for source in sources if source.name == name), None)
    if format is None and declared is None:
        raise typer.BadParameter("a new source needs a format", param_hint="--format")
    fields: dict[str, object] = {"name": name, "format": format or (declared and declared.format)}
    if declared is not None and declared.location:
        fields["location"] = declared.location  # which a role, a region or a profile needs
    options = (role_arn, profile, endpoint_url, region, from_month, to_month)
    named = zip((*REACH, *EXTENT), options, strict=True)
    fields |= {field: value for field, value in named if value is not None}
    if location is not None:
        is_folder = location and "://" not in location
        fields["location"] = str(Path(location).expanduser().resolve()) if is_folder else location
    _declare(Tenant(name=tenant, sources=(parse_source(fields),)))


def source_list(tenant: OptionalTenant = None) -> None:
    """List sources."""
    rows = [
        (t.name, s.name, s.format.value, s.location or "(by hand)", s.state.value)
        for t in _read_tenants(tenant)
        for s in t.sources
    ]
    target = f"{tenant or 'TENANT'}/SOURCE"
    empty = f"No source is declared. Declare one: finops source add {target} --format cur-2.0"
    _print_list(("tenant", "source", "format", "location", "state"), rows, empty)


def project_add(
    project: Annotated[str, typer.Argument(metavar="TENANT/PROJECT")],
    account: Annotated[
        list[str] | None, typer.Option(help="AWS account id; may be repeated.")
    ] = None,
    environment: Annotated[str, typer.Option(help="Such as prod, staging or dev.")] = "",
    business_unit: Annotated[str, typer.Option(help="Business unit.")] = "",
    from_day: Annotated[
        str, typer.Option("--from", metavar="YYYY-MM-DD", help="First day of the claims.")
    ] = "",
    to_day: Annotated[
        str,
        typer.Option("--to", metavar="YYYY-MM-DD", help="First day that is no longer claimed."),
    ] = "",
    source: Annotated[
        list[str] | None, typer.Option(help="Source that it reads; may be repeated.")
    ] = None,
    display_name: Annotated[str, typer.Option(help="Free text for people.")] = "",
) -> None:
    """Declare a project, or give it more accounts; options not given stay unchanged."""
    tenant_name, name = split(project, "PROJECT")
    if (from_day or to_day) and not account:
        raise typer.BadParameter("--from and --to are days of claims: give --account too")
    days = {"from": _parse_day("--from", from_day), "to": _parse_day("--to", to_day)}
    tenant = open_installation().registry.tenant(tenant_name)
    declared = next((p for p in tenant.projects if p.name == name), None) or Project(name=name)
    fields = {
        "name": name,
        "environment": environment or declared.environment,
        "business_unit": business_unit or declared.business_unit,
        "display_name": display_name or declared.display_name,
        "sources": tuple(source or declared.sources),
        "accounts": [{"id": each, **days} for each in account or []],
    }
    changed_project = Project.model_validate(fields)
    changed = tenant.model_copy(update={"projects": (changed_project,), "sources": ()})
    _declare(changed)


def _parse_day(option: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a day YYYY-MM-DD", param_hint=option) from error


def project_release(
    project: Annotated[str, typer.Argument(metavar="TENANT/PROJECT")],
    account: Annotated[str, typer.Argument(metavar="ACCOUNT")],
) -> None:
    """Remove a project's claim to an account, as if it had never been made."""
    tenant_name, name = split(project, "PROJECT")
    registry = open_installation().registry
    with registry.locked():
        tenant = registry.tenant(tenant_name)
        declared = tenant.project(name)
        remaining = tuple(claim for claim in declared.accounts if claim.id != account)
        if remaining == declared.accounts:
            raise _not_claimed(tenant, name, account)
        changed = declared.model_copy(update={"accounts": remaining})
        unchanged = tuple(p for p in tenant.projects if p.name != name)
        registry.save(tenant.model_copy(update={"projects": (*unchanged, changed)}))
    say(f"~ project {project}: account {account} released")


def _not_claimed(tenant: Tenant, project: str, account: str) -> Unknown:
    """Return the error of a claim that does not exist, with the project that has it."""
    holders = [p.name for p in tenant.projects if account in {claim.id for claim in p.accounts}]
    others = f"; {tenant.name}/{holders[0]} does" if holders else ""
    return Unknown(
        f"project {tenant.name}/{project} does not claim account {account}{others}",
        "an account that the project claims",
        f"Release it there: finops project release {tenant.name}/{holders[0]} {account}"
        if holders
        else f"List its claims: finops project list {tenant.name}",
    )


def project_list(tenant: OptionalTenant = None) -> None:
    """List projects with the accounts they claim."""
    rows = [
        (
            t.name,
            p.name,
            p.environment,
            p.business_unit,
            ", ".join(t.sources_of(p)),
            ", ".join(c.id if c.days == "always" else f"{c.id} ({c.in_words})" for c in p.accounts),
            p.state.value,
        )
        for t in _read_tenants(tenant)
        for p in sorted({*t.projects, *t.all_projects}, key=lambda project: project.name)
    ]
    names = ("tenant", "project", "environment", "business_unit", "sources", "accounts", "state")
    _print_list(names, rows, NO_TENANT)
