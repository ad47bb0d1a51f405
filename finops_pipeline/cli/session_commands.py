"""Commands for the sessions of people who have signed in with a browser.

Put here: the group `session`. Keep out: tokens (token_commands.py), what a session is
(serve/access).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from finops_pipeline.cli.access_commands import FormatOption
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
from finops_pipeline.serve.access.session_administration import SessionAdministration


def _administration() -> SessionAdministration:
    return SessionAdministration(AccessControl(open_installation()), Actor.command_line())


@dataclass(frozen=True)
class ListedSession:
    """A session as it is listed; `session` is its beginning."""

    session: str
    person: str
    state: str
    created_at: str
    last_used_at: str
    expires_at: str


def session_list(
    person: Annotated[
        str | None, typer.Argument(metavar="PERSON", help="Only the sessions of this one.")
    ] = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """List sessions of browsers by their first characters, with their state and last use."""
    refuse_parquet(format)
    administration = _administration()
    listed = [
        ListedSession(
            session.prefix,
            session.principal.name,
            session.state(administration.idle),
            session.created_at,
            session.last_used_at,
            session.expires_at,
        )
        for session in administration.sessions(person)
    ]
    if format is not Format.TABLE:
        write_records(format, ListedSession, listed)
        return
    rows = [
        (s.session, s.person, s.state, *map(_minute, (s.created_at, s.last_used_at, s.expires_at)))
        for s in listed
    ]
    names = ("session", "person", "state", "signed in (UTC)", "last used", "expires")
    table(names, rows, layout=Layout(if_empty="There is no session of a browser."))


def _minute(time: str) -> str:
    return time[:16].replace("T", " ")


def session_end(
    session: Annotated[
        str,
        typer.Argument(
            metavar="SESSION|PERSON",
            help="The first 12 characters of a session, as they are listed; or a person's name.",
        ),
    ],
) -> None:
    """End a session of a browser, or all of a person; the next request with it is refused."""
    ended = _administration().end(session)
    for stopped in ended:
        say(f"- session {stopped.prefix} of {stopped.principal.name}: ended")
    if not ended:
        say("nothing to end: no session of these is active")
