"""Principals: who can have access. People, who sign in with an identity provider, and services.

Put here: principals and their rows. Keep out: what they may see (grants.py), tokens (tokens.py),
who may create them (access_administration.py).

A principal is never deleted, only disabled: the audit log names it.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from finops_pipeline import clock
from finops_pipeline.errors import GrantRefused
from finops_pipeline.serve.access.access_tables import PRINCIPALS


class PrincipalKind(StrEnum):
    """Whether a principal is a person or a service."""

    PERSON = "person"
    SERVICE = "service"


class PrincipalState(StrEnum):
    """Whether a principal has access."""

    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True)
class Identity:
    """What an identity provider says of a person, or what will be said: a subject or an e-mail."""

    issuer: str
    subject: str = ""
    email: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "email", self.email.lower())


@dataclass(frozen=True)
class PrincipalName:
    """The name of a principal, and the tenant whose service it is; `acme/grafana` or `alice`.

    `owner_id`: the tenant's external id; empty: it belongs to the installation.
    """

    name: str
    owner: str = ""
    owner_id: str = ""

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}" if self.owner_id else self.name


@dataclass(frozen=True)
class Principal:
    """A verified caller, or a principal as it is stored.

    `token`: the prefix of the token that it was verified by.
    """

    principal_id: str
    kind: PrincipalKind
    full_name: PrincipalName
    is_operator: bool = False
    state: PrincipalState = PrincipalState.ACTIVE
    identity: Identity | None = None
    created_at: str = ""
    created_by: str = ""
    token: str = ""

    @property
    def name(self) -> str:
        """The name as people write it."""
        return str(self.full_name)

    @property
    def is_active(self) -> bool:
        """Whether it has access."""
        return self.state is PrincipalState.ACTIVE


def check_principal_name(name: str) -> str:
    """Return a name if it can be one.

    Raises:
        GrantRefused: it has other characters, or too many.
    """
    if not _NAME.fullmatch(name):
        raise GrantRefused(
            f"the name {name[:60]!r} cannot be used",
            "1 to 120 characters from A-Z, a-z, 0-9 and . _ @ + -, starting with a letter or digit",
            "Choose such a name, for example an e-mail address",
        )
    return name


_LONGEST = 255
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,119}")


def find_principal(db: sa.Connection, full_name: PrincipalName) -> Principal | None:
    """Find a principal by its name."""
    table = PRINCIPALS.c
    query = sa.select(PRINCIPALS).where(
        table.owner_id == full_name.owner_id, table.name == full_name.name
    )
    row = db.execute(query).one_or_none()
    return parse_principal(row) if row is not None else None


def read_principal(db: sa.Connection, principal_id: str) -> Principal | None:
    """Read the principal with an id, active or not."""
    query = sa.select(PRINCIPALS).where(PRINCIPALS.c.principal_id == principal_id)
    row = db.execute(query).one_or_none()
    return parse_principal(row) if row is not None else None


def list_principals(db: sa.Connection) -> list[Principal]:
    """Read all principals: the installation's own first, then those of tenants, by name."""
    table = PRINCIPALS.c
    query = sa.select(PRINCIPALS).order_by(table.owner, table.owner_id, table.name)
    return [parse_principal(row) for row in db.execute(query)]


def parse_principal(row: Any, token: str = "") -> Principal:
    """Return a principal from a row that has the columns of the table."""
    is_person = row.kind == PrincipalKind.PERSON
    return Principal(
        principal_id=row.principal_id,
        kind=PrincipalKind(row.kind),
        full_name=PrincipalName(row.name, row.owner, row.owner_id),
        is_operator=row.is_operator,
        state=PrincipalState(row.state),
        identity=Identity(row.issuer, row.subject or "", row.email) if is_person else None,
        created_at=row.created_at,
        created_by=row.created_by,
        token=token,
    )


@dataclass(frozen=True)
class NewPrincipal:
    """A principal to be created. `identity`: of a person; None for a service."""

    full_name: PrincipalName
    identity: Identity | None = None
    is_operator: bool = False


def insert_principal(db: sa.Connection, new: NewPrincipal, created_by: str) -> Principal:
    """Store a new principal.

    Raises:
        GrantRefused: the name is taken or cannot be one, or the person has another principal.
    """
    check_principal_name(new.full_name.name)
    if find_principal(db, new.full_name):
        raise GrantRefused(f"the name {new.full_name} is taken", "a name that is free")
    if new.identity:
        _check_identity(db, new.identity)
    identity = new.identity
    row = {
        "principal_id": f"p-{secrets.token_hex(8)}",
        "kind": PrincipalKind.PERSON if identity else PrincipalKind.SERVICE,
        "name": new.full_name.name,
        "owner": new.full_name.owner,
        "owner_id": new.full_name.owner_id,
        "issuer": identity.issuer if identity else None,
        "subject": (identity.subject or None) if identity else None,
        "email": identity.email if identity else "",
        "is_operator": new.is_operator,
        "state": PrincipalState.ACTIVE,
        "created_at": clock.now().isoformat(),
        "created_by": created_by,
    }
    db.execute(sa.insert(PRINCIPALS), row)
    principal = find_principal(db, new.full_name)
    assert principal is not None
    return principal


def _check_identity(db: sa.Connection, identity: Identity) -> None:
    """Check that a person of an identity provider has no principal yet."""
    if not identity.issuer or not (identity.subject or identity.email):
        raise GrantRefused(
            "a person was given without an issuer, or with neither subject nor e-mail address",
            "the issuer's URL, and how it names the person",
            "Give --issuer, and --subject or --email",
        )
    for text in (identity.issuer, identity.subject, identity.email):
        if len(text) > _LONGEST or not text.isprintable():
            raise GrantRefused(
                f"an issuer, subject or e-mail address is not printable or too long: {text[:60]!r}",
                f"at most {_LONGEST} printable characters",
            )
    table = PRINCIPALS.c
    same_person = [table.subject == identity.subject] if identity.subject else []
    same_person += [table.email == identity.email] if identity.email else []
    query = sa.select(PRINCIPALS).where(table.issuer == identity.issuer, sa.or_(*same_person))
    row = db.execute(query).first()
    if row is not None:
        raise GrantRefused(
            f"this person of {identity.issuer} is already the principal {row.name}",
            "a person who is not stored yet",
            "Use that principal: finops principal list",
        )


def store_state(db: sa.Connection, principal: Principal, state: PrincipalState) -> None:
    """Disable a principal, or give it its access again."""
    own = PRINCIPALS.c.principal_id == principal.principal_id
    db.execute(sa.update(PRINCIPALS).where(own).values(state=state))
