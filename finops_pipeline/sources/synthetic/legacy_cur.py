"""Writes one source-month as a legacy Cost and Usage Report: csv.gz files and a manifest.

Put here: slash headers, text forms of numbers and dates, folders and manifest of that format.
Keep out: what the lines are; the newer formats.

Layout (create-new versioning; overwrite is the same without the assembly folder):

    <export>/20260801-20260901/<assemblyId>/<export>-1.csv.gz, -2.csv.gz
    <export>/20260801-20260901/<assemblyId>/<export>-Manifest.json
    <export>/20260801-20260901/<export>-Manifest.json      names the newest assembly
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from finops_pipeline.sources.synthetic.catalogue import uuid_like
from finops_pipeline.sources.synthetic.cur_columns import (
    LEGACY_HEADERS,
    cur_values,
    instant,
    snake,
)
from finops_pipeline.sources.synthetic.rows import Line
from finops_pipeline.sources.synthetic.usage import LATE_TAG_AGE, Scene

TAG_KEYS = ("aws:createdBy", "user:Env", "user:Name", "user:Owner", "user:Team", "user:env")


def number_text(value: Decimal) -> str:
    """A number as AWS writes it: plain digits, `1.05E-7` below a millionth, `0.0` for zero."""
    if not value:
        return "0.0"
    trimmed = value.normalize()
    return str(trimmed) if trimmed.adjusted() < -6 else f"{trimmed:f}"


def legacy_headers(scene: Scene) -> list[str]:
    """Column headers of the month: tag and cost category columns vary over time."""
    tags = list(TAG_KEYS)
    if scene.period.age <= LATE_TAG_AGE:
        tags.append("user:CostCenter")
    return [*LEGACY_HEADERS, *(f"resourceTags/{key}" for key in tags), "costCategory/Area"]


def write_legacy_cur(
    folder: Path, scene: Scene, lines: Sequence[Line], *, restatement: int = 0
) -> Path:
    """Writes the month below `folder` (the export's location); returns the current manifest.

    Without lines one file with only the header line is written.
    """
    source, period = scene.source, scene.period
    assembly = scene.version(restatement, len(lines))
    span = f"{period.start:%Y%m%d}-{period.end:%Y%m%d}"
    versioned = source.versioning == "create-new"
    home = folder / span / assembly if versioned else folder / span
    home.mkdir(parents=True, exist_ok=True)
    for stale in sorted(home.glob("*.csv.gz")):
        stale.unlink()
    headers = legacy_headers(scene)
    keys = []
    for part, rows in enumerate(_parts(scene, lines), start=1):
        name = f"{source.export}-{part}.csv.gz"
        (home / name).write_bytes(_csv_gz(headers, rows))
        inner = f"{span}/{assembly}" if versioned else span
        keys.append(f"{source.prefix}/{source.export}/{inner}/{name}")
    text = json.dumps(_manifest(scene, assembly, headers, keys), indent=1)
    manifest = folder / span / f"{source.export}-Manifest.json"
    if versioned:
        (home / manifest.name).write_text(text, encoding="utf-8")
    manifest.write_text(text, encoding="utf-8")
    return manifest


def _parts(scene: Scene, lines: Sequence[Line]) -> list[list[dict[str, str]]]:
    rows = [_texts(scene, line, number) for number, line in enumerate(lines)]
    size = -(-len(rows) // scene.source.files) or 1
    return [rows[at : at + size] for at in range(0, len(rows), size)] or [[]]


def _texts(scene: Scene, line: Line, number: int) -> dict[str, str]:
    values = cur_values(scene, line, number)
    texts = {}
    for header in LEGACY_HEADERS:
        value = values.get(snake(header), "")
        if isinstance(value, datetime):
            value = instant(value, milliseconds=scene.source.milliseconds)
        texts[header] = number_text(value) if isinstance(value, Decimal) else value
    for key, text in line.tags:
        texts[f"resourceTags/{key}"] = text
    texts["costCategory/Area"] = line.cost_category
    return texts


def _csv_gz(headers: list[str], rows: list[dict[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, headers, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    # A fixed time of 0 keeps the bytes equal from run to run.
    return gzip.compress(text.getvalue().encode(), compresslevel=6, mtime=0)


def _manifest(
    scene: Scene, assembly: str, headers: list[str], keys: list[str]
) -> dict[str, object]:
    source, period = scene.source, scene.period
    columns = [dict(zip(("category", "name"), h.split("/", 1), strict=True)) for h in headers]
    return {
        "assemblyId": assembly,
        "account": source.accounts["payer"],
        "columns": columns,
        "charset": "UTF-8",
        "compression": "GZIP",
        "contentType": "text/csv",
        "reportId": uuid_like("report", scene.tenant.name, source.name),
        "reportName": source.export,
        "billingPeriod": {
            "start": f"{period.start:%Y%m%d}T000000.000Z",
            "end": f"{period.end:%Y%m%d}T000000.000Z",
        },
        "bucket": f"{scene.tenant.name}-{source.name}-billing",
        "reportKeys": keys,
        "additionalArtifactKeys": [],
    }
