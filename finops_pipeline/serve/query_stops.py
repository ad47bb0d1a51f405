"""What is reported when a query reaches a limit: which limit, and the setting that raises it.

Put here: the texts. Keep out: noticing that a limit was reached (worker_process.py).
"""

from __future__ import annotations

from finops_pipeline.errors import QueryStopped
from finops_pipeline.lake.duck import QueryLimits
from finops_pipeline.serve.frames import MESSAGE_BYTES

_LESS = "Select fewer months, rows or columns, or set"


def duration_stop(limits: QueryLimits) -> QueryStopped:
    """Return the error for a query that handed over no rows for too long."""
    return QueryStopped(
        f"the query was stopped after {limits.seconds:g} s without an answer or further rows",
        f"an answer within FINOPS_QUERY_SECONDS ({limits.seconds:g})",
        f"{_LESS} FINOPS_QUERY_SECONDS={2 * limits.seconds:g}",
    )


def processor_stop(limits: QueryLimits) -> QueryStopped:
    """Return the error for a query that used too much processor time."""
    return QueryStopped(
        f"the query was stopped after {limits.processor_seconds} s of processor time",
        f"an answer within FINOPS_QUERY_CPU_SECONDS ({limits.processor_seconds})",
        f"{_LESS} FINOPS_QUERY_CPU_SECONDS={2 * limits.processor_seconds}",
    )


def memory_stop(limits: QueryLimits) -> QueryStopped:
    """Return the error for a query that needed too much memory."""
    return QueryStopped(
        f"the query needed more memory than it may use ({limits.memory})",
        f"an answer within FINOPS_QUERY_MEMORY ({limits.memory})",
        f"{_LESS} FINOPS_QUERY_MEMORY={_double(limits)}",
    )


def failure_stop(limits: QueryLimits, reason: str) -> QueryStopped:
    """Return the error for a query during which DuckDB failed as a whole."""
    return QueryStopped(
        f"DuckDB failed during the query ({reason}), as it may when memory runs out",
        f"an answer within FINOPS_QUERY_MEMORY ({limits.memory})",
        f"{_LESS} FINOPS_QUERY_MEMORY={_double(limits)}",
    )


def rows_stop(limits: QueryLimits) -> QueryStopped:
    """Return the error for an answer with too many rows."""
    return QueryStopped(
        f"the answer has more than {limits.answer_rows} rows",
        f"at most FINOPS_QUERY_ROWS ({limits.answer_rows})",
        f"Aggregate the rows, add a LIMIT, or set FINOPS_QUERY_ROWS={2 * limits.answer_rows}",
    )


def bytes_stop(limits: QueryLimits) -> QueryStopped:
    """Return the error for an answer with too many bytes."""
    return QueryStopped(
        f"the answer has more than {limits.answer_bytes} bytes",
        f"at most FINOPS_QUERY_BYTES ({limits.answer_bytes})",
        f"{_LESS} FINOPS_QUERY_BYTES={2 * limits.answer_bytes}",
    )


def row_stop() -> QueryStopped:
    """Return the error for a row that does not fit into a message."""
    return QueryStopped(
        f"a row of the answer has more than {MESSAGE_BYTES} bytes",
        f"rows of at most {MESSAGE_BYTES} bytes",
        "Select fewer or shorter columns, or shorter lists",
    )


def _double(limits: QueryLimits) -> str:
    return f"{2 * limits.memory_bytes // 1_000_000}MB"
