"""Where tenants are written down: a SQLAlchemy database (SQLite file by default).

Put here: reading and writing whole tenants in one transaction, and the rules that hold
between tenants. Keep out: the declared form (declare.py), rules inside one tenant (model.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from filelock import FileLock, Timeout

from finops_pipeline.database.engine import begin_write, open_engine
from finops_pipeline.database.versions import Schema
from finops_pipeline.errors import RegistryError, Unknown
from finops_pipeline.tenants.model import (
    REACH,
    AccountClaim,
    Project,
    Source,
    SourceFormat,
    Tenant,
    check_name,
)
from finops_pipeline.tenants.places import Place, explorer_place, place_of, role_account

_WAIT_SECONDS = 30
_meta = sa.MetaData()
_tenants = sa.Table(
    "tenants",
    _meta,
    sa.Column("tenant", sa.String(40), primary_key=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("external_id", sa.Text, nullable=False, server_default=""),
)
_sources = sa.Table(
    "sources",
    _meta,
    sa.Column("tenant", sa.ForeignKey("tenants.tenant"), primary_key=True),
    sa.Column("source", sa.String(40), primary_key=True),
    sa.Column("format", sa.String(20), nullable=False),
    sa.Column("location", sa.Text, nullable=False),
    sa.Column("role_arn", sa.Text, nullable=False, server_default=""),
    sa.Column("profile", sa.Text, nullable=False, server_default=""),
    sa.Column("endpoint_url", sa.Text, nullable=False, server_default=""),
    sa.Column("region", sa.Text, nullable=False, server_default=""),
)
_projects = sa.Table(
    "projects",
    _meta,
    sa.Column("tenant", sa.ForeignKey("tenants.tenant"), primary_key=True),
    sa.Column("project", sa.String(40), primary_key=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("business_unit", sa.Text, nullable=False),
)
_project_sources = sa.Table(
    "project_sources",
    _meta,
    sa.Column("tenant", sa.String(40), primary_key=True),
    sa.Column("project", sa.String(40), primary_key=True),
    sa.Column("source", sa.String(40), primary_key=True),
)
_project_accounts = sa.Table(
    "project_accounts",
    _meta,
    sa.Column("tenant", sa.String(40), nullable=False, index=True),
    sa.Column("project", sa.String(40), nullable=False),
    sa.Column("account_id", sa.String(12), nullable=False),
    sa.Column("from_day", sa.Date),
    sa.Column("to_day", sa.Date),
)
SCHEMA = Schema(
    name="registry",
    tables=_meta,
    migrations=Path(__file__).parent / "migrations",
    versions=("0001",),
    refusal=RegistryError,
)
_OF_TENANT = (_project_accounts, _project_sources, _projects, _sources, _tenants)


class Registry:
    """Tenants with their sources and projects, stored whole.

    Args:
        url: SQLAlchemy URL. Reading a registry that is not there yet finds no tenants and
            makes nothing; the first `save` makes it.
    """

    def __init__(self, url: str) -> None:
        self._url = sa.make_url(url)
        self._engine = open_engine(self._url)

    @property
    def _file(self) -> Path | None:
        """The file of a SQLite registry."""
        is_file = self._url.get_backend_name() == "sqlite" and self._url.database
        return Path(str(self._url.database)) if is_file else None

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection | None]:
        if self._file is not None and not self._file.exists():
            yield None
            return
        with self._engine.connect() as db:
            SCHEMA.check_version(db)
            yield db if sa.inspect(db).has_table("tenants") else None

    def names(self) -> list[str]:
        """Names of all tenants, sorted."""
        with self._reading() as db:
            return [] if db is None else sorted(db.scalars(sa.select(_tenants.c.tenant)))

    def tenants(self) -> list[Tenant]:
        """All tenants, by name."""
        with self._reading() as db:
            if db is None:
                return []
            return [_load(db, name) for name in sorted(db.scalars(sa.select(_tenants.c.tenant)))]

    def tenant(self, name: str) -> Tenant:
        """One tenant.

        Raises:
            Unknown: there is none of that name (said alike for names of others).
        """
        check_name("tenant", name)
        with self._reading() as db:
            same = sa.select(_tenants.c.tenant).where(_tenants.c.tenant == name)
            if db is not None and db.scalar(same) is not None:
                return _load(db, name)
        raise Unknown(
            f"tenant {name} is not known",
            cure="Declare it with finops apply FILE or finops tenant add NAME",
        )

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from changing the registry: around reading, merging and saving.

        Two `finops apply` at the same moment would else both merge into what was there before
        them, and the later one undo the earlier. Only for a SQLite file; a database server's
        registry is changed by one operator at a time.

        Raises:
            RegistryError: another process kept it for half a minute.
        """
        if self._file is None:
            yield
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._file.with_name(f".{self._file.name}.lock"), timeout=_WAIT_SECONDS)
        try:
            lock.acquire()
        except Timeout as error:
            raise RegistryError(
                f"the registry is being changed by another process (waited {_WAIT_SECONDS} s)",
                cure="Try again when that has ended",
            ) from error
        try:
            yield
        finally:
            lock.release()

    def save(self, *tenants: Tenant) -> None:
        """Write these tenants whole, in one transaction: all of them or none.

        A tenant that is new gets its external id here; one that has one keeps it.

        Raises:
            RegistryError: a location or role's account is already another tenant's, or an
                external id is not the one that was made here.
        """
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        with begin_write(self._engine) as db:
            SCHEMA.prepare(db)
            for tenant in tenants:
                external_id = _external_id(db, tenant)
                _delete(db, tenant.name)
                _insert(db, tenant.model_copy(update={"external_id": external_id}))
            everyone = [_load(db, name) for name in db.scalars(sa.select(_tenants.c.tenant))]
            for tenant in tenants:
                for source in tenant.sources:
                    check_own(tenant.name, source, everyone)


