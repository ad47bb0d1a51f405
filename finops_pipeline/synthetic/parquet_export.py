"""Writes rows as an AWS Data Exports delivery: files below data/, manifest below metadata/.

Put here: what CUR 2.0 and FOCUS exports share: folders, manifest, query, numbers as doubles.
Keep out: columns and values of either (`cur_2`, `focus_export`).

Layout (overwrite versioning; create-new has a `<time>-<executionId>/` folder in between, and
a copy of the manifest in its own such folder):

    <export>/data/<PERIOD>=YYYY-MM/<export>-00001.snappy.parquet
    <export>/metadata/<PERIOD>=YYYY-MM/<export>-Manifest.json

As csv.gz the files end in `.csv.gz`, and a map is a JSON object in its cell.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from finops_pipeline.synthetic.catalogue import uuid_like
from finops_pipeline.synthetic.forms import CREATE_NEW, PARQUET
from finops_pipeline.synthetic.packing import cell, packed_csv
from finops_pipeline.synthetic.rows import DAY
from finops_pipeline.synthetic.usage import Scene

# A decimal of so many significant digits comes back from a double unchanged.
DOUBLE_DIGITS = 15

TIMESTAMP = pa.timestamp("ms")
TEXT_MAP = pa.map_(pa.string(), pa.string())
NUMBER_MAP = pa.map_(pa.string(), pa.float64())
TYPE_NAMES = {
    pa.string(): "string",
    pa.float64(): "double",
    TIMESTAMP: "timestamp_milliseconds",
    TEXT_MAP: "map<string,string>",
    NUMBER_MAP: "map<string,double>",
}


def as_double(value: Decimal) -> float:
    """The double whose shortest text is `value` again.

    Raises ValueError when there is none: more than 15 significant digits would not come back.
    """
    double = float(value)
    if len(value.normalize().as_tuple().digits) > DOUBLE_DIGITS or Decimal(repr(double)) != value:
        raise ValueError(f"{value} does not survive as a double, expected at most 15 digits")
    return double


Row = dict[str, Any]


def write_table(path: Path, schema: pa.Schema, rows: Iterable[Row]) -> None:
    """Writes rows (column name → Python value) as one Parquet file."""
    table = pa.Table.from_pylist(list(rows), schema=schema)
    pq.write_table(table, path, compression="snappy")


def write_parquet_export(
    folder: Path,
    scene: Scene,
    schema: pa.Schema,
    rows: Sequence[Row],
    *,
    period_word: str,
    definition: dict[str, object] | None = None,
    restatement: int = 0,
) -> Path:
    """Writes `rows` (column name → Python value) below `folder`; returns the current manifest.

    `period_word` is the partition key as AWS spells it for this kind of export. With a
    `definition` the manifest also tells the export's query and period. Without rows one file
    with the schema only is written.
    """
    source, period = scene.source, scene.period
    execution = scene.version(restatement, len(rows))
    partition = f"{source.form.period_word or period_word}={period.month}"
    version = f"{_delivered_at(scene, restatement)}-{execution}"
    inner = f"{partition}/{version}" if source.versioning == CREATE_NEW else partition
    data, metadata = folder / "data" / inner, folder / "metadata" / inner
    data.mkdir(parents=True, exist_ok=True)
    metadata.mkdir(parents=True, exist_ok=True)
    for stale in sorted([*data.glob("*.parquet"), *data.glob("*.csv.gz")]):
        stale.unlink()
    bucket = f"{scene.tenant.name}-{source.name}-billing"
    schema, rows = _selected(source.form.query, schema, rows)
    uris = [
        f"s3://{bucket}/{source.prefix}/{source.export}/data/{inner}/{name}"
        for name in _files(data, scene, schema, rows)
    ]
    account = source.accounts["payer"]
    export_id = uuid_like("export", scene.tenant.name, source.name)
    content: dict[str, object] = {
        "executionId": execution,
        "exportArn": f"arn:aws:bcm-data-exports:us-east-1:{account}:export/"
        f"{source.export}-{export_id}",
        "columns": [{"name": f.name, "type": TYPE_NAMES[f.type]} for f in schema],
        "dataFiles": uris,
        "additionalOutputFiles": [],
    }
    if definition is not None:
        content["export"] = definition
        content["billingPeriod"] = {
            "start": f"{period.start:%Y-%m-%d}",
            "end": f"{period.end:%Y-%m-%d}",
        }
    text = json.dumps(content, indent=1)
    manifest = folder / "metadata" / partition / f"{source.export}-Manifest.json"
    (metadata / manifest.name).write_text(text, encoding="utf-8")
    manifest.write_text(text, encoding="utf-8")
    return manifest


def definition_of(scene: Scene, table: str, columns: Iterable[str]) -> dict[str, object]:
    """The export as it was created: its query of a table, and the table's configuration."""
    pairs = scene.source.form.query or tuple((name, "") for name in columns)
    selected = ", ".join(f"{name} AS {alias}" if alias else name for name, alias in pairs)
    return {
        "Name": scene.source.export,
        "DataQuery": {
            "QueryStatement": f"SELECT {selected} FROM {table}",
            "TableConfigurations": {
                table: {"TIME_GRANULARITY": "HOURLY", "INCLUDE_RESOURCES": "TRUE"}
            },
        },
    }


