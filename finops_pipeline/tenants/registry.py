"""Where tenants are written down: a SQLAlchemy database (SQLite file by default).

Put here: reading and writing whole tenants in one transaction, and the rules that hold
between tenants. Keep out: the declared form (declare.py), rules inside one tenant (model.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from finops_pipeline.errors import RegistryError, Unknown
from finops_pipeline.tenants.model import AccountClaim, Project, Source, Tenant, check_name

_meta = sa.MetaData()
_tenants = sa.Table(
    "tenants",
    _meta,
    sa.Column("tenant", sa.String(40), primary_key=True),
    sa.Column("display_name", sa.Text, nullable=False),
)
_sources = sa.Table(
    "sources",
    _meta,
    sa.Column("tenant", sa.ForeignKey("tenants.tenant"), primary_key=True),
    sa.Column("source", sa.String(40), primary_key=True),
    sa.Column("format", sa.String(20), nullable=False),
    sa.Column("location", sa.Text, nullable=False),
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
_OF_TENANT = (_project_accounts, _project_sources, _projects, _sources, _tenants)


class Registry:
    """Tenants with their sources and projects, stored whole.

    Args:
        url: SQLAlchemy URL. Reading a registry that is not there yet finds no tenants and
            makes nothing; the first `save` makes it.
    """

    def __init__(self, url: str) -> None:
        self._url = sa.make_url(url)
        self._engine = sa.create_engine(self._url, poolclass=sa.NullPool)

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

    def save(self, *tenants: Tenant) -> None:
        """Write these tenants whole, in one transaction: all of them or none.

        Raises:
            RegistryError: a location is already read by another tenant.
        """
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._engine.begin() as db:
            _meta.create_all(db)
            for tenant in tenants:
                _delete(db, tenant.name)
                _insert(db, tenant)
            _check_locations(db)


def _load(db: sa.Connection, name: str) -> Tenant:
    def rows(table: sa.Table) -> list[Any]:
        order = [column for column in table.c if column.name != "tenant"]
        return list(db.execute(sa.select(table).where(table.c.tenant == name).order_by(*order)))

    head = rows(_tenants)[0]
    reads, claims = rows(_project_sources), rows(_project_accounts)
    return Tenant(
        name=name,
        display_name=head.display_name,
        sources=tuple(
            Source(name=row.source, format=row.format, location=row.location)
            for row in rows(_sources)
        ),
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


def _delete(db: sa.Connection, name: str) -> None:
    for table in _OF_TENANT:
        db.execute(sa.delete(table).where(table.c.tenant == name))


def _insert(db: sa.Connection, tenant: Tenant) -> None:
    key = {"tenant": tenant.name}
    db.execute(sa.insert(_tenants), {**key, "display_name": tenant.display_name})
    for source in tenant.sources:
        row = {"source": source.name, "format": source.format.value, "location": source.location}
        db.execute(sa.insert(_sources), {**key, **row})
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


def _check_locations(db: sa.Connection) -> None:
    """One folder of bills feeds one tenant: else `unassigned` would show others' accounts."""
    located = [
        row
        for row in db.execute(sa.select(_sources).order_by(_sources.c.tenant, _sources.c.source))
        if row.location
    ]
    for row in located:
        for other in located:
            inside = _place(row.location).startswith(_place(other.location))
            if row.tenant != other.tenant and inside:
                raise RegistryError(
                    f"source {row.tenant}/{row.source} reads {row.location}, which is a location"
                    " of another tenant",
                    "a folder that only one tenant reads",
                    "Correct the location; one export never feeds two tenants",
                )


def _place(location: str) -> str:
    """A location as one spelling with a `/` at the end: `file:///a/../b` is `/b/`."""
    path = location.removeprefix("file://")
    return f"{path if '://' in path else Path(path).resolve()}".rstrip("/") + "/"
