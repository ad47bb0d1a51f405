"""Every escape of the list, each a test of its own, at the doorways that take SQL.

Put here: the doorways, and what must be unchanged when all escapes have been tried. Keep out: the
escapes (support/sql_escapes.py), odd spellings beside planted files (test_sandbox_attacks.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

from finops_pipeline.errors import FinopsError
from finops_pipeline.serve.sandbox import Sandbox, open_sandbox
from tests.conftest import TemporaryInstallation
from tests.support.globex import finops
from tests.support.published_files import copy_installation
from tests.support.served_tenants import ServedTenants, serve_tenants
from tests.support.sql_escape_lists import READS
from tests.support.sql_escapes import (
    ESCAPES,
    Attempt,
    Fingerprint,
    SqlEscape,
    check_escape,
    fingerprint,
    places_of,
)

TENANT, OTHER = "acme", "globex"
OF_THE_OWN_FILES = ("read_parquet of the own file", "read_blob of the own file")


@dataclass(frozen=True)
class Attacked:
    """An installation, an open sandbox of acme, and the state before the first escape."""

    made: TemporaryInstallation
    sandbox: Sandbox
    marker: str
    before: Fingerprint
    places: dict[str, str]
    tried: list[str] = field(default_factory=list)

    def ask_sandbox(self, sql: str) -> Attempt:
        """Run SQL as the API and `finops query` do."""
        self.tried.append(sql)
        try:
            return Attempt(True, str(self.sandbox.execute(sql).fetchall()))
        except (FinopsError, duckdb.Error) as error:
            return Attempt(False, str(error))

    def ask_command(self, sql: str) -> Attempt:
        """Run SQL with `finops query`."""
        code, output = finops("query", TENANT, sql, "--format", "json", data=self.made.data)
        return Attempt(code == 0, output)


@pytest.fixture(scope="module")
def attacked(
    built: TemporaryInstallation, truth: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Attacked]:
    """A copy of the estate: each escape finds what earlier ones have left of it."""
    data = copy_installation(built.data, tmp_path_factory.mktemp("attacked") / "data")
    made = TemporaryInstallation(Path(data))
    installation = made.installation
    with open_sandbox(installation.folder(TENANT), installation.query_limits) as sandbox:
        sandbox.execute("select count(*) from costs").fetchall()
        marker = truth["tenants"][OTHER]["marker"]
        places = places_of(made, TENANT, OTHER)
        yield Attacked(made, sandbox, marker, fingerprint(made.data), places)


@pytest.fixture(scope="module")
def served(attacked: Attacked) -> Iterator[ServedTenants]:
    """The API on a copy of the same data."""
    data = attacked.made.data.parent / "served"
    with serve_tenants(copy_installation(attacked.made.data, data)) as served:
        yield served


def by_name(escapes: list[SqlEscape]) -> pytest.MarkDecorator:
    ids = [escape.name.replace(" ", "-") for escape in escapes]
    return pytest.mark.parametrize("escape", escapes, ids=ids)


@by_name(list(ESCAPES))
def test_an_escape_through_the_sandbox_is_refused_or_harmless(
    attacked: Attacked, escape: SqlEscape
) -> None:
    check_escape(escape, attacked.places, attacked.marker, attacked.ask_sandbox)


@by_name(list(ESCAPES))
def test_an_escape_through_the_api_is_refused_or_harmless(
    attacked: Attacked, served: ServedTenants, escape: SqlEscape
) -> None:
    def ask_api(sql: str) -> Attempt:
        body = json.dumps({"sql": sql, "limit": 200})
        headers = {"Content-Type": "application/json"}
        response = served.post(f"/tenants/{TENANT}/sql", content=body, headers=headers)
        assert response.status_code < 500
        return Attempt(response.status_code == 200, f"{response.headers}\n{response.text}")

    check_escape(escape, attacked.places, attacked.marker, ask_api)


@by_name([escape for escape in ESCAPES if not escape.is_answered][::12])
def test_an_escape_through_finops_query_is_refused(attacked: Attacked, escape: SqlEscape) -> None:
    check_escape(escape, attacked.places, attacked.marker, attacked.ask_command)


@by_name([e for e in ESCAPES if e.name in READS and e.name not in OF_THE_OWN_FILES])
def test_the_connection_alone_reads_no_file(attacked: Attacked, escape: SqlEscape) -> None:
    """Without the guard, files outside the store stay closed."""
    connection = attacked.sandbox.connection
    try:
        rows = connection.execute(escape.filled(attacked.places)).fetchall()
    except (duckdb.Error, FinopsError):
        return
    assert rows == []


def test_all_escapes_together_changed_no_file(attacked: Attacked) -> None:
    assert fingerprint(attacked.made.data) == attacked.before
    rows = attacked.sandbox.execute("select count(*) from costs").fetchall()
    assert rows[0][0] > 1000, "the sandbox still answers"
    charges = "select * from costs limit 1"
    assert attacked.marker not in attacked.ask_sandbox(charges).text
    with open_sandbox(
        attacked.made.installation.folder(OTHER), attacked.made.installation.query_limits
    ) as other:
        every = str(other.execute("select * from costs").fetchall())
    assert attacked.marker in every, "the marker is in the other tenant's charges"


def test_there_are_many_escapes_and_their_names_are_unique() -> None:
    names = [escape.name for escape in ESCAPES]
    assert len(set(names)) == len(names) > 200
