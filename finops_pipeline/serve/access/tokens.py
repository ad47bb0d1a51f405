"""Tokens: 256 random bits that prove who calls. Only a hash is stored, and a prefix to find it by.

Put here: making and checking tokens, and their rows. Keep out: who may create one
(access_administration.py), tokens of an identity provider.

SHA-256 is enough: nobody can guess 256 random bits, so a slow hash would add nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from finops_pipeline import clock
from finops_pipeline.errors import NotAuthenticated
from finops_pipeline.serve.access.access_tables import PRINCIPALS, TOKENS
from finops_pipeline.serve.access.principals import Principal, PrincipalName, parse_principal

TOKEN_START = "fow_"
"""The beginning of every token, by which people and scanners of repositories recognise it."""

PREFIX_LENGTH = 12
"""Characters by which a token is found and listed: the beginning and 8 more."""

_TOKEN = re.compile(TOKEN_START + r"[A-Za-z0-9_-]{43}", re.ASCII)
_PREFIX = re.compile(TOKEN_START + r"[A-Za-z0-9_-]{8}", re.ASCII)
_NO_HASH = "0" * 64
_USE_IS_NOTED_AFTER = timedelta(minutes=1)


@dataclass(frozen=True)
class Token:
    """A token as it is stored, without its secret; times are empty if they do not apply."""

    prefix: str
    principal_id: str
    principal: str
    label: str
    created_at: str
    created_by: str
    expires_at: str
    revoked_at: str
    last_used_at: str

    @property
    def state(self) -> str:
        """Whether it can be used: active, expired or revoked."""
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at <= clock.now().isoformat() else "active"


@dataclass(frozen=True)
class CreatedToken:
    """A new token with its text, which is shown once and stored nowhere."""

    text: str
    expires_at: str

    @property
    def prefix(self) -> str:
        """What it is called by."""
        return self.text[:PREFIX_LENGTH]


@dataclass(frozen=True)
class NewToken:
    """A token to be created. `label`: free text of whoever creates it."""

    principal: Principal
    lifetime: timedelta
    label: str = ""
    created_by: str = ""


def insert_token(db: sa.Connection, new: NewToken) -> CreatedToken:
    """Make a token and store its hash."""
    now = clock.now()
    created = CreatedToken(new_text(), (now + new.lifetime).isoformat())
    while db.scalar(sa.select(TOKENS.c.prefix).where(TOKENS.c.prefix == created.prefix)):
        created = CreatedToken(new_text(), created.expires_at)
    row = {
        "prefix": created.prefix,
        "token_hash": _hash_of(created.text),
        "principal_id": new.principal.principal_id,
        "label": new.label,
        "created_at": now.isoformat(),
        "created_by": new.created_by,
        "expires_at": created.expires_at,
        "revoked_at": "",
        "last_used_at": "",
    }
    db.execute(sa.insert(TOKENS), row)
    return created


def new_text() -> str:
    """Return the text of a new token."""
    return TOKEN_START + secrets.token_urlsafe(32)


def _hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class TokenOwner:
    """A token whose secret was right, and whose it is."""

    token: Token
    principal: Principal

    @property
    def needs_note(self) -> bool:
        """Whether its last use is to be noted: once a minute, because that is a write."""
        return self.token.last_used_at < (clock.now() - _USE_IS_NOTED_AFTER).isoformat()

    def check_usable(self) -> None:
        """Check that the token still gives access.

        Raises:
            NotAuthenticated: it is revoked or expired, or the principal is disabled.
        """
        if self.token.state != "active":
            raise NotAuthenticated(
                f"the token {self.token.prefix}… is {self.token.state}",
                "a token that is in use",
                "Ask whoever gave you the token for a new one",
            )
        if not self.principal.is_active:
            raise disabled(self.principal)


def disabled(principal: Principal) -> NotAuthenticated:
    """Return the error for a principal that is disabled."""
    return NotAuthenticated(
        f"{principal.name} is disabled",
        "a principal that is active",
        "Ask whoever gave you access",
    )


def find_owner(db: sa.Connection | None, text: object) -> TokenOwner:
    """Find whose token a text is, by its prefix and then by its whole hash in constant time.

    Args:
        db: the access database; None if there is none.

    Raises:
        NotAuthenticated: it is no token, or unknown. The text is the same for all of these.
    """
    well_formed = isinstance(text, str) and _TOKEN.fullmatch(text)
    secret = str(text) if well_formed else TOKEN_START
    query = _select_tokens().where(TOKENS.c.prefix == secret[:PREFIX_LENGTH])
    row = db.execute(query).one_or_none() if db is not None else None
    is_same = hmac.compare_digest(row.token_hash if row else _NO_HASH, _hash_of(secret))
    if row is None or not is_same:
        raise NotAuthenticated(
            "the token is not valid",
            f"a token of this installation: {TOKEN_START} and 43 more characters",
            "Check that it was copied completely, or ask for a new one",
        )
    return TokenOwner(_parse_token(row), parse_principal(row, token=row.prefix))


def is_valid_now(prefix: str) -> sa.ColumnElement[bool]:
    """Return the condition that a token is neither revoked nor expired."""
    token = TOKENS.c
    valid = (token.prefix == prefix, token.revoked_at == "")
    return sa.exists().where(*valid, token.expires_at > clock.now().isoformat())


def list_tokens(db: sa.Connection, *where: sa.ColumnElement[bool]) -> list[Token]:
    """Read tokens, the newest last."""
    query = _select_tokens().where(*where).order_by(TOKENS.c.created_at, TOKENS.c.prefix)
    return [_parse_token(row) for row in db.execute(query)]


def find_token(db: sa.Connection, prefix: str) -> TokenOwner | None:
    """Find a token by its prefix, for administration: whoever knows the prefix proves nothing."""
    if not _PREFIX.fullmatch(prefix):
        return None
    row = db.execute(_select_tokens().where(TOKENS.c.prefix == prefix)).one_or_none()
    return TokenOwner(_parse_token(row), parse_principal(row)) if row is not None else None


def revoke_token(db: sa.Connection, prefix: str) -> None:
    """Revoke a token; it cannot be undone."""
    own = TOKENS.c.prefix == prefix
    db.execute(sa.update(TOKENS).where(own).values(revoked_at=clock.now().isoformat()))


def note_use(db: sa.Connection, prefix: str) -> None:
    """Store that a token was used now."""
    own = TOKENS.c.prefix == prefix
    db.execute(sa.update(TOKENS).where(own).values(last_used_at=clock.now().isoformat()))


def _select_tokens() -> sa.Select[Any]:
    """Select tokens and principals; columns that both have are the principal's, and `token_…`."""
    token = TOKENS.c
    return sa.select(
        PRINCIPALS,
        token.prefix,
        token.token_hash,
        token.label,
        token.created_at.label("token_created_at"),
        token.created_by.label("token_created_by"),
        token.expires_at,
        token.revoked_at,
        token.last_used_at,
    ).join_from(TOKENS, PRINCIPALS, token.principal_id == PRINCIPALS.c.principal_id)


def _parse_token(row: Any) -> Token:
    return Token(
        prefix=row.prefix,
        principal_id=row.principal_id,
        principal=str(PrincipalName(row.name, row.owner, row.owner_id)),
        label=row.label,
        created_at=row.token_created_at,
        created_by=row.token_created_by,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
