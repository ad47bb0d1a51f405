"""The registry of tenants: a SQL database, by default a SQLite file.

Put here: its tables, reading and writing complete tenants in one transaction, and the rules between
tenants. Keep out: the declared form (declare.py), rules within one tenant (model.py), upgrading
from one schema version to the next (migrations).

To change a table, add a version: a file in migrations/versions and its id in `SCHEMA`. A registry
of an older version is read as it is; the next `save` upgrades it.
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
    Tenant,
    check_name,
    parse_source,
)
from finops_pipeline.tenants.places import role_account

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
_installation = sa.Table(
    "installation",
    _meta,
    sa.Column("installation_id", sa.String(36), primary_key=True),
)
SCHEMA = Schema(
    name="registry",
    tables=_meta,
    migrations=Path(__file__).parent / "migrations",
    versions=("0001", "0002"),
    refusal=RegistryError,
)
_OF_TENANT = (_project_accounts, _project_sources, _projects, _sources, _tenants)


class Registry:
    """The stored tenants with their sources and projects.

    Every method raises RegistryError when a newer version of finops_pipeline wrote the registry.

    Args:
        url: SQLAlchemy URL. A registry that does not exist yet has no tenants when it is read; the
            first `save` creates it.
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

    def installation_id(self) -> str:
        """Read the id of this installation; empty if the registry has none yet."""
        with self._reading() as db:
            if db is None or not sa.inspect(db).has_table(_installation.name):
                return ""
            return str(db.scalar(sa.select(_installation.c.installation_id)) or "")

    def ensure_installation_id(self) -> None:
        """Give the installation its id, which never changes, if the registry has none yet."""
        if self.installation_id():
            return
        self.save()

    def names(self) -> list[str]:
        """Read the names of all tenants, sorted."""
        with self._reading() as db:
            return [] if db is None else sorted(db.scalars(sa.select(_tenants.c.tenant)))

    def tenants(self) -> list[Tenant]:
        """Read all tenants, by name."""
        with self._reading() as db:
            if db is None:
                return []
            return [_load(db, name) for name in sorted(db.scalars(sa.select(_tenants.c.tenant)))]

    def tenant(self, name: str) -> Tenant:
        """Read one tenant.

        Raises:
            Unknown: there is no tenant of that name; the message is the same for every name.
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
    def locked(self) -> Iterator[None]:
        """Keep other processes from changing the registry while this one reads, merges and saves.

        Otherwise two `finops apply` at the same moment would both merge into the older state, and
        the later one would undo the earlier. Only for a SQLite file; a registry on a database
        server is changed by one operator at a time.

        Raises:
            RegistryError: another process held the lock for half a minute.
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
                cure="Try again when it has finished",
            ) from error
        try:
            yield
        finally:
            lock.release()

    def save(self, *tenants: Tenant) -> None:
        """Write these tenants in one transaction: all of them or none.

        A new tenant gets its external id here; an existing one keeps its own.

        Raises:
            RegistryError: a location or the account of a role already belongs to another tenant,
                or an external id is not the one that the registry made. Nothing is changed.
        """
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        with begin_write(self._engine) as db:
            SCHEMA.prepare(db)
            if db.scalar(sa.select(_installation.c.installation_id)) is None:
                db.execute(sa.insert(_installation), {"installation_id": str(uuid.uuid4())})
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
        columns = _present_columns(db, table)
        query = sa.select(*columns).where(table.c.tenant == name).order_by(*columns)
        return list(db.execute(query))

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
    fields = {"name": row.source, "format": row.format, "location": row.location, **reach}
    return parse_source(fields)


def _present_columns(db: sa.Connection, table: sa.Table) -> list[sa.Column[Any]]:
    """Return the columns of a table in the database; an older registry lacks some."""
    names = {column["name"] for column in sa.inspect(db).get_columns(table.name)}
    return [column for column in table.c if column.name in names]


def _external_id(db: sa.Connection, tenant: Tenant) -> str:
    """Return the external id of a tenant's roles: stored or new, never a declared one."""
    stored = db.scalar(sa.select(_tenants.c.external_id).where(_tenants.c.tenant == tenant.name))
    if tenant.external_id not in {"", stored}:
        raise RegistryError(
            f"tenant {tenant.name} is declared with an external id",
            "no external id: the registry generates it, and it never changes",
        )
    return str(stored or uuid.uuid4())


def _delete(db: sa.Connection, name: str) -> None:
    for table in _OF_TENANT:
        db.execute(sa.delete(table).where(table.c.tenant == name))


def _insert(db: sa.Connection, tenant: Tenant) -> None:
    key = {"tenant": tenant.name}
    labels = {"display_name": tenant.display_name, "external_id": tenant.external_id}
    db.execute(sa.insert(_tenants), {**key, **labels})
    for source in tenant.sources:
        row = {"source": source.name, "format": source.format.value, "location": source.location}
        reach = {field: getattr(source, field) for field in REACH}
        db.execute(sa.insert(_sources), {**key, **row, **reach})
    for project in tenant.projects:
        project_key = {**key, "project": project.name}
        labels = {
            "display_name": project.display_name,
            "environment": project.environment,
            "business_unit": project.business_unit,
        }
        db.execute(sa.insert(_projects), {**project_key, **labels})
        for source_name in project.sources:
            db.execute(sa.insert(_project_sources), {**project_key, "source": source_name})
        for claim in project.accounts:
            days = {"from_day": claim.from_day, "to_day": claim.to_day}
            db.execute(
                sa.insert(_project_accounts), {**project_key, "account_id": claim.id, **days}
            )


def check_own(tenant: str, source: Source, everyone: Iterable[Tenant]) -> None:
    """Check that no other tenant reads a source's location or uses the account of its role.

    A folder of bills belongs to one tenant: otherwise `unassigned` would show the accounts of
    another one.

    Raises:
        RegistryError: another tenant does; the message does not name it.
    """
    label = f"source {tenant}/{source.name}"
    for other in everyone:
        for other_source in other.sources if other.name != tenant else ():
            if any(a.overlaps(b) for a in source.places for b in other_source.places):
                reads = source.location or "Cost Explorer with these credentials"
                raise RegistryError(
                    f"{label} reads {reads}, a location that belongs to another tenant",
                    "a place that only one tenant reads",
                    "Correct the location; one export never feeds two tenants",
                )
            account = role_account(source.role_arn)
            if account and account == role_account(other_source.role_arn):
                raise RegistryError(
                    f"{label} uses a role of account {account}, which belongs to another tenant",
                    "a role in an account of this tenant",
                    "Correct role_arn; the roles of one account serve only one tenant",
                )
