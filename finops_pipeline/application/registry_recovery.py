"""Restoring a registry that is lost or damaged: from its last good copy, or from a declaration.

Put here: what may be restored from what, and the id of the installation. Keep out: recognising the
damage (tenants/registry_file.py).

This is the only case besides a restored backup in which external ids and the installation's id are
taken from outside (docs/decisions/0046).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import RegistryError, counted
from finops_pipeline.lake.layout import list_undeclared
from finops_pipeline.lake.tenant_ledger import read_installation_ids
from finops_pipeline.tenants.exported import Export, read_export
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.registry import fill_registry, read_registry, store_restored
from finops_pipeline.tenants.registry_file import RegistryFile


@dataclass(frozen=True)
class RestoredRegistry:
    """What a registry holds after it was restored, and what it lacks."""

    source: Path
    tenants: Sequence[str]
    new_external_ids: Sequence[str]
    undeclared: Sequence[str]


def restore_registry(installation: Installation, declaration: Path | None) -> RestoredRegistry:
    """Restore the registry from its last good copy, or from a file with the declaration.

    Raises:
        RegistryError: the registry can be read, there is nothing to restore it from, or the
            installation's id cannot be determined. Nothing is changed.
    """
    file = installation.registry.file
    if file is None:
        raise RegistryError(
            "the registry is on a database server", "a registry in a file", "Restore it there"
        )
    with file.locked():
        _require_damage(installation, file)
        source = file.copy if declaration is None else declaration
        export = _read_copy(file) if declaration is None else read_export(declaration)
        own_id = export.installation_id or _id_of_ledgers(installation)
        fill_registry(file, store_restored(export.tenants, own_id))
        file.keep_copy()
    return _describe(installation, source, export.tenants)


def _require_damage(installation: Installation, file: RegistryFile) -> None:
    try:
        tenants = installation.registry.tenants()
    except (RegistryError, sa.exc.DatabaseError):
        return
    if file.exists():
        raise RegistryError(
            f"the registry {file.path} can be read and has {counted(len(tenants), 'tenant')}",
            "a lost or damaged registry",
            "Change it with finops apply FILE",
        )


def _read_copy(file: RegistryFile) -> Export:
    if not file.copy.exists():
        raise RegistryError(
            f"there is no copy of the registry ({file.copy})",
            "a copy, or a file with the tenants' declarations",
            "Give a file: finops restore-registry --from tenants.yaml",
        )
    installation_id, tenants = read_registry(file.copy)
    return Export(installation_id, tuple(tenants))


def _id_of_ledgers(installation: Installation) -> str:
    """Return the id that the tenants' ledgers carry; empty if none carries any."""
    ids = read_installation_ids(installation.settings.data_folder)
    if len(ids) > 1:
        raise RegistryError(
            f"the ledgers of {installation.settings.data_folder} name {len(ids)} installations",
            "ledgers of one installation, so that its id can be restored",
            "Move other installations' folders away, or give the output of finops tenant export",
        )
    return "".join(ids)


def _describe(
    installation: Installation, source: Path, tenants: Sequence[Tenant]
) -> RestoredRegistry:
    names = [tenant.name for tenant in tenants]
    return RestoredRegistry(
        source=source,
        tenants=sorted(names),
        new_external_ids=sorted(tenant.name for tenant in tenants if not tenant.external_id),
        undeclared=list_undeclared(installation.settings.data_folder, names),
    )
