"""Opens exported files with another DuckDB, runs queries on them, and prints what failed as JSON.

Put here: what runs in the environment of that DuckDB, which has nothing else. Keep out: which
queries (exports.py).

Arguments: a JSON file of queries by name, each with its parameters, then the exported files.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb


def main() -> None:
    """Print the version of DuckDB, the number of rows, and [file, query, error] of failures."""
    queries = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    failed, rows = [], 0
    for path in sys.argv[2:]:
        with duckdb.connect(path, read_only=True) as connection:
            connection.execute("set enable_external_access = false")
            for name, (sql, values) in queries.items():
                try:
                    rows += len(connection.execute(sql, values or None).fetchall())
                except duckdb.Error as error:
                    failed.append((path, name, str(error)))
    json.dump({"duckdb": duckdb.__version__, "rows": rows, "failed": failed}, sys.stdout)


if __name__ == "__main__":
    main()
