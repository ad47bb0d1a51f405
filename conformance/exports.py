"""Exported files, read by DuckDB 1.4: every ready-made query, every mart, every comment.

Put here: which queries an exported file must answer there. Keep out: running them (open_export.py),
printing (run.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from conformance.bills import Ingested
from finops_pipeline.application.tenant_export import ExportRequest, export_tenant
from finops_pipeline.contracts.dictionary import example_query
from finops_pipeline.contracts.tables import MARTS
from finops_pipeline.marts.use_cases import bind_parameters, use_cases

_FIRST, _LAST = date(2000, 1, 1), date(2100, 1, 1)


def queries() -> Mapping[str, tuple[str, Mapping[str, Any]]]:
    """Return the SQL and parameters of each query, by name; days are ISO texts."""
    asked: dict[str, tuple[str, Mapping[str, Any]]] = {
        f"example of {table.name}": (example_query(table), {}) for table in MARTS.values()
    }
    asked["about"] = ("from about", {})
    asked["comments"] = ("select comment from duckdb_columns() where not internal", {})
    for query in use_cases():
        values = bind_parameters(query, None, None, {})
        days = {"from": _FIRST.isoformat(), "to": _LAST.isoformat()}
        sql = re.sub(rf"\$({'|'.join(days)})\b", r"cast($\1 as date)", query.sql)
        asked[query.name] = (sql, {**values, **days})
    return asked


def export_all(ingested: Mapping[str, Ingested], home: Path) -> list[Path]:
    """Export every tenant of every form with its charges; return the files."""
    home.mkdir(parents=True, exist_ok=True)
    files = []
    for form, estate in ingested.items():
        for tenant in estate.tenants:
            path = home / f"{form}-{tenant.name}.duckdb"
            request = ExportRequest(tenant.name, path, has_charges=True, is_forced=True)
            export_tenant(estate.installation, request)
            files.append(path)
    return files


def write_queries(home: Path) -> Path:
    """Write the queries to a file for open_export.py; return its path."""
    path = home / "queries.json"
    path.write_text(json.dumps(queries()), encoding="utf-8")
    return path
