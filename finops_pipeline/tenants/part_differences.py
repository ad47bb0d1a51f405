"""Which fields of a source or project a declaration changes, in words.

Put here: comparing two versions of a part. Keep out: merging them (declare.py).
"""

from __future__ import annotations

from pydantic import BaseModel


def list_differences(before: BaseModel, after: BaseModel) -> list[str]:
    """Describe each field that differs: `format focus -> cur-2.0`."""
    values = [
        (field, _comparable(before, field), _comparable(after, field))
        for field in type(after).model_fields
    ]
    return [f"{field} {_format(old)} -> {_format(new)}" for field, old, new in values if old != new]


def _comparable(part: BaseModel, field: str) -> object:
    """Return a field's value, independent of the order in which its parts were declared."""
    value = getattr(part, field)
    if field == "accounts":
        return tuple(sorted(f"{claim.id} ({claim.in_words})" for claim in value))
    if field == "claims":
        return tuple(f"{claim.in_words} (priority {claim.priority})" for claim in value)
    return tuple(sorted(value)) if isinstance(value, tuple) else value


def _format(value: object) -> str:
    return (", ".join(value) if isinstance(value, tuple) else str(value)) or "(none)"
