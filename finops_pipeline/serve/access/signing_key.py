"""The key that signs what browsers keep for this installation: cookies and CSRF tokens.

Put here: the file of the key, beside the access database, and signatures. Keep out: what is signed
(browser_sessions.py, browser_sign_in.py).

The key is made when it is needed first. If its file is deleted, another key is made, and everybody
has to sign in again. Sessions are also looked up by their hash, so the key alone opens none.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from itsdangerous import BadSignature, Signer, URLSafeSerializer

from finops_pipeline.database.private_files import Permissions, sync_path
from finops_pipeline.errors import StorageFailure

_KEY_BYTES = 32
_OPTIONS: dict[str, Any] = {"key_derivation": "hmac", "digest_method": hashlib.sha256}


class SigningKey:
    """Signs texts and values, for one purpose each: a signature for one is none for another.

    Args:
        path: the file of the key; it is created if it does not exist.
        folder: the permissions of its folder, if that does not exist, either.

    Raises:
        StorageFailure: the file cannot be used, or others than its owner can read it.
    """

    def __init__(self, path: Path, folder: Permissions) -> None:
        self._key = _read_or_make(path, folder)

    def sign(self, purpose: str, text: str) -> str:
        """Return a text with its signature."""
        return self._signer(purpose).sign(text).decode()

    def read_signed(self, purpose: str, signed: str) -> str | None:
        """Return the text whose signature is right, or None."""
        try:
            return self._signer(purpose).unsign(signed).decode()
        except (BadSignature, UnicodeError):
            return None

    def signature(self, purpose: str, text: str) -> str:
        """Return the signature alone."""
        return self._signer(purpose).get_signature(text).decode()

    def seal(self, purpose: str, value: dict[str, Any]) -> str:
        """Return a value as signed text; whoever has the text can read it."""
        return str(self._serializer(purpose).dumps(value))

    def unseal(self, purpose: str, sealed: str) -> dict[str, Any] | None:
        """Return the value of a text that was sealed with this key, or None."""
        try:
            value = self._serializer(purpose).loads(sealed)
        except (BadSignature, UnicodeError):
            return None
        return value if isinstance(value, dict) else None

    def _signer(self, purpose: str) -> Signer:
        return Signer(self._key, salt=purpose, **_OPTIONS)

    def _serializer(self, purpose: str) -> URLSafeSerializer:
        return URLSafeSerializer(self._key, salt=purpose, signer_kwargs=_OPTIONS)


def _read_or_make(path: Path, folder: Permissions) -> bytes:
    try:
        if not path.exists():
            folder.make_folder(path.parent)
            _make(path)
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as file:
            mode = stat.S_IMODE(os.fstat(handle).st_mode)
            key = bytes.fromhex(file.read(2 * _KEY_BYTES + 1).decode("ascii"))
    except (OSError, ValueError) as error:
        raise _unusable(path, f"cannot be used ({type(error).__name__})") from error
    if len(key) != _KEY_BYTES:
        raise _unusable(path, "is damaged")
    if mode & 0o077:
        raise _unusable(path, f"can be read by others than its owner (mode {mode:o})")
    return key


def _make(path: Path) -> None:
    """Create the file complete or not at all; the first of several processes decides."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        Permissions().make_file(new)
        new.write_text(secrets.token_hex(_KEY_BYTES), encoding="ascii")
        sync_path(new)
        with suppress(FileExistsError):
            path.hardlink_to(new)
        sync_path(path.parent)
    finally:
        new.unlink(missing_ok=True)


def _unusable(path: Path, problem: str) -> StorageFailure:
    return StorageFailure(
        f"the file {path}, which signs the cookies of browsers, {problem}",
        "a file that finops has made and only its owner can read",
        "Delete it: another one is made, and people sign in again",
    )
