"""Backing up an installation: tenants, each on its own, and the registry.

Put here: which parts a backup has, and which failure stops which part. Keep out: copying one
tenant's files (lake/tenant_backup.py), restoring (restore.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from finops_pipeline import __version__, clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.refusals import as_expected, reason_of
from finops_pipeline.database.private_files import Permissions
from finops_pipeline.errors import DiskFull, TenantBusy
from finops_pipeline.lake.backup_folder import BackupFolder, require_outside
from finops_pipeline.lake.backup_manifest import REGISTRY_FOLDER, Manifest, require_own_backup
from finops_pipeline.lake.layout import list_undeclared
from finops_pipeline.lake.tenant_backup import TenantBackup, back_up
from finops_pipeline.tenants.exported import export_tenant
from finops_pipeline.tenants.registry_file import RegistryFile


@dataclass(frozen=True)
class PartFailure:
    """A part of a backup that could not be copied or restored: a tenant, or the registry."""

    part: str
    reason: str


@dataclass(frozen=True)
class BackupReport:
    """What was backed up, and what could not be copied: an earlier backup of that stays.

    `undeclared`: tenants that have a folder but are not declared, so that they are not backed up.
    """

    backups: Sequence[TenantBackup]
    failures: Sequence[PartFailure]
    undeclared: Sequence[str] = ()


def back_up_installation(
    installation: Installation, tenant: str | None, destination: Path
) -> BackupReport:
    """Back up one tenant, or every tenant and the registry. A failure does not stop the others.

    Raises:
        StorageFailure: the destination lies in the data folder.
        TenantBusy: another backup writes to the destination.
        RegistryError: there is no such tenant, or the registry is damaged.
    """
    settings = installation.settings
    root = require_outside(destination, settings.data_folder)
    registry = installation.registry
    names = registry.names() if tenant is None else [registry.tenant(tenant).name]
    registry.ensure_installation_id()
    permissions = Permissions(settings.group_readable)
    permissions.make_folder(root)
    lock = FileLock(root / ".lock", timeout=settings.lock_wait_seconds, mode=permissions.file)
    try:
        lock.acquire()
    except Timeout as error:
        raise TenantBusy(
            f"another backup writes to {root}", cure="Try again when it has finished"
        ) from error
    try:
        report = _back_up_parts(installation, names, root, has_registry=tenant is None)
    finally:
        lock.release()
    if tenant is not None:
        return report
    return replace(report, undeclared=list_undeclared(settings.data_folder, names))


def _back_up_parts(
    installation: Installation, names: Sequence[str], root: Path, has_registry: bool
) -> BackupReport:
    backups, failures = list[TenantBackup](), list[PartFailure]()
    registry = installation.registry.file
    if has_registry and registry is not None:
        try:
            _back_up_registry(installation, registry, root)
        except Exception as error:
            failures.append(PartFailure("the registry", reason_of(_explain(error, root), "backup")))
    for name in names:
        try:
            backups.append(_back_up_tenant(installation, name, root))
        except Exception as error:
            explained = _explain(error, root)
            if not has_registry:
                raise explained from error
            failures.append(PartFailure(f"tenant {name}", reason_of(explained, "backup")))
    return BackupReport(backups, failures)


def _back_up_tenant(installation: Installation, name: str, root: Path) -> TenantBackup:
    folder = installation.folder(name)
    target = BackupFolder(root, folder.root.name, folder.permissions)
    return back_up(folder, target, export_tenant(installation.registry.tenant(name)))


def _back_up_registry(installation: Installation, registry: RegistryFile, root: Path) -> None:
    permissions = Permissions(installation.settings.group_readable)
    target = BackupFolder(root, REGISTRY_FOLDER, permissions)
    own_id = installation.registry.installation_id()
    require_own_backup(target.path, "", own_id)
    scratch = target.scratch()
    registry.copy_to(scratch)
    file = target.add_scratch(REGISTRY_FOLDER, scratch)
    now = clock.now().isoformat()
    target.finish(Manifest("", own_id, 0, 0, __version__, now, {}, (file,)))


def _explain(error: Exception, root: Path) -> Exception:
    """Return an error, or one that names the destination if its disk is full."""
    if not isinstance(as_expected(error), DiskFull):
        return error
    return DiskFull(
        f"the disk of {root} is full",
        "enough space for the backup",
        "Make room there and run finops backup again; an earlier backup stays as it was",
    )
