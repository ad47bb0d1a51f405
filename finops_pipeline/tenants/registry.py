"""The registry of tenants: a SQL database, by default a SQLite file.

Put here: reading and writing complete tenants in one transaction, and the rules between tenants.
Keep out: its tables (registry_tables.py), its file (registry_file.py), the declared form
(declare.py), rules within one tenant (model.py), upgrading from one schema version to the next
(migrations).

A registry of an older version is read as it is; the next `save` upgrades it.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import sqlalchemy as sa

from finops_pipeline.database.engine import begin_write, open_engine
from finops_pipeline.database.private_files import Permissions
from finops_pipeline.errors import RegistryError, Unknown
from finops_pipeline.tenants.forbidden_places import check_place
from finops_pipeline.tenants.model import Tenant, check_name
from finops_pipeline.tenants.place_owners import PlaceOwners
from finops_pipeline.tenants.project_identity import note_former_projects, with_project_ids
from finops_pipeline.tenants.registry_file import RegistryFile
from finops_pipeline.tenants.registry_tables import (
    INSTALLATION,
    PURGED_TENANTS,
    SCHEMA,
    TENANTS,
    delete_tenant,
    load_tenants,
    replace_tenants,
)
from finops_pipeline.tenants.tenant_identity import (
    DeclaredProject,
    TenantIdentity,
    identity_of,
    load_identities,
    load_identity,
    load_projects,
    projects_of,
)

__all__ = [
    "SCHEMA",
    "Registry",
    "fill_registry",
    "read_registry",
    "store_restored",
    "store_tenants",
]

Write = Callable[[sa.Connection], None]


class Registry:
    """The stored tenants with their sources and projects.

    Every method raises RegistryError when a newer version of finops_pipeline wrote the registry,
    or when its file is lost or damaged.

    Args:
        url: SQLAlchemy URL. A registry that does not exist yet has no tenants when it is read; the
            first `save` creates it.
        data: the data folder; if it has tenants' folders, there has to be a registry.
        permissions: the permissions of its file.
    """

    def __init__(
        self, url: str, data: Path | None = None, permissions: Permissions | None = None
    ) -> None:
        self._url = sa.make_url(url)
        self._engine = open_engine(self._url)
        self._data = data
        is_file = self._url.get_backend_name() == "sqlite" and self._url.database
        self.file = (
            RegistryFile(Path(str(self._url.database)), data, permissions or Permissions())
            if is_file
            else None
        )
        """The file of a SQLite registry; None for a database server."""

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection | None]:
        if self.file is not None and not self.file.exists():
            yield None
            return
        with self.file.explained() if self.file else nullcontext(), self._engine.connect() as db:
            SCHEMA.check_version(db)
            has_tables = sa.inspect(db).has_table(TENANTS.name)
            if self.file is not None and not has_tables:
                raise self.file.problem("has no table of tenants")
            yield db if has_tables else None

    def installation_id(self) -> str:
        """Read the id of this installation; empty if the registry has none yet."""
        with self._reading() as db:
            if db is None or not sa.inspect(db).has_table(INSTALLATION.name):
                return ""
            return str(db.scalar(sa.select(INSTALLATION.c.installation_id)) or "")

    def ensure_installation_id(self) -> None:
        """Give the installation its id, which never changes, if the registry has none yet.

        A registry that an older version wrote also gets its first copy.
        """
        if not self.installation_id():
            self.save()
        elif self.file is not None:
            with self.locked():
                self.file.ensure_copy()

    def names(self) -> list[str]:
        """Read the names of all tenants, sorted."""
        with self._reading() as db:
            return [] if db is None else sorted(db.scalars(sa.select(TENANTS.c.tenant)))

    def tenants(self) -> list[Tenant]:
        """Read all tenants, by name."""
        with self._reading() as db:
            if db is None:
                return []
            return load_tenants(db)

    def tenant(self, name: str) -> Tenant:
        """Read one tenant.

        Raises:
            Unknown: there is no tenant of that name; the message is the same for every name.
        """
        check_name("tenant", name)
        with self._reading() as db:
            for tenant in load_tenants(db, name) if db is not None else ():
                return tenant
        raise Unknown(
            f"tenant {name} is not known",
            cure="Declare it with finops apply FILE or finops tenant add NAME",
            tenant=name,
        )

    def identity(self, name: str) -> TenantIdentity | None:
        """Read the identity of the tenant with a name; None if there is none."""
        with self._reading() as db:
            if db is not None and SCHEMA.check_version(db) == SCHEMA.newest:
                return load_identity(db, name)
            tenants = load_tenants(db, name, has_projects=False) if db is not None else []
            return identity_of(tenants[0]) if tenants else None

    def identities(self, external_ids: Collection[str]) -> list[TenantIdentity]:
        """Read the identities of the tenants with these external ids, by name."""
        with self._reading() as db:
            if db is not None and SCHEMA.check_version(db) == SCHEMA.newest:
                return load_identities(db, external_ids)
            tenants = load_tenants(db, has_projects=False) if db is not None else []
            return [identity_of(tenant) for tenant in tenants if tenant.external_id in external_ids]

    def projects(self, name: str) -> list[DeclaredProject]:
        """Read the identities and environments of all projects of a tenant."""
        with self._reading() as db:
            if db is not None and SCHEMA.check_version(db) == SCHEMA.newest:
                return load_projects(db, name)
            tenants = load_tenants(db, name) if db is not None else []
            return projects_of(tenants[0]) if tenants else []

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from changing the registry while this one reads, merges and saves.

        Otherwise two `finops apply` at the same moment would both merge into the older state, and
        the later one would undo the earlier. Only for a SQLite file; a registry on a database
        server is changed by one operator at a time.

        Raises:
            RegistryBusy: another process held the lock for too long.
        """
        with self.file.locked() if self.file else nullcontext():
            yield

    def save(self, *tenants: Tenant) -> None:
        """Write these tenants in one transaction: all of them or none.

        A new tenant gets its external id here, and a new project its id; existing ones keep theirs.

        Raises:
            RegistryError: a location or the account of a role already belongs to another tenant,
                no source may read a location, or an external id or the id of a project is not the
                one that the registry made. Nothing is changed.
        """

        def write(db: sa.Connection) -> None:
            query = sa.select(TENANTS.c.tenant, TENANTS.c.external_id)
            stored_ids = {row.tenant: row.external_id for row in db.execute(query)}
            own = [_with_stored_id(tenant, stored_ids) for tenant in tenants]
            before = [old for tenant in own for old in load_tenants(db, tenant.name)]
            identified = with_project_ids(db, before, own)
            store_tenants(db, identified)
            note_former_projects(db, before, identified)

        for tenant in tenants:
            for source in tenant.sources:
                if source.is_active:  # so that a wrong one that exists can be disabled or removed
                    check_place(f"{tenant.name}/{source.name}", source, self._data)
        with self.locked():
            self._write(write)

    def restore(self, tenants: Iterable[Tenant], installation_id: str) -> None:
        """Write tenants that the registry does not have, with the external ids of a backup.

        A registry without an id takes over that of the backup.

        Raises:
            RegistryError: the tenants break a rule. Nothing is changed.
        """

        with self.locked():
            self._write(store_restored(tenants, installation_id))

    def purge(self, name: str, at: str) -> None:
        """Remove a tenant with everything that is declared of it; its external id is remembered.

        Args:
            at: the time, as ISO text.
        """

        def write(db: sa.Connection) -> None:
            for tenant in load_tenants(db, name):
                delete_tenant(db, name)
                purged = {"external_id": tenant.external_id, "tenant": name, "purged_at": at}
                db.execute(sa.insert(PURGED_TENANTS), purged)

        with self.locked():
            self._write(write)

    def purged_at(self, external_id: str) -> str:
        """Return when the tenant with this external id was purged; empty if it was not."""
        with self._reading() as db:
            if db is None or not sa.inspect(db).has_table(PURGED_TENANTS.name):
                return ""
            table = PURGED_TENANTS.c
            query = sa.select(table.purged_at).where(table.external_id == external_id)
            return str(db.scalar(query) or "")

    def _write(self, write: Write) -> None:
        if self.file is None:
            _perform(self._engine, write)
            return
        if self.file.exists():
            self.file.protect()
            with self.file.explained():
                _perform(self._engine, write)
        else:
            fill_registry(self.file, write)
        self.file.keep_copy()


