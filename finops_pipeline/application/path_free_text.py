"""Columns of free text without the folders of this machine, for readers elsewhere.

Put here: which columns may name a file by its path, and SQL that leaves the folders out. Keep out:
exporting (tenant_export.py), answering (serve).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from finops_pipeline.contracts.column import Table
from finops_pipeline.lake.duck import ident

_REMARKS = ("reason", "note", "example", "drift")
"""Columns of free text, which may name a file of this machine by its path."""

_FOLDERS = r"(^|[\s(\"''=:])(?:file://)?/(?:[^\s/\"''():;,]+/)+"
"""The folders in an absolute path, and the character before it."""


def path_free_columns(table: Table) -> Mapping[str, str]:
    """Return the columns of a table that may name a path, each with SQL that leaves out folders."""
    if table.kind not in ("status", "proof"):
        return {}
    return {
        column.name: f"regexp_replace({ident(column.name)}, '{_FOLDERS}', '\\1', 'g')"
        for column in table.columns
        if column.name in _REMARKS
    }


def without_folders(text: str) -> str:
    """Return free text without the folders of this machine."""
    return re.sub(_FOLDERS, r"\1", text)
