"""Deliveries of AWS Data Exports: files below data/, manifest below metadata/.

Put here: common parts of CUR 2.0 and FOCUS exports: folders, manifest, query, numbers as doubles.
Keep out: columns and values of either (`cur_2`, `focus_export`).

Layout (overwrite versioning; create-new has a `<time>-<executionId>/` folder in between, and
a copy of the manifest in its own such folder):

    <export>/data/<PERIOD>=YYYY-MM/<export>-00001.snappy.parquet
    <export>/metadata/<PERIOD>=YYYY-MM/<export>-Manifest.json

Files packed as CSV end in `.csv.gz`; a map is then a JSON object in its cell.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
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

# A decimal with this many significant digits is unchanged after conversion to a double and back.
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
    """Return the double whose shortest text is `value`.

    Raises:
        ValueError: there is none, as `value` has more than 15 significant digits.
    """
    double = float(value)
    if len(value.normalize().as_tuple().digits) > DOUBLE_DIGITS or Decimal(repr(double)) != value:
        raise ValueError(f"{value} cannot be represented by a double, expected at most 15 digits")
    return double


Row = dict[str, Any]


def write_table(path: Path, schema: pa.Schema, rows: Iterable[Row]) -> None:
    """Write rows (column name → Python value) as one Parquet file."""
    table = pa.Table.from_pylist(list(rows), schema=schema)
    pq.write_table(table, path, compression="snappy")


@dataclass(frozen=True, slots=True)
class ExportTable:
    """A month of an export as a table: rows map a column name to its Python value.

    `period_key` is the partition key as AWS spells it for this kind of export. With a
    `definition` the manifest also contains the export's query and period.
    """

    schema: pa.Schema
    rows: Sequence[Row]
    period_key: str
    definition: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class _Folders:
    """Folders of a delivery below the export's folder; `inner` is the same for both parts."""

    export: Path
    partition: str
    inner: str

    @classmethod
    def of(cls, export: Path, scene: Scene, period_key: str, version: str) -> _Folders:
        """Make the folders of the scene's month; only create-new has one for each version."""
        partition = f"{scene.source.form.period_key or period_key}={scene.period.month}"
        create_new = scene.source.versioning == CREATE_NEW
        return cls(export, partition, f"{partition}/{version}" if create_new else partition)

    def prepare_data(self) -> Path:
        """Create the folder of the files, and remove files of the version that it replaces."""
        data = self.export / "data" / self.inner
        data.mkdir(parents=True, exist_ok=True)
        for stale in sorted([*data.glob("*.parquet"), *data.glob("*.csv.gz")]):
            stale.unlink()
        return data

    def write_manifest(self, name: str, text: str) -> Path:
        """Write the current manifest and the version's copy; returns the current one's path."""
        metadata = self.export / "metadata" / self.inner
        metadata.mkdir(parents=True, exist_ok=True)
        (metadata / name).write_text(text, encoding="utf-8")
        current = self.export / "metadata" / self.partition / name
        current.write_text(text, encoding="utf-8")
        return current


def write_parquet_export(
    folder: Path, scene: Scene, table: ExportTable, *, restatement: int = 0
) -> Path:
    """Write the table below `folder`; returns the current manifest.

    Without rows, one file with only the schema is written.
    """
    source = scene.source
    execution = scene.version(restatement, len(table.rows))
    version = f"{_delivered_at(scene, restatement)}-{execution}"
    folders = _Folders.of(folder, scene, table.period_key, version)
    data = folders.prepare_data()
    schema, rows = _selected(source.form.query, table.schema, table.rows)
    bucket = f"{scene.tenant.name}-{source.name}-billing"
    uris = [
        f"s3://{bucket}/{source.prefix}/{source.export}/data/{folders.inner}/{name}"
        for name in _files(data, scene, schema, rows)
    ]
    manifest = _manifest(scene, execution, schema, uris)
    if table.definition is not None:
        manifest |= _definition_entries(scene, table.definition)
    text = json.dumps(manifest, indent=1)
    return folders.write_manifest(f"{source.export}-Manifest.json", text)


def _manifest(
    scene: Scene, execution: str, schema: pa.Schema, uris: Sequence[str]
) -> dict[str, object]:
    source = scene.source
    export_id = uuid_like("export", scene.tenant.name, source.name)
    return {
        "executionId": execution,
        "exportArn": f"arn:aws:bcm-data-exports:us-east-1:{source.accounts['payer']}:export/"
        f"{source.export}-{export_id}",
        "columns": [{"name": f.name, "type": TYPE_NAMES[f.type]} for f in schema],
        "dataFiles": uris,
        "additionalOutputFiles": [],
    }


def _definition_entries(scene: Scene, definition: dict[str, object]) -> dict[str, object]:
    period = scene.period
    return {
        "export": definition,
        "billingPeriod": {
            "start": f"{period.start:%Y-%m-%d}",
            "end": f"{period.end:%Y-%m-%d}",
        },
    }


def definition_of(scene: Scene, table: str, columns: Iterable[str]) -> dict[str, object]:
    """Make the definition of the export: its query, and the table's configuration."""
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


def _files(target: Path, scene: Scene, schema: pa.Schema, rows: Sequence[Row]) -> Iterator[str]:
    """Write the files and yield their names."""
    source = scene.source
    size = -(-len(rows) // source.files) or 1
    for part, at in enumerate(range(0, max(len(rows), 1), size), start=1):
        chunk = rows[at : at + size]
        if source.form.packing == PARQUET:
            name = f"{source.export}-{part:05d}.snappy.parquet"
            write_table(target / name, schema, chunk)
        else:
            name = f"{source.export}-{part:05d}.csv.gz"
            texts = ({key: _text(value) for key, value in row.items()} for row in chunk)
            (target / name).write_bytes(packed_csv(source.form.packing, name, schema.names, texts))
        yield name


def _text(value: object) -> str:
    """Format a value of a Parquet row for a CSV: doubles as the decimals that they represent."""
    if isinstance(value, list):
        return cell([(key, _decimal(number)) for key, number in value])
    return cell(_decimal(value))


def _decimal(value: object) -> object:
    return Decimal(repr(value)) if isinstance(value, float) else value


def _selected(
    query: Sequence[tuple[str, str]], schema: pa.Schema, rows: Sequence[Row]
) -> tuple[pa.Schema, Sequence[Row]]:
    """Select schema and rows as a query does; `map.key` is one value of a map."""
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
    """Remove the time zone, as AWS's timestamps are in UTC without a zone."""
    return moment.replace(tzinfo=None)


def _delivered_at(scene: Scene, restatement: int) -> str:
    """Return the time of the delivery: three days after the metered time, a day per restatement."""
    moment = scene.period.metered_end + (3 + restatement) * DAY + timedelta(hours=4, minutes=5)
    return f"{moment:%Y-%m-%dT%H_%M_%S}.356Z"
