"""Spellings of the same tag in legacy reports and in CUR 2.0.

Put here: which key of a legacy report a key in snake case stands for. Keep out: reading tags
(focus/tag_columns.py), the headers of a tenant's reports (ledger).

A legacy report names a tag as its owner spelled it (`resourceTags/user:CostCenter`). The map
`resource_tags` of CUR 2.0 and Parquet columns have it in snake case (`user_cost_center`), by the
rule of all names (AWS "Resource tags columns"; cur.canonical). That cannot be undone without the
legacy report.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from finops_pipeline.contracts import cur
from finops_pipeline.contracts.headers import header_of

_LEGACY, _SNAKE = "resourceTags/", "resource_tags_"


def tag_spellings(reports: Iterable[Sequence[str]]) -> dict[str, str]:
    """Map keys in snake case to the keys of legacy reports that they stand for.

    A key that stands for several (`CostCenter` and `cost_center`) is not mapped.

    Args:
        reports: the landed columns of each legacy report; those that are no tags are ignored.
    """
    originals: dict[str, set[str]] = {}
    for columns in reports:
        lower = {column.lower() for column in columns}
        for header in (header_of(column, lower) for column in columns):
            if header.startswith(_LEGACY):
                snake = cur.canonical(header).removeprefix(_SNAKE)
                key = header.removeprefix(_LEGACY).removeprefix("user:")
                originals.setdefault(snake, set()).add(key)
    return {snake: min(keys) for snake, keys in sorted(originals.items()) if len(keys) == 1}
