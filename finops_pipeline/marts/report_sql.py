"""The SQL of reports.

Put here: reading it. Keep out: what a report says (application/report.py).
"""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def report_sql(name: str) -> str:
    """Read the SQL of a part of the report."""
    folder = resources.files("finops_pipeline.marts") / "reports"
    return (folder / f"{name}.sql").read_text(encoding="utf-8")