def store_restored(tenants: Iterable[Tenant], installation_id: str) -> Write:
    """Store the tenants that a registry lacks with their external ids, and its id if it has none.

    The write raises RegistryError if the tenants break a rule.
    """

    def write(db: sa.Connection) -> None:
        if installation_id and db.scalar(sa.select(INSTALLATION.c.installation_id)) is None:
            db.execute(sa.insert(INSTALLATION), {"installation_id": installation_id})
        stored = set(db.scalars(sa.select(TENANTS.c.tenant)))
        new = [tenant for tenant in tenants if tenant.name not in stored]
        store_tenants(db, new)
        ids = [tenant.external_id for tenant in new]
        db.execute(sa.delete(PURGED_TENANTS).where(PURGED_TENANTS.c.external_id.in_(ids)))

    return write


def fill_registry(file: RegistryFile, write: Write) -> None:
    """Write a new registry beside its place, and put it there when it is complete."""
    file.begin()
    _perform(open_engine(sa.URL.create("sqlite", database=str(file.new))), write)
    file.put_in_place()


def read_registry(path: Path) -> tuple[str, list[Tenant]]:
    """Read the installation's id and all tenants from a registry at another path.

    Raises:
        RegistryError: it is damaged, or a newer version of finops_pipeline wrote it.
    """
    registry = Registry(sa.URL.create("sqlite", database=str(path)).render_as_string())
    return registry.installation_id(), registry.tenants()


