"""Rows as lines of CSV that no spreadsheet mistakes for formulas.

Put here: the text of a line. Keep out: where it is written.

A spreadsheet runs text that looks like a formula, so such text gets a `'` in front, as OWASP
advises. Text that is a number stays as it is, and numbers are never changed. Lists, structs and
maps are JSON, and bytes are hexadecimal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from finops_pipeline.serve.exact_json import exact_json

_FORMULA_STARTS = frozenset("=+-@\t\r\n＝＋－＠")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_NESTED = (list, tuple, dict)
_TO_QUOTE = re.compile(r'[",;\t\r\n]')
"""Includes the semicolon, which spreadsheets in many countries take for a separator."""


def csv_line(row: Sequence[Any], is_raw: bool = False) -> str:
    """Return a row as a line of RFC 4180 CSV; amounts with all digits, null as nothing.

    Args:
        is_raw: write text exactly as it is.
    """
    of_cell: Callable[[Any], str] = _text if is_raw else _cell
    line = ",".join(map(of_cell, row))
    return f"{line}\r\n" if line or len(row) != 1 else '""\r\n'


def _cell(value: Any) -> str:
    if isinstance(value, str) and value[:1] in _FORMULA_STARTS and not _NUMBER.fullmatch(value):
        return _text(f"'{value}")
    return _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        text = format(value, "f")
    elif isinstance(value, bytes):
        text = value.hex()
    else:
        text = exact_json(value).decode() if isinstance(value, _NESTED) else str(value)
    return '"' + text.replace('"', '""') + '"' if _TO_QUOTE.search(text) else text
