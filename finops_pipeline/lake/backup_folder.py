"""A folder of a backup: files named by their content, and a manifest that makes them a backup.

Put here: adding files, finishing with the manifest, reading files back. Keep out: what has to be
in a backup (tenant_backup.py), where it is restored (tenant_restore.py).

A file is never changed. A backup that runs again adds what is new and then replaces the manifest,
so an interrupted one leaves the earlier backup as it was.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

from finops_pipeline.database.private_files import Permissions
from finops_pipeline.errors import DamagedFile, ForeignFile, StorageFailure
from finops_pipeline.lake import files
from finops_pipeline.lake.backup_manifest import MANIFEST, BackedUpFile, Manifest

_BLOCK = 1 << 20
_NEW = ".new"
_NAMED_DIGITS = 24


def content_name(stem: str, sha256: str, suffix: str) -> str:
    """Return the name of a file that is named by its content."""
    return f"{stem}-{sha256[:_NAMED_DIGITS]}{suffix}"


class BackupFolder:
    """The folder of one tenant, or of the registry, in a backup.

    Args:
        root: the folder of the whole backup, all links resolved.
        name: the name of this folder in it.
        permissions: the permissions of what is created.
    """

    def __init__(self, root: Path, name: str, permissions: Permissions) -> None:
        self.path = root / name
        self._root = root
        self._permissions = permissions
        self._changed_folders: set[Path] = set()
        self.copied_bytes = 0

    def scratch(self) -> Path:
        """Return a path for a database that `add_scratch` then adds to the backup."""
        self._make(self.path)
        return self.path / f"scratch{_NEW}"

    def add(self, file: BackedUpFile, source: Path) -> bool:
        """Copy a file unless it is already there; return False if the source has other content.

        Raises:
            FileNotFoundError: the source does not exist.
            ForeignFile: the source, or a folder of the backup, is a link.
        """
        target = self.path / file.path
        self._make(target.parent)
        if _is_intact(target, file):
            target.chmod(self._permissions.file)
            return True
        new = self.path / f"copy{_NEW}"
        self._permissions.make_file(new)
        with open_regular(source) as stream, new.open("wb") as out:
            if os.fstat(stream.fileno()).st_size != file.size_bytes:
                return False
            if copy_stream(stream, out) != file.sha256:
                return False
        self.copied_bytes += new.stat().st_size
        files.sync(new)
        new.replace(target)
        self._changed_folders.add(target.parent)
        return True

    def add_scratch(self, stem: str, scratch: Path) -> BackedUpFile:
        """Add a SQLite database that was written to the scratch path."""
        sha256 = files.fingerprint(scratch)
        name = content_name(stem, sha256, ".sqlite")
        file = BackedUpFile(name, sha256, scratch.stat().st_size)
        self.add(file, scratch)
        return file

    def finish(self, manifest: Manifest) -> None:
        """Force the files to disk, write the manifest, and remove files that it does not list."""
        self._make(self.path)
        for folder in {f for changed in self._changed_folders for f in (changed, *changed.parents)}:
            if folder.is_relative_to(self.path):
                files.sync(folder)
        new = self.path / f"{MANIFEST}{_NEW}"
        self._permissions.make_file(new)
        new.write_text(manifest.as_text(), encoding="utf-8")
        files.sync(new)
        new.replace(self.path / MANIFEST)
        for folder in (self.path, self._root, self._root.parent):
            files.sync(folder)
        self._remove_others({file.path for file in manifest.files})

    def _remove_others(self, names: set[str]) -> None:
        for path in sorted(self.path.rglob("*"), reverse=True):
            name = path.relative_to(self.path).as_posix()
            if path.is_dir() and not path.is_symlink():
                with suppress(OSError):  # not empty
                    path.rmdir()
            elif name not in names | {MANIFEST}:
                path.unlink()

    def _make(self, path: Path) -> None:
        if Path(os.path.realpath(path)) != path:
            raise ForeignFile(
                f"{path} is a link or lies behind one",
                "folders that finops backup made",
                "Remove the link, or back up to another folder",
            )
        self._permissions.make_folder(path)


def _is_intact(path: Path, file: BackedUpFile) -> bool:
    return (
        path.is_file()
        and not path.is_symlink()
        and path.stat().st_size == file.size_bytes
        and files.fingerprint(path) == file.sha256
    )


def read_back(folder: Path, file: BackedUpFile, target: Path, permissions: Permissions) -> None:
    """Copy a file of a backup, and check the copy.

    Args:
        folder: the folder of the manifest.
        file: a file of the manifest whose path finops has computed itself.
        target: a path in an existing folder.
        permissions: the permissions of the copy.

    Raises:
        DamagedFile: the file is missing or was changed.
        ForeignFile: it is a link, lies behind one, or is not a regular file.
    """
    source = folder / file.path
    if Path(os.path.realpath(source)) != Path(os.path.realpath(folder)) / file.path:
        raise foreign_backup(source, "is a link or lies behind one")
    try:
        permissions.make_file(target)
        with open_regular(source) as stream, target.open("wb") as out:
            sha256 = copy_stream(stream, out)
    except FileNotFoundError as error:
        raise damaged_backup(source, "is missing") from error
    if sha256 != file.sha256 or target.stat().st_size != file.size_bytes:
        raise damaged_backup(source, "was changed or is damaged")


def open_regular(path: Path) -> IO[bytes]:
    """Open a file for reading; it has to be a regular file and not a link.

    Raises:
        ForeignFile: it is something else.
    """
    # Without O_NONBLOCK, opening a pipe would wait for ever.
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if path.is_symlink():
            raise foreign_backup(path, "is a link") from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise foreign_backup(path, "is not a regular file")
    return os.fdopen(handle, "rb")


def copy_stream(stream: IO[bytes], out: IO[bytes]) -> str:
    """Copy bytes and return their SHA-256."""
    digest = hashlib.sha256()
    while block := stream.read(_BLOCK):
        digest.update(block)
        out.write(block)
    return digest.hexdigest()


def require_outside(path: Path, data: Path) -> Path:
    """Return the folder of a backup with all links resolved.

    Raises:
        StorageFailure: it lies in the data folder.
    """
    try:
        resolved = path.expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise StorageFailure(f"{path} is not a folder ({error})", "a folder") from error
    if resolved.is_relative_to(data.resolve()):
        raise StorageFailure(
            f"{path} lies in the data folder {data}",
            "a folder outside it, best on another disk, because both would be lost together",
            "Give another folder",
        )
    return resolved


def list_tenants(root: Path, only: str | None) -> Iterable[str]:
    """List the tenants that have a folder in a backup, or only this one of them."""
    names = sorted(path.name.removeprefix("tenant=") for path in root.glob("tenant=*"))
    return names if only is None else [name for name in names if name == only]


def damaged_backup(path: Path, state: str) -> DamagedFile:
    """Return the error for a file of a backup that cannot be restored."""
    return DamagedFile(
        f"{path} {state}",
        "the file that the manifest of the backup describes",
        "Restore another backup; nothing was changed",
    )


def foreign_backup(path: Path, state: str) -> ForeignFile:
    """Return the error for something that finops does not write into a folder."""
    return ForeignFile(
        f"{path} {state}",
        "a regular file as finops writes it",
        "Remove it, or use another backup; nothing was changed",
    )
