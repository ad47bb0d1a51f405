"""Commands for tokens, with which services call the API.

Put here: the group `token`. Keep out: principals and grants (access_commands.py), what they do
(serve/access).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from finops_pipeline.application.installation import Installation
from finops_pipeline.cli.access_commands import (
    EnvironmentsOption,
    FormatOption,
    PrincipalArgument,
    ProjectsOption,
    parse_limits,
)
from finops_pipeline.cli.show import (
    Format,
    open_installation,
    refuse_parquet,
    say,
    table,
    write_records,
)
from finops_pipeline.cli.text_table import Layout
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.grants import NewGrant
from finops_pipeline.serve.access.token_administration import (
    DEFAULT_DAYS,
    TokenAdministration,
    TokenRequest,
)
from finops_pipeline.serve.access.tokens import Token
from finops_pipeline.serve.access.verified_access import Role


def _administration(installation: Installation) -> TokenAdministration:
    return TokenAdministration(AccessControl(installation), Actor.command_line())


def create_command(
    principal: PrincipalArgument,
    role: Annotated[
        Role | None,
        typer.Option(
            help="Create the tenant's service and its grant, too: viewer, analyst or admin."
        ),
    ] = None,
    project: ProjectsOption = None,
    environment: EnvironmentsOption = None,
    days: Annotated[int, typer.Option(help="Days until it expires.")] = DEFAULT_DAYS,
    label: Annotated[str, typer.Option(help="Free text, to recognise it in the list.")] = "",
) -> None:
    """Create a token and print it: this is the only time that it is shown."""
    limits = parse_limits(project, environment)
    if role is None and limits.names:
        raise typer.BadParameter("give --role, too: the limit belongs to a grant")
    grant = NewGrant(role, limits) if role else None
    asked = TokenRequest(principal, days, label, grant)
    created = _administration(open_installation()).create(asked)
    if grant:
        say(f"+ {principal}: {grant}", to_stderr=True)
    say(f"+ token of {principal}, until {created.expires_at[:10]}. It is not shown again:",
        to_stderr=True)  # fmt: skip
    say(created.text)


@dataclass(frozen=True)
class ListedToken:
    """A token as it is listed; `token` is its beginning."""

    token: str
    principal: str
    state: str
    label: str
    expires_at: str
    last_used_at: str
    created_at: str
    created_by: str


def _listed(token: Token) -> ListedToken:
    return ListedToken(
        token.prefix,
        token.principal,
        token.state,
        token.label,
        token.expires_at,
        token.last_used_at,
        token.created_at,
        token.created_by,
    )


def list_command(
    principal: Annotated[
        str | None, typer.Argument(metavar="PRINCIPAL", help="Only the tokens of this one.")
    ] = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """List tokens by their first characters, with their state and last use."""
    refuse_parquet(format)
    listed = [_listed(token) for token in _administration(open_installation()).tokens(principal)]
    if format is not Format.TABLE:
        write_records(format, ListedToken, listed)
        return
    rows = [(t.token, t.principal, t.state, t.label, t.expires_at[:10],
             t.last_used_at[:16].replace("T", " ")) for t in listed]  # fmt: skip
    names = ("token", "principal", "state", "label", "expires", "last used (UTC)")
    table(names, rows, layout=Layout(if_empty="There is no token."))


def revoke_command(
    token: Annotated[
        str, typer.Argument(metavar="TOKEN", help="Its first 12 characters, as they are listed.")
    ],
) -> None:
    """Revoke a token for good; the next request with it is refused."""
    revoked = _administration(open_installation()).revoke(token)
    if revoked.revoked_at:
        say(f"token {revoked.prefix} of {revoked.principal} was already revoked")
    else:
        say(f"- token {revoked.prefix} of {revoked.principal}: revoked")
