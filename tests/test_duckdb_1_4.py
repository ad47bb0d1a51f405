"""Exported files in DuckDB 1.4, the oldest version that must read them: the cookbook's answers.

Put here: what that version reads, in an environment of its own. Keep out: what an export has
(test_explained_files.py), what the questions are (test_cookbook.py).

`make test-long` and `make conformance` make the environment, build/conformance/duckdb14.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conformance.exports import queries
from finops_pipeline.lake.warehouse import reading
from tests.conftest import TemporaryInstallation
from tests.test_cookbook import PAGE, SECTIONS

TENANTS = ("acme", "globex")
PYTHON = PAGE.parents[1] / "build/conformance/duckdb14/bin/python"
UNCOMMENTED = (
    "select table_name || '.' || column_name from duckdb_columns() where not internal"
    " and comment is null union all select table_name from duckdb_tables() where comment is null"
    " union all select view_name from duckdb_views() where not internal and comment is null"
)
ASK = """
import json, sys, duckdb
asked = json.load(open(sys.argv[1]))
with duckdb.connect(sys.argv[2], read_only=True) as connection:
    connection.execute("set enable_external_access = false")
    answers = {
        name: sorted(str(row) for row in connection.execute(sql, values or None).fetchall())
        for name, (sql, values) in asked.items()
    }
json.dump([duckdb.__version__, answers], sys.stdout)
"""


def asked() -> dict[str, tuple[str, Any]]:
    """The SQL of every question of the cookbook, of every ready-made query, and of every mart."""
    of_page = {
        question: re.findall(r"```sql\n(.*?)```", section, re.DOTALL)[0]
        for question, section in SECTIONS.items()
    }
    of_library = {name: query for name, query in queries().items() if name != "about"}
    return {**{name: (sql, {}) for name, sql in of_page.items()}, **of_library,
            "uncommented": (UNCOMMENTED, {})}  # fmt: skip


@pytest.mark.skipif(not PYTHON.exists(), reason="make test-long installs DuckDB 1.4")
@pytest.mark.parametrize("tenant", TENANTS)
def test_duckdb_1_4_answers_the_cookbook_from_an_export(
    built: TemporaryInstallation, tmp_path: Path, tenant: str
) -> None:
    export, file = tmp_path / f"{tenant}.duckdb", tmp_path / "queries.json"
    built.finops("export", tenant, "--detail", "-o", str(export))
    file.write_text(json.dumps(asked()))
    done = subprocess.run(
        [PYTHON, "-I", "-c", ASK, file, export],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    version, answers = json.loads(done.stdout)
    assert version.startswith("1.4.") and answers["uncommented"] == []
    assert len(answers) > 90 and sum(map(bool, answers.values())) > 80
    with reading(built.installation.folder(tenant)) as connection:
        for name, (sql, values) in asked().items():
            if name == "comments":  # those of status tables that an export has not
                continue
            rows = connection.execute(sql, values or None).fetchall()
            assert answers[name] == sorted(map(str, rows)), name
