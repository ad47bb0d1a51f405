"""Files without a manifest, brought by hand: each billing period in them is a delivery.

Put here: finding the periods of such files and landing each. Keep out: everything that is the
same for a delivery with a manifest (delivery_landing.py).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from finops_pipeline.contracts.bills import FORMS, BillForm
from finops_pipeline.errors import FileProblem
from finops_pipeline.lake.duck import Connection, columns_of, scratch_connection, text
from finops_pipeline.landing.delivery_landing import Share, land
from finops_pipeline.landing.landing_task import Landed, LandingTask
from finops_pipeline.landing.relation import (
    SOURCE_FILE,
    DeliveryFiles,
    ReadableFile,
    open_files,
    relation_of,
)
from finops_pipeline.landing.validation import cast
from finops_pipeline.sources.data_exports import Delivery
from finops_pipeline.sources.location import LocalFolder


def land_files(task: LandingTask, paths: list[Path]) -> Iterator[Landed]:
    """Land files that together are whole billing periods; they replace each period they hold.

    Args:
        paths: CSV (.csv, .csv.gz, .csv.zip) or Parquet files of the source's format, all in
            one folder or below it.

    Raises:
        DeliveryRefused: a file cannot be accepted or holds no billing period.
    """
    if len(set(paths)) < len(paths):
        given = ", ".join(path.name for path in paths)
        raise FileProblem(f"a file is given twice ({given})", "each once")
    folder = Path(os.path.commonpath([path.parent for path in paths]))
    for path in paths:
        if not path.is_file():
            raise FileProblem(f"{path} is not a file", "files of one folder")
    held, own_month = _months(task, folder, paths)
    months = sorted({month for found in held.values() for month in found})
    if not months:
        raise FileProblem(
            f"{paths[0].name} holds no readable billing period",
            f"rows with {FORMS[task.source.format].period_start}",
        )
    apart = all(len(found) == 1 for found in held.values())
    for position, month in enumerate(months):
        share, mine = Share(), paths
        if apart:
            mine = [path for path in paths if month in held[_name(path, folder)]]
        elif len(months) > 1:
            # Rows whose period cannot be read belong to the first month, to be quarantined.
            where = f"coalesce({own_month}, {text(months[0])}) = {text(month)}"
            share = Share(where, with_rejects=position == 0)
        yield land(task, _delivery(folder, mine, month), share)


def files_below(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The bills among these files and below these folders, and what was left out, by name.

    Files that are named one by one are all taken. Of a folder, hidden files (`.`, `_`) and those
    that are no CSV nor Parquet are left out.

    Raises:
        FileProblem: a folder has no bill, or is a report with several deliveries, which would be
            counted one on top of the other.
    """
    taken: list[Path] = []
    left_out: list[str] = []
    for path in (path.parent.resolve() / path.name for path in paths):
        if not path.is_dir():
            taken.append(path)
            continue
        inside = sorted(file for file in path.rglob("*") if file.is_file())
        _refuse_report(path, inside)
        bills = [file for file in inside if _is_bill(file, path)]
        if not bills:
            raise FileProblem(
                f"{path} holds no CSV or Parquet file (it holds:"
                f" {', '.join(_name(file, path) for file in inside[:8]) or 'nothing'})",
                f"files that end in {', '.join(_ENDINGS)}",
            )
        taken += bills
        left_out += [_name(file, path) for file in inside if file not in bills]
    return taken, left_out


_ENDINGS = (".csv", ".csv.gz", ".csv.zip", ".parquet")


def _is_bill(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)
    return not hidden and file.name.lower().endswith(_ENDINGS)


def _refuse_report(folder: Path, inside: list[Path]) -> None:
    manifests = [file for file in inside if file.name.lower().endswith("-manifest.json")]
    if len(manifests) > 1:
        raise FileProblem(
            f"{folder} holds {len(manifests)} manifests, {_name(manifests[0], folder)} for one: it"
            " is a report as AWS delivers it, perhaps with several deliveries of a month",
            "the files of one delivery for each month",
            "Declare it as a source with this location; finops ingest then heeds the manifests",
        )


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _delivery(folder: Path, paths: list[Path], month: str) -> Delivery:
    location = LocalFolder(folder)
    described = [location.find_file(_name(path, folder)) for path in paths]
    files = tuple(file for file in described if file is not None)
    marks = "\n".join(f"{file.name}|{file.size_bytes}|{file.fingerprint}" for file in files)
    return Delivery(
        billing_period=month,
        execution_id="",
        manifest=", ".join(file.name for file in files),
        files=files,
        columns=(),
        location=location,
        listing_fingerprint=hashlib.sha256(f"by hand\n{month}\n{marks}".encode()).hexdigest(),
    )


def _months(task: LandingTask, folder: Path, paths: list[Path]) -> tuple[dict[str, set[str]], str]:
    """Billing periods that each file holds, by its name, and SQL for a row's own period."""
    form = FORMS[task.source.format]
    with (
        task.writer.publication() as publication,
        scratch_connection(publication.spill, task.limits) as connection,
    ):
        named = [(_name(path, folder), path) for path in paths]
        readable = open_files(connection, DeliveryFiles(named, form, publication.work))
        return _periods_in(connection, readable, form)


def _periods_in(
    connection: Connection, readable: list[ReadableFile], form: BillForm
) -> tuple[dict[str, set[str]], str]:
    """Months of each file, and SQL for a row's own (null where unreadable)."""
    held: dict[str, set[str]] = {file.name: set() for file in readable}
    relation = f"({relation_of(readable)})"
    columns = columns_of(connection, relation)
    found = form.find(columns)
    if form.period_start not in found:
        return held, "null"
    column = found[form.period_start]
    month = f"strftime({cast(column, columns[column], 'TIMESTAMP')}, '%Y-%m')"
    rows = connection.execute(
        f"select distinct {SOURCE_FILE}, {month} as x_month from {relation}"
        " where x_month is not null"
    ).fetchall()
    for file, period in rows:
        held[file].add(period)
    return held, month
