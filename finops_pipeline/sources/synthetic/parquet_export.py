"""Writes rows as an AWS Data Exports delivery: Parquet files below data/, manifest below metadata/.

Put here: what CUR 2.0 and FOCUS exports share: folders, manifest, numbers as doubles.
Keep out: columns and values of either (`cur_2`, `focus_export`).

Layout (overwrite versioning; create-new has a `<time>-<executionId>/` folder in between, and
a copy of the manifest in its own such folder):

    <export>/data/<PERIOD>=YYYY-MM/<export>-00001.snappy.parquet
    <export>/metadata/<PERIOD>=YYYY-MM/<export>-Manifest.json
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from finops_pipeline.sources.synthetic.catalogue import uuid_like
from finops_pipeline.sources.synthetic.rows import DAY
from finops_pipeline.sources.synthetic.usage import Scene

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


def write_parquet_export(
    folder: Path,
    scene: Scene,
    schema: pa.Schema,
    rows: Sequence[dict[str, Any]],
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
    partition = f"{period_word}={period.month}"
    version = f"{_delivered_at(scene, restatement)}-{execution}"
    inner = f"{partition}/{version}" if source.versioning == "create-new" else partition
    data, metadata = folder / "data" / inner, folder / "metadata" / inner
    data.mkdir(parents=True, exist_ok=True)
    metadata.mkdir(parents=True, exist_ok=True)
    for stale in sorted(data.glob("*.parquet")):
        stale.unlink()
    bucket = f"{scene.tenant.name}-{source.name}-billing"
    uris = []
    size = -(-len(rows) // source.files) or 1
    for part, at in enumerate(range(0, max(len(rows), 1), size), start=1):
        name = f"{source.export}-{part:05d}.snappy.parquet"
        table = pa.Table.from_pylist(list(rows[at : at + size]), schema=schema)
        pq.write_table(table, data / name, compression="snappy")
        uris.append(f"s3://{bucket}/{source.prefix}/{source.export}/data/{inner}/{name}")
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


def plain_instant(moment: datetime) -> datetime:
    """The moment without its time zone: AWS's timestamps are UTC and do not say so."""
    return moment.replace(tzinfo=None)


def _delivered_at(scene: Scene, restatement: int) -> str:
    """When the delivery was made: three days after what it meters, a day later per restatement."""
    moment = scene.period.metered_end + (3 + restatement) * DAY + timedelta(hours=4, minutes=5)
    return f"{moment:%Y-%m-%dT%H_%M_%S}.356Z"
