"""Names of a bill's columns in our tables: as delivered, but unique for SQL.

Put here: the rule that makes a name from a header, and its inverse. Keep out: the meaning of a
column (cur.py, focus.py), reading headers (landing).
"""

from __future__ import annotations

import re
from collections.abc import Container, Set

RESERVED = (
    "x_sourcefile",
    "x_problem",
    "x_rounded",
    "x_project",
    "x_account",
    "x_first",
    "x_end",
    "x_money",
    "x_path",
    "x_month",
    "x_n",
    "x_raw",
    "file_row_number",
    "source",
    "project",
    "tenant",
    "billing_period",
)
"""Names (in lower case) that the pipeline itself uses; a bill's own column of that name lands with
`__2` added."""

_NUMBERED = re.compile(r"(.+?)((?:__\d+)+)", re.DOTALL)


def landed_name(header: str, taken: Set[str], headers: Container[str]) -> str:
    """Choose a name that no other column has, even for SQL, which ignores case.

    Args:
        header: as delivered.
        taken: names that are already used, in lower case.
        headers: all headers of the delivery, in lower case.
    """
    name, count = header, 2
    if _is_numbered(header, headers):
        name = f"{header}__{count}"  # or `a__2` would be mistaken for a second `a`
    while name.lower() in taken or name.lower() in RESERVED:
        name, count = f"{header}__{count}", count + 1
    return name


def header_of(name: str, names: Container[str]) -> str:
    """Return the header under which a landed column was delivered.

    Args:
        names: the landed columns, in lower case.
    """
    return name.rpartition("__")[0] if _is_numbered(name, names) else name


def _is_numbered(name: str, names: Container[str]) -> bool:
    match = _NUMBERED.fullmatch(name)
    return match is not None and (match[1].lower() in names or match[1].lower() in RESERVED)
