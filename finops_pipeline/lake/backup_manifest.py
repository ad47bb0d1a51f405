"""The manifest of a backup: what it holds. It is written last, and makes the folder a backup.

Put here: its form, writing it, and reading one without trusting it. Keep out: the files that
it lists (backup_folder.py).

Nothing in a manifest is used as a path. Its paths are compared with those that are computed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finops_pipeline.errors import DamagedFile, ForeignFile, SchemaTooNew
from finops_pipeline.ledger.ledger import fingerprint_of

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
REGISTRY_FOLDER = "registry"
"""The folder of the registry in a backup; those of tenants are called tenant=NAME."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, order=True)
class BackedUpFile:
    """A file of a backup; `path` is relative to the folder of the manifest."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Manifest:
    """What a folder of a backup holds: a tenant, or the registry if `tenant` is empty.

    `publication` and `generation` are the ledger's numbers; both are 0 for a tenant that has
    nothing yet. `declaration` is the tenant as `finops tenant export` prints it.
    """

    tenant: str
    installation_id: str
    publication: int
    generation: int
    finops_version: str
    created_at: str
    declaration: Mapping[str, Any]
    files: tuple[BackedUpFile, ...]

    @property
    def size_bytes(self) -> int:
        """The size of all files."""
        return sum(file.size_bytes for file in self.files)

    def as_text(self) -> str:
        """Return the manifest as JSON with its own checksum."""
        fields = {"format_version": FORMAT_VERSION, **asdict(self)}
        return json.dumps({**fields, "checksum": fingerprint_of(fields)}, indent=1) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a folder of a backup.

    Raises:
        DamagedFile: there is none, because the backup was not finished, or it was changed.
        SchemaTooNew: a newer version of finops_pipeline wrote it.
    """
    path = folder / MANIFEST
    if path.is_symlink() or not path.is_file():
        raise DamagedFile(
            f"{folder} has no {MANIFEST}, so the backup was not finished",
            f"a folder that finops backup wrote, with {MANIFEST}, which is written last",
            "Run finops backup again, or restore another backup",
        )
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        version = fields.pop("format_version")
    except (ValueError, RecursionError, AttributeError, KeyError) as error:
        raise _damaged(path) from error
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise SchemaTooNew(
            f"{path} has format version {version}",
            f"at most version {FORMAT_VERSION}, the newest that this installation knows",
            "Install the newer finops_pipeline that wrote the backup; nothing was changed",
        )
    return _parse(path, {"format_version": version, **fields})


def require_own_backup(folder: Path, tenant: str, installation_id: str) -> None:
    """Check that a folder holds no backup, a damaged one, or one of this tenant.

    Raises:
        ForeignFile: it holds the backup of another installation, which must not be replaced.
    """
    if not (folder / MANIFEST).exists():
        return
    try:
        earlier = read_manifest(folder)
    except DamagedFile:
        return
    if (earlier.tenant, earlier.installation_id) != (tenant, installation_id):
        raise ForeignFile(
            f"{folder} holds a backup of another installation",
            "an empty folder, or earlier backups of this installation",
            "Back up to another folder",
        )


def _parse(path: Path, fields: dict[str, Any]) -> Manifest:
    checksum = fields.pop("checksum", "")
    if fields.pop("format_version") != FORMAT_VERSION or checksum != fingerprint_of(
        {"format_version": FORMAT_VERSION, **fields}
    ):
        raise _damaged(path)
    try:
        files = tuple(BackedUpFile(**file) for file in fields.pop("files"))
        manifest = Manifest(**fields, files=files)
    except TypeError as error:
        raise _damaged(path) from error
    texts = (manifest.tenant, manifest.installation_id, manifest.finops_version)
    numbers = (manifest.publication, manifest.generation, *(file.size_bytes for file in files))
    names = [file.path for file in files]
    if not (
        all(isinstance(text, str) for text in (*texts, manifest.created_at, *names))
        and all(isinstance(number, int) for number in numbers)
        and all(isinstance(f.sha256, str) and _SHA256.fullmatch(f.sha256) for f in files)
        and isinstance(manifest.declaration, dict)
        and len(set(names)) == len(names)
    ):
        raise _damaged(path)
    return manifest


def _damaged(path: Path) -> DamagedFile:
    return DamagedFile(
        f"{path} is damaged, or was changed after the backup",
        "a manifest as finops backup wrote it",
        "Restore another backup; nothing was changed",
    )
