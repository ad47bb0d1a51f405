"""JSON without loss: amounts are decimal strings, days and times ISO 8601.

Put here: how a value of an answer becomes JSON. Keep out: which values an answer has.
"""

from __future__ import annotations

import json
from datetime import date, time
from decimal import Decimal
from math import isfinite
from typing import Any

from finops_pipeline.money import plain


def exact_json(value: Any) -> bytes:
    """Return a value as JSON in UTF-8.

    Decimals become strings, because most readers of JSON read numbers as floats. What JSON cannot
    express, such as NaN, becomes null.
    """
    try:
        text = _dump(value)
    except (TypeError, ValueError):  # keys that are not text, or NaN: only SQL of one's own
        text = _dump(_expressible(value))
    return text.encode("utf-8", "replace")


def _dump(value: Any) -> str:
    return json.dumps(
        value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_as_text
    )


def _as_text(value: Any) -> str:
    if isinstance(value, Decimal):
        return plain(value) if value.is_finite() else str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)


def _expressible(value: Any) -> Any:
    """Return a value whose maps have text keys, and that has no NaN."""
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else _as_text(key): _expressible(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_expressible(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value
