"""Commands for principals and their grants.

Put here: the groups `principal` and `grant`. Keep out: tokens (token_commands.py), what they do
(serve/access).
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from typing import Annotated

import typer

from finops_pipeline.application.installation import Installation
from finops_pipeline.cli.show import (
    Format,
    open_installation,
    refuse_parquet,
    say,
    table,
    write_records,
)
from finops_pipeline.cli.text_table import Layout
from finops_pipeline.errors import counted
from finops_pipeline.serve.access.access_administration import AccessAdministration
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.grants import Extent, Grant, Limits, NewGrant
from finops_pipeline.serve.access.principals import Identity, Principal, PrincipalState
from finops_pipeline.serve.access.verified_access import Role

TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="Name of a tenant.")]
PrincipalArgument = Annotated[
    str,
    typer.Argument(metavar="PRINCIPAL", help="A name, or TENANT/NAME for a service of one tenant."),
]
ProjectsOption = Annotated[
    list[str] | None,
    typer.Option("--project", metavar="PROJECT", help="Only this project; may be repeated."),
]
EnvironmentsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--environment", metavar="ENVIRONMENT", help="Only its projects; may be repeated."
    ),
]
FormatOption = Annotated[Format, typer.Option(help="table, csv or json.")]


def administration(installation: Installation) -> AccessAdministration:
    """Return the principals and grants of an installation for the command line."""
    return AccessAdministration(AccessControl(installation), Actor.command_line())


def parse_limits(projects: list[str] | None, environments: list[str] | None) -> Limits:
    """Return the limits that options give.

    Raises:
        typer.BadParameter: they name both projects and environments.
    """
    if projects and environments:
        raise typer.BadParameter("give --project or --environment, not both")
    if projects:
        return Limits(Extent.PROJECTS, tuple(dict.fromkeys(projects)))
    if environments:
        return Limits(Extent.ENVIRONMENTS, tuple(dict.fromkeys(environments)))
    return Limits()


# ---- principals


@dataclass(frozen=True)
class ListedPrincipal:
    """A principal as it is listed."""

    name: str
    kind: str
    state: str
    is_operator: bool
    issuer: str
    subject: str
    email: str
    created_at: str
    created_by: str


def _listed_principal(principal: Principal) -> ListedPrincipal:
    identity = principal.identity or Identity("")
    return ListedPrincipal(
        principal.name,
        principal.kind.value,
        principal.state.value,
        principal.is_operator,
        identity.issuer,
        identity.subject,
        identity.email,
        principal.created_at,
        principal.created_by,
    )


def principal_add(
    name: PrincipalArgument,
    issuer: Annotated[
        str, typer.Option(metavar="URL", help="Identity provider, for a person who signs in.")
    ] = "",
    subject: Annotated[
        str, typer.Option(metavar="SUB", help="The person's subject at the identity provider.")
    ] = "",
    email: Annotated[
        str, typer.Option(metavar="EMAIL", help="Instead: the address that it has verified.")
    ] = "",
    operator: Annotated[
        bool, typer.Option("--operator", help="Manages the installation; sees no costs by that.")
    ] = False,
) -> None:
    """Create a principal: a service, or with --issuer a person; it has no access yet."""
    has_identity = bool(issuer or subject or email)
    identity = Identity(issuer, subject, email) if has_identity else None
    added = administration(open_installation()).add_principal(name, identity, operator)
    say(f"+ {'operator' if added.is_operator else added.kind} {added.name}")


def principal_list(
    tenant: Annotated[
        str | None, typer.Argument(metavar="TENANT", help="Only those with a grant in it.")
    ] = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """List principals, and whether they are active."""
    refuse_parquet(format)
    managed = administration(open_installation())
    principals = managed.principals()
    if tenant is not None:
        granted = {grant.principal_id for grant in managed.grants(tenant)}
        principals = [p for p in principals if p.principal_id in granted]
    listed = [_listed_principal(principal) for principal in principals]
    if format is not Format.TABLE:
        write_records(format, ListedPrincipal, listed)
        return
    rows = [(p.name, "operator" if p.is_operator else p.kind, p.state,
             p.email or p.subject, p.created_at[:10], p.created_by) for p in listed]  # fmt: skip
    names = ("principal", "kind", "state", "identity", "since", "created by")
    empty = "There is no principal. Create one with its first token: finops token create"
    table(names, rows, layout=Layout(if_empty=empty))


def principal_disable(name: PrincipalArgument) -> None:
    """Disable a principal: all its tokens and grants stop counting at once."""
    disabled = administration(open_installation()).set_state(name, PrincipalState.DISABLED)
    say(f"~ {disabled.name}: disabled, with all its tokens")


def principal_enable(name: PrincipalArgument) -> None:
    """Give a disabled principal its access again, with the tokens that are still valid."""
    enabled = administration(open_installation()).set_state(name, PrincipalState.ACTIVE)
    say(f"~ {enabled.name}: active")


# ---- grants


@dataclass(frozen=True)
class ListedGrant:
    """A grant as it is listed."""

    principal: str
    role: str
    extent: str
    names: str
    created_at: str
    created_by: str


def _listed_grant(grant: Grant) -> ListedGrant:
    limits = grant.limits
    return ListedGrant(
        grant.principal,
        grant.role.value,
        limits.extent.value,
        ", ".join(limits.names),
        grant.created_at,
        grant.created_by,
    )


def grant_add(
    tenant: TenantName,
    principal: PrincipalArgument,
    role: Annotated[
        Role, typer.Option(help="viewer: costs; analyst: SQL, too; admin: all of the tenant.")
    ],
    project: ProjectsOption = None,
    environment: EnvironmentsOption = None,
) -> None:
    """Let a principal see a tenant, or some of its projects; replaces its earlier grant."""
    grant = NewGrant(role, parse_limits(project, environment))
    administration(open_installation()).give(tenant, principal, grant)
    say(f"+ {principal}: {grant} in {tenant}")


def grant_list(tenant: TenantName, format: FormatOption = Format.TABLE) -> None:
    """List who has access to a tenant; grants of disabled principals do not count."""
    refuse_parquet(format)
    listed = [_listed_grant(g) for g in administration(open_installation()).grants(tenant)]
    if format is not Format.TABLE:
        write_records(format, ListedGrant, listed)
        return
    empty = f"Nobody has access to {tenant} but the command line."
    names = [field.name.replace("_", " ") for field in fields(ListedGrant)]
    table(names, map(astuple, listed), layout=Layout(if_empty=empty))
    if listed:
        say(f"{counted(len(listed), 'grant')} in {tenant}")


def grant_remove(tenant: TenantName, principal: PrincipalArgument) -> None:
    """Take the access to a tenant from a principal; its next request is refused."""
    administration(open_installation()).take(tenant, principal)
    say(f"- {principal}: no access to {tenant} any more")
