"""Sessions of people who have signed in with a browser: beginning, verifying and ending them.

Put here: the signed text of a cookie, the CSRF token of a session, when a session counts. Keep out:
rows (sessions.py), signing in (browser_sign_in.py), cookies and headers (serve/api).

Nothing is cached: a session, its principal and its grants are read at every request, so that what
was ended, disabled or taken holds for the next one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from hmac import compare_digest

import sqlalchemy as sa

from finops_pipeline.errors import SessionEnded, StorageFailure
from finops_pipeline.serve.access.access_store import Write
from finops_pipeline.serve.access.audit_entries import AuditEntry, Outcome, append_entries
from finops_pipeline.serve.access.audit_log import unavailable
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.principals import Principal
from finops_pipeline.serve.access.sessions import (
    SESSION_PREFIX_LENGTH,
    NewSession,
    Session,
    end_session,
    ended,
    find_session,
    insert_session,
    note_session_use,
)
from finops_pipeline.serve.access.signing_key import SigningKey

_SESSION, _CSRF = "session", "csrf token"
_MOST_CHARACTERS = 200
_REFUSED = {
    "ended": "was ended",
    "expired": "has expired",
    "idle": "has expired, because it was not used",
}


@dataclass(frozen=True)
class SessionTimes:
    """How long a session lasts: unused, and at most."""

    idle: timedelta
    most: timedelta


@dataclass(frozen=True)
class VerifiedSession:
    """The session of one verified request. `csrf_token`: what an unsafe request has to repeat."""

    principal: Principal
    csrf_token: str

    @property
    def prefix(self) -> str:
        """What it is called by."""
        return self.principal.token

    def has_csrf_token(self, token: str) -> bool:
        """Return whether a token is this session's, in constant time."""
        return compare_digest(self.csrf_token.encode(), token.encode())


class BrowserSessions:
    """The sessions of one installation, for any thread.

    Args:
        issuers: the identity providers with which people sign in now; sessions of others end.
    """

    def __init__(
        self, control: AccessControl, key: SigningKey, times: SessionTimes, issuers: list[str]
    ) -> None:
        self._control, self._key, self._issuers = control, key, issuers
        self.times = times

    def authenticate(self, cookie: str, request_id: str = "") -> VerifiedSession:
        """Return whose session a cookie is.

        A session that was ended, and one of a disabled principal, is recorded when it is used.

        Raises:
            SessionEnded: the cookie was not made here, or the session does not count (any more).
            AuditUnavailable: such a use cannot be recorded.
        """
        text = self._key.read_signed(_SESSION, cookie) if len(cookie) <= _MOST_CHARACTERS else None
        if text is None:
            raise ended("is not known")
        with self._control.store.reading() as db:
            session = find_session(db, text)
        state = session.state(self.times.idle)
        if state != "active":
            self._refuse(session, ended(_REFUSED[state]), request_id, is_recorded=state == "ended")
        if not session.principal.is_active:
            self._refuse(session, ended("belongs to a disabled principal"), request_id)
        if session.principal.identity and session.principal.identity.issuer not in self._issuers:
            self._refuse(session, ended("is of an identity provider that is not used"), request_id)
        self._note_use(session)
        return VerifiedSession(session.principal, self._key.signature(_CSRF, text))

    def _refuse(
        self, session: Session, refusal: SessionEnded, request_id: str, is_recorded: bool = True
    ) -> None:
        """Refuse a session; that one has just expired is no news, and is not recorded."""
        if is_recorded:
            entry = AuditEntry.of(session.principal, "authenticate", Outcome.REFUSED)
            self._control.record(replace(entry, request_id=request_id, detail=refusal.found))
        raise refusal

    def _note_use(self, session: Session) -> None:
        if not session.needs_note:
            return
        try:
            self._control.store.write(lambda db: note_session_use(db, session.prefix))
        except StorageFailure:
            return  # the session expires earlier; serving data needs the audit log anyway

    def begin(self, principal: Principal, sign_in: str, earlier: str, request_id: str) -> str:
        """Begin a session with a new id; return its cookie.

        Args:
            principal: who has signed in.
            sign_in: the secret of the sign-in, which begins one session only.
            earlier: the cookie of this browser's session until now, which ends; may be empty.
            request_id: of the request.

        Raises:
            SignInRefused: the sign-in has begun a session before.
            AuditUnavailable: it cannot be recorded; nothing has changed.
        """
        texts: list[str] = []
        before = self._prefix_of(earlier)

        def write(db: sa.Connection) -> None:
            new = NewSession(principal, sign_in, self.times.most)
            text, expires_at = insert_session(db, new)
            texts.append(text)
            if before:
                end_session(db, before)
            entry = AuditEntry.of(principal, "sign in", Outcome.CHANGED)
            token, detail = text[:SESSION_PREFIX_LENGTH], f"session until {expires_at[:16]}"
            append_entries(db, [replace(entry, token=token, request_id=request_id, detail=detail)])

        self._write(write)
        return self._key.sign(_SESSION, texts[0])

    def end(self, session: VerifiedSession, request_id: str = "") -> None:
        """End a session, as its owner.

        Raises:
            AuditUnavailable: it cannot be recorded; nothing has changed.
        """
        entry = AuditEntry.of(session.principal, "sign out", Outcome.CHANGED)

        def write(db: sa.Connection) -> None:
            end_session(db, session.prefix)
            append_entries(db, [replace(entry, request_id=request_id)])

        self._write(write)

    def _prefix_of(self, cookie: str) -> str:
        """Return the prefix of a session that is in use, or nothing."""
        text = self._key.read_signed(_SESSION, cookie) if cookie else None
        if text is None:
            return ""
        try:
            with self._control.store.reading() as db:
                session = find_session(db, text)
        except SessionEnded:
            return ""
        return "" if session.ended_at else session.prefix

    def _write(self, write: Write) -> None:
        try:
            self._control.store.write(write)
        except StorageFailure as failure:
            raise unavailable(failure) from failure