def _files(home: Path, scene: Scene, schema: pa.Schema, rows: Sequence[Row]) -> Iterator[str]:
    """Writes the files and yields their names."""
    source = scene.source
    size = -(-len(rows) // source.files) or 1
    for part, at in enumerate(range(0, max(len(rows), 1), size), start=1):
        chunk = rows[at : at + size]
        if source.form.packing == PARQUET:
            name = f"{source.export}-{part:05d}.snappy.parquet"
            write_table(home / name, schema, chunk)
        else:
            name = f"{source.export}-{part:05d}.csv.gz"
            texts = ({key: _text(value) for key, value in row.items()} for row in chunk)
            (home / name).write_bytes(packed_csv(source.form.packing, name, schema.names, texts))
        yield name


def _text(value: object) -> str:
    """A value of a Parquet row in a CSV: doubles as the decimals that they stand for."""
    if isinstance(value, list):
        return cell([(key, _decimal(held)) for key, held in value])
    return cell(_decimal(value))


def _decimal(value: object) -> object:
    return Decimal(repr(value)) if isinstance(value, float) else value


def _selected(
    query: Sequence[tuple[str, str]], schema: pa.Schema, rows: Sequence[Row]
) -> tuple[pa.Schema, Sequence[Row]]:
    """Schema and rows as a query selects them; `map.key` is one value of a map."""
    if not query:
        return schema, rows
    fields = []
    for column, alias in query:
        name, _, key = column.partition(".")
        kind = schema.field(name).type
        fields.append(pa.field(alias or key or name, kind.item_type if key else kind))
    return pa.schema(fields), [_selected_row(query, row) for row in rows]


def _selected_row(query: Sequence[tuple[str, str]], row: Row) -> Row:
    chosen = {}
    for column, alias in query:
        name, _, key = column.partition(".")
        value = row.get(name)
        chosen[alias or key or name] = dict(value or ()).get(key) if key else value
    return chosen


def plain_instant(moment: datetime) -> datetime:
    """The moment without its time zone: AWS's timestamps are UTC and do not say so."""
    return moment.replace(tzinfo=None)


def _delivered_at(scene: Scene, restatement: int) -> str:
    """When the delivery was made: three days after what it meters, a day later per restatement."""
    moment = scene.period.metered_end + (3 + restatement) * DAY + timedelta(hours=4, minutes=5)
    return f"{moment:%Y-%m-%dT%H_%M_%S}.356Z"
