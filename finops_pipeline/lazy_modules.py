"""Modules of other packages that are loaded when they are first used.

Put here: loading them. Keep out: modules of this package: only the command table (cli/) loads those
late. Use it for a package that takes long to load and that most runs of a command do not need.
"""

from __future__ import annotations

import importlib
from typing import Any


class LazyModule:
    """A module that is loaded when one of its attributes is read for the first time."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)
