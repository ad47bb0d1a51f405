"""Commands that declare tenants, sources and projects.

Put here: `apply`, `tenant …`, `source …`, `project list`. Keep out: the rules (tenants/), claims
(project_claims.py).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from finops_pipeline.application.declared_file import apply_declaration
from finops_pipeline.cli.show import Row, open_installation, say, split, table
from finops_pipeline.cli.text_table import Layout
from finops_pipeline.errors import printable
from finops_pipeline.tenants.declare import apply
from finops_pipeline.tenants.exported import export_text
from finops_pipeline.tenants.lifecycle import Lifecycle
from finops_pipeline.tenants.model import REACH, SourceFormat, Tenant
from finops_pipeline.tenants.source import EXTENT, parse_source

NO_TENANT = "No tenant is declared. Declare tenants: finops apply FILE"
TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="Name of a tenant.")]
OptionalTenant = Annotated[str | None, typer.Argument(metavar="TENANT", help="Only this tenant.")]


def apply_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A tenants.yaml.")],
) -> None:
    """Declare tenants, sources and projects from a file; print the changes, delete nothing."""
    print_changes(apply_declaration(open_installation(), file))


def print_changes(changes: list[str]) -> None:
    """Print the changes of a declaration."""
    for line in changes or ["nothing changed"]:
        say(line)


def _declare(tenant: Tenant) -> None:
    print_changes(apply(open_installation().registry, [tenant]))


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
    without_value: Annotated[
        str,
        typer.Option(
            metavar="PROJECT",
            help="Where charges go that lack a value which a claim requires: a project, follow"
            " (the project of their resource, commitment or account) or unassigned.",
        ),
    ] = "",
) -> None:
    """Declare a tenant."""
    declared = Tenant(name=name, display_name=display_name)
    _declare(declared.model_copy(update={"without_value": without_value}))


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


def project_list(tenant: OptionalTenant = None) -> None:
    """List projects with the accounts they claim."""
    tenants = _read_tenants(tenant)
    has_claims = any(p.claims for t in tenants for p in t.projects)
    rows = [
        (
            t.name,
            p.name,
            p.environment,
            p.business_unit,
            ", ".join(t.sources_of(p)),
            ", ".join(c.id if c.days == "always" else f"{c.id} ({c.in_words})" for c in p.accounts),
            *(["; ".join(claim.in_words for claim in p.claims)] if has_claims else []),
            p.state.value,
        )
        for t in tenants
        for p in sorted({*t.projects, *t.all_projects}, key=lambda project: project.name)
    ]
    claims = ["claims"] if has_claims else []
    names = ("tenant", "project", "environment", "business_unit", "sources", "accounts", *claims)
    _print_list((*names, "state"), rows, NO_TENANT)
