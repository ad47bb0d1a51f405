"""Names that the columns of a bill have in our tables: as delivered, made unique for SQL.

Put here: the one rule by which a header gets its name and a name gives back its header. Keep
out: what a column means (cur.py, focus.py), reading headers (landing).
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
"""Names (in lower case) that mean something to us; a bill's own column of that name is kept
with `__2` added."""

_NUMBERED = re.compile(r"(.+?)((?:__\d+)+)", re.DOTALL)


def landed_name(header: str, taken: Set[str], headers: Container[str]) -> str:
    """A name that no other column has, also for SQL, which ignores case.

    Args:
        header: as delivered.
        taken: names given already, in lower case.
        headers: all headers of the delivery, in lower case.
    """
    name, count = header, 2
    if _is_numbered(header, headers):
        name = f"{header}__{count}"  # lest `a__2` be taken for a second `a`
    while name.lower() in taken or name.lower() in RESERVED:
        name, count = f"{header}__{count}", count + 1
    return name


def header_of(name: str, names: Container[str]) -> str:
    """The header that a landed column was delivered under.

    Args:
        names: the landed columns, in lower case.
    """
    return name.rpartition("__")[0] if _is_numbered(name, names) else name


def _is_numbered(name: str, names: Container[str]) -> bool:
    match = _NUMBERED.fullmatch(name)
    return match is not None and (match[1].lower() in names or match[1].lower() in RESERVED)
