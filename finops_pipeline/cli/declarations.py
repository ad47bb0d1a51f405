"""Commands that declare tenants, sources and projects.

Put here: `apply`, `tenant …`, `source …`, `project …`. Keep out: the rules (tenants/).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from finops_pipeline.cli import source_access as access
from finops_pipeline.cli.show import open_installation, split, table
from finops_pipeline.errors import Unknown
from finops_pipeline.tenants.declare import apply, read_declaration
from finops_pipeline.tenants.model import REACH, Project, SourceFormat, Tenant, parse_source

tenant_app = typer.Typer(help="Organisations.", no_args_is_help=True)
source_app = typer.Typer(help="Billing exports that a tenant receives.", no_args_is_help=True)
project_app = typer.Typer(help="Named parts of a tenant's estate.", no_args_is_help=True)

TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="Name of a tenant.")]
OneTenant = Annotated[str | None, typer.Argument(metavar="TENANT", help="Only this tenant.")]


def register(app: typer.Typer) -> None:
    """Put these commands under `finops`."""
    app.command("apply")(apply_file)
    app.add_typer(tenant_app, name="tenant")
    access.register(source_app)
    app.add_typer(source_app, name="source")
    app.add_typer(project_app, name="project")


def apply_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A tenants.yaml.")],
) -> None:
    """Declare tenants, sources and projects from a file; shows what changes, deletes nothing."""
    _said(apply(open_installation().registry, read_declaration(file)))


def _said(changes: list[str]) -> None:
    for line in changes or ["nothing changed"]:
        typer.echo(line)


def _lay_over(tenant: Tenant) -> None:
    _said(apply(open_installation().registry, [tenant]))


def _chosen(name: str | None) -> list[Tenant]:
    registry = open_installation().registry
    return registry.tenants() if name is None else [registry.tenant(name)]


@tenant_app.command("add")
def tenant_add(
    name: TenantName,
    display_name: Annotated[str, typer.Option(help="Free text for people.")] = "",
) -> None:
    """Declare a tenant."""
    _lay_over(Tenant(name=name, display_name=display_name))


@tenant_app.command("list")
def tenant_list() -> None:
    """List tenants."""
    rows = [(t.name, t.display_name, len(t.sources), len(t.projects)) for t in _chosen(None)]
    table(("tenant", "display_name", "sources", "projects"), rows)


@source_app.command("add")
def source_add(
    source: Annotated[str, typer.Argument(metavar="TENANT/SOURCE")],
    format: Annotated[
        SourceFormat | None, typer.Option(help="Form of the export; needed for a new source.")
    ] = None,
    location: Annotated[
        str | None, typer.Option(help="Folder of the report; without one: fed by hand.")
    ] = None,
    role_arn: Annotated[
        str | None, typer.Option(help="The customer's role to assume; see finops source policy.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Profile of the AWS configuration; else the default chain.")
    ] = None,
    endpoint_url: Annotated[
        str | None, typer.Option(help="Endpoint of an S3-compatible store; else AWS.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="The bucket's region.")] = None,
) -> None:
    """Declare a billing export of a tenant, or change it; what is not given stays as it is."""
    tenant, name = split(source, "SOURCE")
    before = {one.name: one.format for one in open_installation().registry.tenant(tenant).sources}
    if format is None and name not in before:
        raise typer.BadParameter("a new source needs one", param_hint="--format")
    said: dict[str, object] = {"name": name, "format": format or before[name]}
    reach = (role_arn, profile, endpoint_url, region)
    said |= {field: value for field, value in zip(REACH, reach, strict=True) if value is not None}
    if location is not None:
        is_folder = location and "://" not in location
        said["location"] = str(Path(location).expanduser().resolve()) if is_folder else location
    _lay_over(Tenant(name=tenant, sources=(parse_source(said),)))


@source_app.command("list")
def source_list(tenant: OneTenant = None) -> None:
    """List sources."""
    rows = [
        (t.name, s.name, s.format.value, s.location or "(by hand)")
        for t in _chosen(tenant)
        for s in t.sources
    ]
    table(("tenant", "source", "format", "location"), rows)


@project_app.command("add")
def project_add(
    project: Annotated[str, typer.Argument(metavar="TENANT/PROJECT")],
    account: Annotated[list[str] | None, typer.Option(help="AWS account id; repeat.")] = None,
    environment: Annotated[str, typer.Option(help="prod, staging, dev, …")] = "",
    business_unit: Annotated[str, typer.Option(help="Business unit.")] = "",
    source: Annotated[list[str] | None, typer.Option(help="Source it reads; repeat.")] = None,
    display_name: Annotated[str, typer.Option(help="Free text for people.")] = "",
) -> None:
    """Declare a project, or give one more accounts; fields not given stay as they are."""
    tenant_name, name = split(project, "PROJECT")
    tenant = open_installation().registry.tenant(tenant_name)
    before = next((p for p in tenant.projects if p.name == name), None) or Project(name=name)
    said = {
        "name": name,
        "environment": environment or before.environment,
        "business_unit": business_unit or before.business_unit,
        "display_name": display_name or before.display_name,
        "sources": tuple(source or before.sources),
        "accounts": [*(account or [])],
    }
    laid = Project.model_validate(said)
    changed = tenant.model_copy(update={"projects": (laid,), "sources": ()})
    _lay_over(changed)


@project_app.command("release")
def project_release(
    project: Annotated[str, typer.Argument(metavar="TENANT/PROJECT")],
    account: Annotated[str, typer.Argument(metavar="ACCOUNT")],
) -> None:
    """End a project's claim of an account, as if it had never been made."""
    tenant_name, name = split(project, "PROJECT")
    registry = open_installation().registry
    with registry.alone():
        tenant = registry.tenant(tenant_name)
        mine = tenant.project(name)
        kept = tuple(claim for claim in mine.accounts if claim.id != account)
        if kept == mine.accounts:
            raise Unknown(f"project {project} does not claim account {account}")
        changed = mine.model_copy(update={"accounts": kept})
        others = tuple(p for p in tenant.projects if p.name != name)
        registry.save(tenant.model_copy(update={"projects": (*others, changed)}))
    typer.echo(f"~ project {project}: account {account} released")


@project_app.command("list")
def project_list(tenant: OneTenant = None) -> None:
    """List projects with the accounts they claim."""
    rows = [
        (
            t.name,
            p.name,
            p.environment,
            p.business_unit,
            ", ".join(t.sources_of(p)),
            ", ".join(c.id if c.days == "always" else f"{c.id} ({c.days})" for c in p.accounts),
        )
        for t in _chosen(tenant)
        for p in t.all_projects
    ]
    names = ("tenant", "project", "environment", "business_unit", "sources", "accounts")
    table(names, rows)
