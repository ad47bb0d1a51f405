"""Which tables a query reads, as the scopes of sqlglot resolve its names.

Put here: what the heads of SQL files are compared with. Keep out: users' SQL, which serve/guard.py
checks.
"""

from __future__ import annotations

import sqlglot
from sqlglot.optimizer.scope import traverse_scope


def tables_read(sql: str) -> frozenset[str]:
    """Name the tables and views that a query reads; names that it defines itself are none."""
    sources = [
        source
        for scope in traverse_scope(sqlglot.parse_one(sql, dialect="duckdb"))
        for source in scope.sources.values()
    ]
    return frozenset(source.name for source in sources if isinstance(source, sqlglot.exp.Table))
