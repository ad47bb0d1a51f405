"""SQL that tries to leave a tenant's file, each with a name, for every doorway that takes SQL.

Put here: trying a statement, and what none of them may do. Keep out: the statements themselves
(sql_escape_lists.py), the doorways that they are tried at (test_sql_escapes.py).

In a statement, `<other>` and the like stand for places of an installation (`places_of`). An escape
is refused, or what it answers is harmless: no value of another tenant, no path of the installation,
and no file changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import LAST_MONTH, TemporaryInstallation
from tests.support.published_files import published_file
from tests.support.sql_escape_lists import HARMLESS, NAMES, READS, SHOWS, STATEMENTS, WRITES

Fingerprint = dict[str, tuple[int, int]]
"""File or folder -> its size and modification time."""


@dataclass(frozen=True)
class SqlEscape:
    """A statement that must not get out.

    `is_answered`: the guard lets it pass, because its answer is harmless.
    """

    name: str
    sql: str
    is_answered: bool = False

    def filled(self, places: Mapping[str, str]) -> str:
        """Return the statement with places of an installation."""
        return re.sub(r"<(\w+)>", lambda match: places[match[1]], self.sql)


@dataclass(frozen=True)
class Attempt:
    """What a doorway gave back: whether it answered, and all text of the answer or refusal."""

    is_answered: bool
    text: str


Doorway = Callable[[str], Attempt]


def places_of(made: TemporaryInstallation, tenant: str, other: str) -> dict[str, str]:
    """Return the places of an installation that escapes of a tenant aim at."""
    own, foreign = made.folder(tenant), made.folder(other)
    charges = published_file(foreign, "costs", "prod", LAST_MONTH)
    own_charges = published_file(own, "costs", "prod", LAST_MONTH)
    return {
        "data": str(made.data),
        "own": str(own),
        "own_tenant": tenant,
        "own_charges": str(own_charges),
        "own_file": str(own / f"{tenant}.duckdb"),
        "other": str(charges),
        "other_stem": str(charges.with_suffix("")),
        "other_folder": str(charges.parent),
        "other_name": charges.name,
        "other_tenant": other,
        "other_file": str(foreign / f"{other}.duckdb"),
        "relative": f"../tenant={other}/{charges.relative_to(foreign)}",
        "climbing": f"{own}/.store/../../tenant={other}/{charges.relative_to(foreign)}",
    }


def fingerprint(data: Path) -> Fingerprint:
    """Return the state of a data folder, links and empty folders included."""
    state = ((path, path.lstat()) for path in sorted(data.rglob("*")))
    return {str(path): (status.st_size, status.st_mtime_ns) for path, status in state}


def check_escape(
    escape: SqlEscape, places: Mapping[str, str], marker: str, doorway: Doorway
) -> None:
    """Try an escape at a doorway; `marker` is in every charge of the other tenant."""
    sql = escape.filled(places)
    attempt = doorway(sql)
    assert attempt.is_answered == escape.is_answered, attempt.text
    for secret in (marker, "root:", "/nonexistent"):
        assert secret not in attempt.text
    # A refusal may repeat the statement, in which the attacker wrote the path.
    assert places["data"] in sql or places["data"] not in attempt.text


REFUSED = {**READS, **NAMES, **WRITES, **STATEMENTS, **SHOWS}
ESCAPES = (
    *(SqlEscape(name, sql) for name, sql in REFUSED.items()),
    *(SqlEscape(name, sql, is_answered=True) for name, sql in HARMLESS.items()),
)
