"""Write one source-month as a legacy Cost and Usage Report: CSV or Parquet and a manifest.

Put here: slash headers and their snake form, folders and manifest of that format.
Keep out: what the lines are; the newer formats.

Layout (create-new versioning; overwrite is the same without the assembly folder):

    <export>/20260801-20260901/<assemblyId>/<export>-1.csv.gz, -2.csv.gz
    <export>/20260801-20260901/<assemblyId>/<export>-Manifest.json
    <export>/20260801-20260901/<export>-Manifest.json      names the newest assembly

For Athena the files are in a separate folder, but the manifest is where it always is:

    <export>/<export>/year=2026/month=8/<export>-00001.snappy.parquet
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from finops_pipeline.synthetic.catalogue import uuid_like
from finops_pipeline.synthetic.cur_columns import (
    LEGACY_HEADERS,
    cur_values,
    instant,
    is_amount,
    is_moment,
    snake,
)
from finops_pipeline.synthetic.forms import CREATE_NEW, PARQUET
from finops_pipeline.synthetic.packing import number_text, packed_csv
from finops_pipeline.synthetic.parquet_export import (
    TIMESTAMP,
    TYPE_NAMES,
    as_double,
    plain_instant,
    write_table,
)
from finops_pipeline.synthetic.rows import Line
from finops_pipeline.synthetic.usage import LATE_TAG_AGE, Scene

TAG_KEYS = ("aws:createdBy", "user:Env", "user:Name", "user:Owner", "user:Team", "user:env")


def legacy_headers(scene: Scene) -> list[str]:
    """List the column headers of the month; tag columns vary over time."""
    tags = list(TAG_KEYS)
    if scene.period.age <= LATE_TAG_AGE:
        tags.append("user:CostCenter")
    return [*LEGACY_HEADERS, *(f"resourceTags/{key}" for key in tags), "costCategory/Area"]


def legacy_schema(scene: Scene) -> pa.Schema:
    """Make the schema of the month in Parquet: lower snake names, amounts as doubles."""
    names = dict.fromkeys(snake(header) for header in legacy_headers(scene))
    return pa.schema([pa.field(name, _type(name)) for name in names])


def _type(name: str) -> pa.DataType:
    if is_amount(name):
        return pa.float64()
    return TIMESTAMP if is_moment(name) else pa.string()


def write_legacy_cur(
    folder: Path, scene: Scene, lines: Sequence[Line], *, restatement: int = 0
) -> Path:
    """Write the month below `folder` (the export's location); returns the current manifest.

    Without lines, one file with only the header line or schema is written.
    """
    source, period = scene.source, scene.period
    assembly = scene.version(restatement, len(lines))
    span = f"{period.start:%Y%m%d}-{period.end:%Y%m%d}"
    versioned = source.versioning == CREATE_NEW
    inner = f"{span}/{assembly}" if versioned else span
    if source.form.athena:
        inner = f"{source.export}/year={period.start.year}/month={period.start.month}"
    target = folder / inner
    target.mkdir(parents=True, exist_ok=True)
    for stale in sorted([*target.glob("*.csv.*"), *target.glob("*.parquet")]):
        stale.unlink()
    keys = [f"{source.prefix}/{source.export}/{inner}/{n}" for n in _files(target, scene, lines)]
    text = json.dumps(_manifest(scene, assembly, keys), indent=1)
    manifest = folder / span / f"{source.export}-Manifest.json"
    manifest.parent.mkdir(exist_ok=True)
    if versioned:
        (target / manifest.name).write_text(text, encoding="utf-8")
    manifest.write_text(text, encoding="utf-8")
    return manifest


def _files(target: Path, scene: Scene, lines: Sequence[Line]) -> Iterator[str]:
    """Write the files and yield their names."""
    export, form = scene.source.export, scene.source.form
    size = -(-len(lines) // scene.source.files) or 1
    for part, at in enumerate(range(0, max(len(lines), 1), size)):
        numbered = list(enumerate(lines))[at : at + size]
        if form.packing == PARQUET:
            name = f"{export}-{part + 1:05d}.snappy.parquet"
            write_table(target / name, legacy_schema(scene), (_row(scene, *n) for n in numbered))
        else:
            name = f"{export}-{part + 1}.{form.packing}"
            rows: Iterable[dict[str, str]] = (_texts(scene, line, n) for n, line in numbered)
            headers = legacy_headers(scene)
            if part in form.snake_files:
                rows = [_snake_texts(row) for row in rows]
                headers = list(dict.fromkeys(map(snake, headers)))
            (target / name).write_bytes(packed_csv(form.packing, name, headers, rows))
        yield name


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


def _snake_texts(row: dict[str, str]) -> dict[str, str]:
    """Rename columns to snake case, in which `user:Env` and `user:env` become the same."""
    texts: dict[str, str] = {}
    for header, text in row.items():
        texts[snake(header)] = texts.get(snake(header)) or text
    return texts


def _row(scene: Scene, number: int, line: Line) -> dict[str, Any]:
    values = cur_values(scene, line, number) | {"cost_category_area": line.cost_category}
    for key, text in line.tags:
        values.setdefault(snake(f"resourceTags/{key}"), text)
    row: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, datetime):
            row[name] = plain_instant(value)
        elif isinstance(value, Decimal):
            row[name] = as_double(value) if is_amount(name) else f"{value:f}"
        else:
            row[name] = value or None
    return row


def _columns(scene: Scene) -> list[dict[str, str]]:
    if scene.source.form.packing == PARQUET:
        return [{"name": f.name, "type": TYPE_NAMES[f.type]} for f in legacy_schema(scene)]
    headers = legacy_headers(scene)
    return [dict(zip(("category", "name"), h.split("/", 1), strict=True)) for h in headers]


def _manifest(scene: Scene, assembly: str, keys: list[str]) -> dict[str, object]:
    source, period = scene.source, scene.period
    packed = {"csv.gz": "GZIP", "csv.zip": "ZIP", PARQUET: "Parquet"}[source.form.packing]
    return {
        "assemblyId": assembly,
        "account": source.accounts["payer"],
        "columns": _columns(scene),
        "charset": "UTF-8",
        "compression": packed,
        "contentType": "Parquet" if packed == "Parquet" else "text/csv",
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
