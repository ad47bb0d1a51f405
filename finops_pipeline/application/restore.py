"""Restoring tenants from a backup, and the registry if the installation has no tenants.

Put here: which parts are restored, whose they become, and their declarations. Keep out: files of
one tenant (lake/tenant_restore.py), a damaged registry (registry_recovery.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finops_pipeline.application.backup import PartFailure
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.refusals import reason_of
from finops_pipeline.database.private_files import Permissions
from finops_pipeline.errors import DamagedFile, ForeignFile, Unknown
from finops_pipeline.lake.backup_folder import content_name, damaged_backup, list_tenants, read_back
from finops_pipeline.lake.backup_manifest import MANIFEST, REGISTRY_FOLDER, Manifest, read_manifest
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.tenant_restore import Backup, filled_folder, replace_folder, require_free
from finops_pipeline.tenants.exported import parse_export
from finops_pipeline.tenants.model import Tenant, check_name
from finops_pipeline.tenants.registry import Registry, read_registry


@dataclass(frozen=True)
class Restored:
    """A restored tenant: the time of the backup, and what was restored."""

    tenant: str
    backed_up_at: str
    publication: int
    files: int
    size_bytes: int


@dataclass(frozen=True)
class RestoreReport:
    """The tenants that were restored, and those that could not be and are as they were."""

    restored: Sequence[Restored]
    failures: Sequence[PartFailure]


def restore_backup(
    installation: Installation, source: Path, tenant: str | None, is_replacing: bool
) -> RestoreReport:
    """Restore one tenant of a backup, or everything. A failure does not stop other tenants.

    Raises:
        DamagedFile: the source is no backup, or its registry is needed and damaged.
        Unknown: the backup has no such tenant.
        StorageFailure: a tenant has data, and it is not to be replaced.
    """
    root = source.expanduser().resolve()
    names = list(list_tenants(root, tenant and check_name("tenant", tenant)))
    if not names:
        _refuse_nothing(root, tenant)
    for name in names:
        require_free(installation.folder(check_name("tenant", name)), is_replacing)
    if tenant is None and not installation.registry.names():
        _restore_registry(installation, root / REGISTRY_FOLDER)
    restored, failures = list[Restored](), list[PartFailure]()
    for name in names:
        try:
            restored.append(_restore_tenant(installation, root, name, is_replacing))
        except Exception as error:
            if tenant is not None:
                raise
            failures.append(PartFailure(f"tenant {name}", reason_of(error, "restore")))
    return RestoreReport(restored, failures)


def _refuse_nothing(root: Path, tenant: str | None) -> None:
    if tenant is not None:
        raise Unknown(
            f"{root} has no backup of tenant {tenant}",
            cure="Restore a tenant that has a folder tenant=NAME there",
        )
    raise DamagedFile(
        f"{root} holds no backup of a tenant",
        f"the folder that was given to finops backup, with tenant=NAME/{MANIFEST} in it",
        "Give that folder",
    )


def _restore_registry(installation: Installation, folder: Path) -> None:
    """Put the registry of the backup in place of one without tenants, if the backup has one."""
    file = installation.registry.file
    if file is None or not folder.is_dir():
        return
    manifest = read_manifest(folder)
    if manifest.tenant or len(manifest.files) != 1:
        raise damaged_backup(folder / MANIFEST, "is not the manifest of a registry")
    (entry,) = manifest.files
    if entry.path != content_name(REGISTRY_FOLDER, entry.sha256, ".sqlite"):
        raise damaged_backup(folder / MANIFEST, "does not list a copy of the registry")
    with file.locked():
        if installation.registry.names():
            return
        file.begin()
        permissions = Permissions(installation.settings.group_readable)
        read_back(folder, entry, file.new, permissions)
        read_registry(file.new)
        file.put_in_place()
        file.keep_copy()


def _restore_tenant(
    installation: Installation, root: Path, name: str, is_replacing: bool
) -> Restored:
    path = root / f"tenant={name}"
    if path.is_symlink():
        raise damaged_backup(path, "is a link")
    manifest = read_manifest(path)
    if manifest.tenant != name:
        raise damaged_backup(path / MANIFEST, f"is not the manifest of tenant {name}")
    registry, settings = installation.registry, installation.settings
    declared = _read_declaration(registry, path, manifest)
    own_id = registry.installation_id() or manifest.installation_id
    _refuse_purged(registry, manifest, path)
    folder = TenantFolder(settings.data_folder, name, own_id, settings.group_readable)
    require_free(folder, is_replacing)
    if not manifest.files:
        registry.restore(declared, own_id)
    else:
        with filled_folder(folder, Backup(path, manifest)):
            # Declared first: a tenant without data can be restored again.
            registry.restore(declared, own_id)
            replace_folder(folder, settings.lock_wait_seconds)
    return Restored(
        name,
        manifest.created_at,
        manifest.publication,
        len(manifest.files),
        manifest.size_bytes,
    )


def _refuse_purged(registry: Registry, manifest: Manifest, path: Path) -> None:
    """Refuse the backup of a purged tenant whose name another tenant has now.

    Raises:
        ForeignFile: it is one.
    """
    external_id = str(manifest.declaration.get("external_id", ""))
    purged_at = registry.purged_at(external_id) if external_id else ""
    if purged_at and manifest.tenant in registry.names():
        raise ForeignFile(
            f"{path} is the backup of a tenant {manifest.tenant} that was purged at"
            f" {purged_at[:16]}; the tenant that has the name now is another one",
            "a backup of the present tenant",
            "Delete this backup, or restore it in another installation",
        )


def _read_declaration(registry: Registry, path: Path, manifest: Manifest) -> list[Tenant]:
    """Read the tenant's declaration from a backup if this installation does not have it."""
    if manifest.tenant in registry.names():
        return []
    declared = parse_export(manifest.declaration, path / MANIFEST)
    if declared.name != manifest.tenant:
        raise damaged_backup(path / MANIFEST, "declares another tenant")
    return [declared]
