"""Entries of the audit log, and the chain of hashes that links them.

Put here: what an entry holds, appending entries to their chains, reading and verifying chains.
Keep out: when something is recorded (audit_log.py, authorization.py).

Every entry has the hash of its own content and of the entry before it. An entry that was changed,
inserted or removed in the middle of a chain therefore shows; only the last entries could be cut off
unseen by somebody who can write the file. Compare the last hash with one that was noted elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from finops_pipeline import clock
from finops_pipeline.errors import counted
from finops_pipeline.serve.access.access_tables import AUDIT_LOG
from finops_pipeline.serve.access.principals import Principal
from finops_pipeline.serve.access.verified_access import Access

COMMAND_LINE = "command line"
"""Who acts with `finops`: whoever has the data folder, without a principal."""

_LONGEST = 2_000
"""Characters of a text in an entry; what is longer is cut."""


class Outcome(StrEnum):
    """What became of a request."""

    SERVED = "served"
    CHANGED = "changed"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True)
class AuditEntry:
    """Something that was done, read or refused, before it is appended.

    Args:
        action: what it was, such as `costs`, `sql` or `grant add`.
        principal: name of whoever did it, in a tenant's log the one that its administrators see;
            empty: nobody was verified.
        token: prefix of the token.
        tenant: name of the tenant as it was asked for.
        tenant_id: external id of the tenant in whose log the entry is; empty: in that of the
            installation. A request for a tenant without a grant is in that of the installation,
            because a tenant's admin must not learn who else exists.
        projects: to which the data was limited; None: the whole tenant.
        rows: how many were given out, as far as that is known.
        detail: more about it, without amounts and without SQL.
    """

    action: str
    outcome: Outcome
    principal_id: str = ""
    principal: str = ""
    token: str = ""
    tenant: str = ""
    tenant_id: str = ""
    projects: tuple[str, ...] | None = None
    rows: int | None = None
    request_id: str = ""
    detail: str = ""

    def __post_init__(self) -> None:
        for name in ("action", "principal", "tenant", "request_id", "detail"):
            object.__setattr__(self, name, _storable(getattr(self, name)))

    @classmethod
    def of(
        cls, principal: Principal, action: str, outcome: Outcome, access: Access | None = None
    ) -> AuditEntry:
        """Return the entry of a verified caller; use `dataclasses.replace` to say more.

        Args:
            access: what the caller was authorized for; None: nothing, or not a tenant.
        """
        return cls(
            action,
            outcome,
            principal.principal_id,
            (access.shown_name if access else "") or principal.name,
            principal.token,
            tenant=access.tenant if access else "",
            tenant_id=access.tenant_id if access else "",
            projects=access.scope.projects if access else None,
        )


def _storable(text: str) -> str:
    """Return a text that SQLite can store: valid UTF-8, and not endless."""
    encoded = text[:_LONGEST].encode("utf-8", "backslashreplace")
    return encoded.decode("utf-8").replace("\0", "\\0")


@dataclass(frozen=True)
class StoredEntry:
    """An entry of the audit log as it is stored; `number` counts within its chain."""

    tenant_id: str
    number: int
    at: str
    principal_id: str
    principal: str
    token: str
    action: str
    outcome: str
    tenant: str
    projects: list[str] | None
    rows: int | None
    request_id: str
    detail: str
    entry_hash: str

    def hash_after(self, previous: str) -> str:
        """Return the hash of this entry's content and of the hash before it."""
        fields = asdict(self)
        del fields["entry_hash"]
        text = json.dumps([previous, fields], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def append_entries(db: sa.Connection, entries: Iterable[AuditEntry]) -> None:
    """Append entries to the chains of their tenants, in a transaction that writes."""
    at = clock.now().isoformat()
    chains = defaultdict[str, list[AuditEntry]](list)
    for entry in entries:
        chains[entry.tenant_id].append(entry)
    rows = []
    for tenant_id, of_tenant in chains.items():
        number, previous = _last(db, tenant_id)
        for entry in of_tenant:
            number += 1
            stored = _stored(entry, number, at)
            previous = stored.hash_after(previous)
            rows.append(asdict(stored) | {"entry_hash": previous})
    if rows:
        db.execute(sa.insert(AUDIT_LOG), rows)


def _stored(entry: AuditEntry, number: int, at: str) -> StoredEntry:
    fields = asdict(entry)
    fields["outcome"] = entry.outcome.value
    fields["projects"] = None if entry.projects is None else list(entry.projects)
    return StoredEntry(**fields, number=number, at=at, entry_hash="")


def _last(db: sa.Connection, tenant_id: str) -> tuple[int, str]:
    table = AUDIT_LOG.c
    query = (
        sa.select(table.number, table.entry_hash)
        .where(table.tenant_id == tenant_id)
        .order_by(table.number.desc())
        .limit(1)
    )
    row = db.execute(query).one_or_none()
    return (row.number, row.entry_hash) if row is not None else (0, "")


@dataclass(frozen=True)
class AuditSelection:
    """Which entries of a chain.

    `since`, `until`: days or times in UTC as ISO text; `until` is excluded. `after`: the number of
    an entry; only later ones. `limit`: at most so many, the oldest of them or the newest.
    """

    since: str = ""
    until: str = ""
    after: int = 0
    limit: int | None = None
    is_newest: bool = False


def read_entries(
    db: sa.Connection, tenant_id: str, selection: AuditSelection
) -> Iterator[StoredEntry]:
    """Yield the entries of one chain, the oldest first."""
    table = AUDIT_LOG.c
    where = [table.tenant_id == tenant_id, table.number > selection.after]
    where += [table.at >= selection.since] if selection.since else []
    where += [table.at < selection.until] if selection.until else []
    query = sa.select(AUDIT_LOG).where(*where).limit(selection.limit)
    if selection.is_newest:
        newest = db.execute(query.order_by(table.number.desc()))
        yield from reversed([_parse(row) for row in newest])
        return
    for row in db.execute(query.order_by(table.number), execution_options={"yield_per": 1_000}):
        yield _parse(row)


def _parse(row: Any) -> StoredEntry:
    return StoredEntry(**row._mapping)


@dataclass(frozen=True)
class VerifiedChain:
    """A chain of the audit log: its length, its last hash, and the first thing wrong with it."""

    tenant: str
    tenant_id: str
    entries: int
    last_at: str
    last_hash: str
    problem: str = ""


def verify_chains(db: sa.Connection) -> Iterator[VerifiedChain]:
    """Compute the hashes of every chain again, that of the installation first."""
    chains = sa.select(AUDIT_LOG.c.tenant_id).distinct().order_by(AUDIT_LOG.c.tenant_id)
    for tenant_id in db.execute(chains).scalars().all():
        yield _verify_chain(tenant_id, read_entries(db, tenant_id, AuditSelection()))


def _verify_chain(tenant_id: str, entries: Iterable[StoredEntry]) -> VerifiedChain:
    number, previous, problem = 0, "", ""
    tenant, at = "", ""
    for entry in entries:
        if not problem and entry.number != number + 1:
            lost = counted(entry.number - number - 1, "entry is", "entries are")
            problem = f"{lost} missing after number {number}"
        elif not problem and entry.hash_after(previous) != entry.entry_hash:
            problem = f"the entry with number {entry.number} was changed"
        number, previous, at = entry.number, entry.entry_hash, entry.at
        tenant = entry.tenant if tenant_id else tenant
    return VerifiedChain(tenant, tenant_id, number, at, previous, problem)
