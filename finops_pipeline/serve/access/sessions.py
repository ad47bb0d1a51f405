"""Sessions of browsers: 256 random bits in a cookie. Only a hash is stored, and a prefix to list.

Put here: making, finding and ending sessions, and their rows. Keep out: cookies and signatures
(browser_sessions.py), who may end one (session_administration.py).

A session ends when it was not used for a while, after some hours in any case, and when somebody
ends it. Rows are deleted a day after the last of these times; the audit log keeps the sign-ins.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from finops_pipeline import clock
from finops_pipeline.errors import SessionEnded, SignInRefused
from finops_pipeline.serve.access.access_tables import PRINCIPALS, SESSIONS
from finops_pipeline.serve.access.principals import Principal, parse_principal

SESSION_START = "fos_"
"""The beginning of every session id; the API accepts none of them as a token."""

SESSION_PREFIX_LENGTH = 12
_SESSION = re.compile(SESSION_START + r"[A-Za-z0-9_-]{43}", re.ASCII)
_NO_HASH = "0" * 64
_USE_IS_NOTED_AFTER = timedelta(minutes=1)
_KEPT = timedelta(days=1)
_HAS_TABLE = "finops_has_sessions"


@dataclass(frozen=True)
class Session:
    """A session as it is stored, without its secret; `ended_at` is empty if nobody has ended it."""

    prefix: str
    principal: Principal
    created_at: str
    expires_at: str
    ended_at: str
    last_used_at: str

    @property
    def needs_note(self) -> bool:
        """Whether its last use is to be noted: once a minute, because that is a write."""
        return self.last_used_at < (clock.now() - _USE_IS_NOTED_AFTER).isoformat()

    def state(self, idle: timedelta) -> str:
        """Return whether it can be used: active, ended, expired, or idle for too long."""
        now = clock.now()
        if self.ended_at:
            return "ended"
        if self.expires_at <= now.isoformat():
            return "expired"
        return "active" if self.last_used_at > (now - idle).isoformat() else "idle"


@dataclass(frozen=True)
class NewSession:
    """A session to be begun. `sign_in`: the secret of the sign-in that begins it."""

    principal: Principal
    sign_in: str
    lifetime: timedelta


def insert_session(db: sa.Connection, new: NewSession) -> tuple[str, str]:
    """Begin a session with a new id; return the id, and when it expires.

    Raises:
        SignInRefused: the sign-in has begun a session before.
    """
    now = clock.now()
    sign_in_hash = _hash_of(new.sign_in)
    query = sa.select(SESSIONS.c.prefix).where(SESSIONS.c.sign_in_hash == sign_in_hash)
    if db.scalar(query):
        raise SignInRefused("this sign-in was completed before", "one that is new", "Sign in again")
    _delete_old(db, now)
    text = SESSION_START + secrets.token_urlsafe(32)
    row = {
        "prefix": text[:SESSION_PREFIX_LENGTH],
        "session_hash": _hash_of(text),
        "principal_id": new.principal.principal_id,
        "sign_in_hash": sign_in_hash,
        "created_at": now.isoformat(),
        "expires_at": (now + new.lifetime).isoformat(),
        "ended_at": "",
        "last_used_at": now.isoformat(),
    }
    db.execute(sa.insert(SESSIONS), row)
    return text, row["expires_at"]


def _delete_old(db: sa.Connection, now: datetime) -> None:
    db.execute(sa.delete(SESSIONS).where(SESSIONS.c.expires_at < (now - _KEPT).isoformat()))


def _hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def find_session(db: sa.Connection | None, text: str) -> Session:
    """Find a session by its prefix, and then by its whole hash in constant time.

    Raises:
        SessionEnded: it is unknown.
    """
    secret = text if _SESSION.fullmatch(text) else SESSION_START
    row = None
    if db is not None and has_sessions(db):
        query = _select().where(SESSIONS.c.prefix == secret[:SESSION_PREFIX_LENGTH])
        row = db.execute(query).one_or_none()
    is_same = hmac.compare_digest(row.session_hash if row else _NO_HASH, _hash_of(secret))
    if row is None or not is_same:
        raise ended("is not known")
    return _parse(row)


def ended(how: str) -> SessionEnded:
    """Return the error for a session that cannot be used."""
    return SessionEnded(
        f"the session of this browser {how}",
        "a session that is in use, or one header Authorization: Bearer TOKEN",
        "Sign in again at /login",
    )


def is_open_now(prefix: str) -> sa.ColumnElement[bool]:
    """Return the condition that a session was not ended and has not expired."""
    session = SESSIONS.c
    is_open = (session.prefix == prefix, session.ended_at == "")
    return sa.exists().where(*is_open, session.expires_at > clock.now().isoformat())


def list_sessions(db: sa.Connection, *where: sa.ColumnElement[bool]) -> list[Session]:
    """Read sessions, the newest last."""
    if not has_sessions(db):
        return []
    query = _select().where(*where).order_by(SESSIONS.c.created_at, SESSIONS.c.prefix)
    return [_parse(row) for row in db.execute(query)]


def end_session(db: sa.Connection, prefix: str) -> None:
    """End a session; it cannot be undone."""
    own = SESSIONS.c.prefix == prefix
    db.execute(sa.update(SESSIONS).where(own).values(ended_at=clock.now().isoformat()))


def note_session_use(db: sa.Connection, prefix: str) -> None:
    """Store that a session was used now."""
    own = SESSIONS.c.prefix == prefix
    db.execute(sa.update(SESSIONS).where(own).values(last_used_at=clock.now().isoformat()))


def has_sessions(db: sa.Connection) -> bool:
    """Return whether a database has the table; one of an older version has not, until a write."""
    if not db.info.get(_HAS_TABLE):
        db.info[_HAS_TABLE] = sa.inspect(db).has_table(SESSIONS.name)
    return bool(db.info[_HAS_TABLE])


def _select() -> sa.Select[Any]:
    session = SESSIONS.c
    return sa.select(
        PRINCIPALS,
        session.prefix,
        session.session_hash,
        session.created_at.label("session_created_at"),
        session.expires_at,
        session.ended_at,
        session.last_used_at,
    ).join_from(SESSIONS, PRINCIPALS, session.principal_id == PRINCIPALS.c.principal_id)


def _parse(row: Any) -> Session:
    return Session(
        row.prefix,
        parse_principal(row, token=row.prefix),
        row.session_created_at,
        row.expires_at,
        row.ended_at,
        row.last_used_at,
    )
