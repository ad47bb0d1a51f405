"""Rows as the bytes of a file: CSV in gzip or zip, the same in every run.

Put here: AWS's text format of values, and packing of CSV. Keep out: the columns of a file, Parquet
(`parquet_export`).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from finops_pipeline.synthetic.cur_columns import instant
from finops_pipeline.synthetic.forms import CSV_ZIP

_NO_DATE = (1980, 1, 1, 0, 0, 0)


def number_text(value: Decimal) -> str:
    """Format a number as AWS does: plain digits, `1.05E-7` below a millionth, `0.0` for zero."""
    if not value:
        return "0.0"
    trimmed = value.normalize()
    return str(trimmed) if trimmed.adjusted() < -6 else f"{trimmed:f}"


def cell(value: object) -> str:
    """Format a value as a cell of a CSV: pairs as a JSON object, null as empty text."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return number_text(value)
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, list | tuple):
        pairs = {key: cell(item) for key, item in value}
        return json.dumps(pairs, ensure_ascii=False)
    return str(value)


def packed_csv(
    packing: str, name: str, headers: Sequence[str], rows: Iterable[Mapping[str, str]]
) -> bytes:
    """Make a CSV with a header line, in gzip or as the only member of a zip."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, headers, restval="", lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    content = text.getvalue().encode()
    if packing != CSV_ZIP:
        # With a fixed time of 0 the bytes are the same in every run.
        return gzip.compress(content, compresslevel=6, mtime=0)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        archive.writestr(zipfile.ZipInfo(name.removesuffix(".zip"), _NO_DATE), content,
                         zipfile.ZIP_DEFLATED, 6)  # fmt: skip
    return packed.getvalue()