def _perform(engine: sa.Engine, write: Write) -> None:
    with begin_write(engine) as db:
        SCHEMA.prepare(db)
        write(db)
        if db.scalar(sa.select(INSTALLATION.c.installation_id)) is None:
            db.execute(sa.insert(INSTALLATION), {"installation_id": str(uuid.uuid4())})


def store_tenants(db: sa.Connection, tenants: list[Tenant]) -> None:
    """Store complete tenants in place of earlier states; one without an external id gets one.

    Raises:
        RegistryError: a location, the account of a role or an external id belongs to another
            tenant.
    """
    ids = {tenant.name: tenant.external_id or str(uuid.uuid4()) for tenant in tenants}
    replace_tenants(
        db, [tenant.model_copy(update={"external_id": ids[tenant.name]}) for tenant in tenants]
    )
    everyone = load_tenants(db, has_projects=False)
    owners = PlaceOwners(everyone)
    external_ids = Counter(tenant.external_id for tenant in everyone)
    for tenant in tenants:
        if external_ids[ids[tenant.name]] > 1:
            raise RegistryError(
                f"tenant {tenant.name} has the external id of another tenant",
                "an id that no other tenant has",
            )
        for source in tenant.sources:
            owners.check_own(tenant.name, source)


def _with_stored_id(tenant: Tenant, stored_ids: dict[str, str]) -> Tenant:
    """Return a tenant with its stored external id, never a declared one."""
    stored = stored_ids.get(tenant.name)
    if tenant.external_id not in {"", stored}:
        raise RegistryError(
            f"tenant {tenant.name} is declared with an external id",
            "no external id: the registry generates it, and it never changes",
        )
    return tenant.model_copy(update={"external_id": str(stored or "")})
