"""Landlock: a process of Linux gives up every file but a few, and every TCP connection, for good.

Put here: the three system calls and their constants. Keep out: which files a worker needs
(confinement.py).

Kernels have Landlock since 5.13; it needs no privileges. It holds for the calling thread and those
that it starts later, so it has to be called before there are threads. See landlock(7).
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys
from collections.abc import Iterable

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_NO_NEW_PRIVILEGES = 38

_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""Version of Landlock -> number of rights over files that it knows: execute, write, read, …"""
_TCP_RIGHTS, _TCP_SINCE = 0b11, 4
_SCOPES, _SCOPES_SINCE = 0b11, 6
"""Signals to, and abstract sockets of, processes outside."""


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def is_available() -> bool:
    """Return whether this kernel has Landlock."""
    return _version() > 0


def allow_reading_only(paths: Iterable[str]) -> bool:
    """Give up every file but these, of which this process may read; no program can be started.

    Args:
        paths: files, and folders with everything below them; those that do not exist are left out.

    Returns:
        Whether the kernel has Landlock; if not, nothing has changed.
    """
    version = _version()
    if version <= 0:
        return False
    rights = max(count for since, count in _FILE_RIGHTS.items() if since <= version)
    ruleset = _Ruleset(
        (1 << rights) - 1,
        _TCP_RIGHTS if version >= _TCP_SINCE else 0,
        _SCOPES if version >= _SCOPES_SINCE else 0,
    )
    known = 8 * (1 + (version >= _TCP_SINCE) + (version >= _SCOPES_SINCE))
    handle = _call(_CREATE_RULESET, ctypes.byref(ruleset), known, 0)
    try:
        for path in paths:
            _allow(handle, path)
        _check(_library().prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
        _call(_RESTRICT_SELF, handle, 0)
    finally:
        os.close(handle)
    return True


def _allow(ruleset: int, path: str) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        rule = _PathBeneath(_READ_FILE | (_READ_FOLDER if is_folder else 0), handle)
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(handle)


def _version() -> int:
    if sys.platform != "linux":
        return 0
    return int(_library().syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG))


def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: object) -> int:
    return _check(int(_library().syscall(number, *arguments)))


def _check(returned: int) -> int:
    if returned < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return returned