def _load(db: sa.Connection, name: str) -> Tenant:
    def rows(table: sa.Table) -> list[Any]:
        shown = _there(db, table)
        return list(db.execute(sa.select(*shown).where(table.c.tenant == name).order_by(*shown)))

    head = rows(_tenants)[0]
    reads, claims = rows(_project_sources), rows(_project_accounts)
    return Tenant(
        name=name,
        display_name=head.display_name,
        external_id=getattr(head, "external_id", ""),
        sources=tuple(_source(row) for row in rows(_sources)),
        projects=tuple(
            Project(
                name=row.project,
                display_name=row.display_name,
                environment=row.environment,
                business_unit=row.business_unit,
                sources=tuple(r.source for r in reads if r.project == row.project),
                accounts=tuple(
                    AccountClaim.model_validate(
                        {"id": c.account_id, "from": c.from_day, "to": c.to_day}
                    )
                    for c in claims
                    if c.project == row.project
                ),
            )
            for row in rows(_projects)
        ),
    )


def _source(row: Any) -> Source:
    reach = {field: getattr(row, field, "") for field in REACH}
    return Source(name=row.source, format=row.format, location=row.location, **reach)


def _there(db: sa.Connection, table: sa.Table) -> list[sa.Column[Any]]:
    """The columns of a table that its database has; an older registry lacks some."""
    names = {column["name"] for column in sa.inspect(db).get_columns(table.name)}
    return [column for column in table.c if column.name in names]


def _external_id(db: sa.Connection, tenant: Tenant) -> str:
    """The id that roles of a tenant ask for: what is stored, else a new one; never a given one."""
    stored = db.scalar(sa.select(_tenants.c.external_id).where(_tenants.c.tenant == tenant.name))
    if tenant.external_id not in {"", stored}:
        raise RegistryError(
            f"tenant {tenant.name} is given an external id",
            "none: the registry makes it, and it never changes",
        )
    return str(stored or uuid.uuid4())


def _delete(db: sa.Connection, name: str) -> None:
    for table in _OF_TENANT:
        db.execute(sa.delete(table).where(table.c.tenant == name))


def _insert(db: sa.Connection, tenant: Tenant) -> None:
    key = {"tenant": tenant.name}
    words = {"display_name": tenant.display_name, "external_id": tenant.external_id}
    db.execute(sa.insert(_tenants), {**key, **words})
    for source in tenant.sources:
        row = {"source": source.name, "format": source.format.value, "location": source.location}
        reach = {field: getattr(source, field) for field in REACH}
        db.execute(sa.insert(_sources), {**key, **row, **reach})
    for project in tenant.projects:
        named = {**key, "project": project.name}
        words = {
            "display_name": project.display_name,
            "environment": project.environment,
            "business_unit": project.business_unit,
        }
        db.execute(sa.insert(_projects), {**named, **words})
        for source_name in project.sources:
            db.execute(sa.insert(_project_sources), {**named, "source": source_name})
        for claim in project.accounts:
            days = {"from_day": claim.from_day, "to_day": claim.to_day}
            db.execute(sa.insert(_project_accounts), {**named, "account_id": claim.id, **days})


def check_own(tenant: str, source: Source, everyone: Iterable[Tenant]) -> None:
    """See that no other tenant reads a source's place, or the account of its role.

    One folder of bills feeds one tenant: else `unassigned` would show others' accounts.

    Raises:
        RegistryError: another does; the message does not say who.
    """
    what = f"source {tenant}/{source.name}"
    for other in everyone:
        for theirs in other.sources if other.name != tenant else ():
            if any(a.overlaps(b) for a in _places(source) for b in _places(theirs)):
                reads = source.location or "Cost Explorer with these credentials"
                raise RegistryError(
                    f"{what} reads {reads}, which is a location of another tenant, not its own",
                    "a place that only one tenant reads",
                    "Correct the location; one export never feeds two tenants",
                )
            account = role_account(source.role_arn)
            if account and account == role_account(theirs.role_arn):
                raise RegistryError(
                    f"{what} uses a role of account {account}, which is another tenant's",
                    "a role in an account of this tenant",
                    "Correct role_arn; the roles of one account serve one tenant",
                )


def _places(source: Source) -> list[Place]:
    if source.format is not SourceFormat.COST_EXPLORER:
        return [place_of(source.location, source.endpoint_url)] if source.location else []
    if not source.location:
        return []
    asked = source.endpoint_url or source.location
    return [explorer_place(asked, source.role_arn, source.profile)]
