"""Listing the sessions of browsers, and ending those of others.

Put here: what an actor may do with sessions. Keep out: their rows (sessions.py), one's own
(browser_sessions.py), commands (cli).

A person belongs to the installation, and so do the person's sessions: an administrator of one
tenant takes the grant instead, which holds for the next request.
"""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from finops_pipeline.errors import GrantRefused
from finops_pipeline.serve.access.access_tables import SESSIONS
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.managed_access import ManagedAccess
from finops_pipeline.serve.access.sessions import (
    SESSION_PREFIX_LENGTH,
    SESSION_START,
    Session,
    end_session,
    list_sessions,
)


class SessionAdministration:
    """The sessions that one actor manages."""

    def __init__(self, control: AccessControl, actor: Actor) -> None:
        self._managed = ManagedAccess(control, actor)
        settings = control.installation.settings
        self.idle = timedelta(minutes=settings.session_idle_minutes)

    def sessions(self, name: str | None = None) -> list[Session]:
        """Read the sessions of all people or of one; those that ended a day ago are forgotten.

        Raises:
            GrantRefused: there is no such person that the actor manages.
        """
        managed = self._managed
        full_name = managed.parse_name(name)[1] if name else None
        with managed.store.reading() as db:
            if db is None:
                if full_name is not None:
                    raise managed.no_principal(full_name, [])
                return []
            where = []
            if full_name is not None:
                person = managed.find(db, full_name)
                where = [SESSIONS.c.principal_id == person.principal_id]
            return [s for s in list_sessions(db, *where) if self._manages(s)]

    def end(self, text: str) -> list[Session]:
        """End a session, or all sessions of a person; their next requests are refused.

        Args:
            text: the first 12 characters of a session, as they are listed, or a person's name.

        Raises:
            GrantRefused: there is no such session or person that the actor manages.
            AuditUnavailable: it cannot be recorded; nothing has changed.
        """
        managed, prefix = self._managed, text[:SESSION_PREFIX_LENGTH]

        def change(db: sa.Connection) -> list[Session]:
            if text.startswith(SESSION_START):
                where = SESSIONS.c.prefix == prefix
            else:
                person = managed.find(db, managed.parse_name(text)[1])
                where = SESSIONS.c.principal_id == person.principal_id
            owned = [session for session in list_sessions(db, where) if self._manages(session)]
            if not owned and text.startswith(SESSION_START):
                raise GrantRefused(
                    f"there is no session {prefix!r}",
                    "the first 12 characters of a session, as they are listed",
                    "List the sessions: finops session list",
                )
            # What is idle by the settings of this process may be active by those of a server.
            running = [s for s in owned if s.state(self.idle) in ("active", "idle")]
            for session in running:
                end_session(db, session.prefix)
                detail = f"{session.prefix}… of {session.principal.name}"
                managed.note(db, "session end", detail, None)
            return running

        return managed.perform(change)

    def _manages(self, session: Session) -> bool:
        return self._managed.actor.manages(session.principal.full_name.owner_id)
