"""Values that Python cannot hold without loss, spelled out by DuckDB as text.

Put here: which types these are, and the statement that spells them. Keep out: running it
(worker.py), every other value (exact_json.py, csv_lines.py).

Python has no months in a duration (a month becomes 30 days) and no nanoseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from finops_pipeline.lake.duck import ident

_SPELLED = frozenset(("interval", "timestamp_ns", "time_ns"))
_WITH_CHILDREN = frozenset(("list", "array", "map", "struct", "union"))
_WITHOUT_NAMES = "tuple"
"""DuckDB does not say what it consists of; its own text does."""


def spelling(sql: str, types: Sequence[Any]) -> str | None:
    """Return a statement with the same answer, in which such values are text; None: it has none.

    Args:
        sql: one SELECT.
        types: of its columns, as DuckDB describes them.
    """
    exact = [_exact(kind) for kind in types]
    if not any(exact):
        return None
    names = [f"c{number}" for number in range(len(types))]
    shown = [
        f"cast({name} as {kind})" if kind else name for name, kind in zip(names, exact, strict=True)
    ]
    # A line of its own for the end: the statement may end with a comment.
    return f"select {', '.join(shown)} from (\n{sql}\n) as answer({', '.join(names)})"


def _exact(kind: Any) -> str:
    """Return the type with text in place of what Python cannot hold; empty: it is exact already."""
    if kind.id in _SPELLED:
        return "varchar"
    if kind.id == _WITHOUT_NAMES:
        return "varchar" if any(name.upper() in str(kind) for name in _SPELLED) else ""
    if kind.id not in _WITH_CHILDREN:
        return ""
    children = dict(kind.children)
    size = children.pop("size", None) if kind.id == "array" else None
    exact = {name: _exact(child) for name, child in children.items()}
    if not any(exact.values()):
        return ""
    parts = {name: exact[name] or str(child) for name, child in children.items()}
    if kind.id in ("list", "array"):
        return f"{parts['child']}[{'' if size is None else size}]"
    if kind.id == "map":
        return f"map({parts['key']}, {parts['value']})"
    members = [f"{ident(name)} {part}" for name, part in parts.items() if name]
    return f"{kind.id}({', '.join(members)})"
