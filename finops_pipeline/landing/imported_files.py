"""Imported files, which have no manifest: each billing period in them is a delivery.

Put here: finding the periods of such files and landing each. Keep out: whatever is the same for a
delivery with a manifest (delivery_landing.py).
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
from finops_pipeline.landing.record_lengths import refuse_other_lengths
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


def land_imported_files(task: LandingTask, paths: list[Path]) -> Iterator[Landed]:
    """Land files that together are complete billing periods, and replace each of these periods.

    Args:
        paths: CSV (.csv, .csv.gz, .csv.zip) or Parquet files of the source's format, all in
            one folder or below it.

    Raises:
        DeliveryRefused: a file cannot be accepted or has no billing period.
    """
    if len(set(paths)) < len(paths):
        given = ", ".join(path.name for path in paths)
        raise FileProblem(f"a file is given twice ({given})", "each file once")
    folder = Path(os.path.commonpath([path.parent for path in paths]))
    for path in paths:
        if not path.is_file():
            raise FileProblem(f"{path} is not a file", "files and folders that exist")
    months_by_file, own_month = _read_months(task, folder, paths)
    months = sorted({month for file_months in months_by_file.values() for month in file_months})
    if not months:
        raise FileProblem(
            f"{paths[0].name} contains no readable billing period",
            f"rows with {FORMS[task.source.format].period_start}",
        )
    is_one_month_per_file = all(len(file_months) == 1 for file_months in months_by_file.values())
    for position, month in enumerate(months):
        share, share_paths = Share(), paths
        if is_one_month_per_file:
            share_paths = [
                path for path in paths if month in months_by_file[_relative_name(path, folder)]
            ]
        elif len(months) > 1:
            # Rows whose period cannot be read belong to the first month, to be quarantined.
            where = f"coalesce({own_month}, {text(months[0])}) = {text(month)}"
            share = Share(where, with_rejects=position == 0)
        yield land(task, _make_delivery(folder, share_paths, month), share)


def list_bills(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """List the bills among these files and below these folders, and the names of skipped files.

    Files that are given individually are all accepted. In a folder, hidden files (`.`, `_`) and
    files that are neither CSV nor Parquet are skipped.

    Raises:
        FileProblem: a folder has no bill, or is a report with several deliveries, whose costs would
            be added up.
    """
    bills: list[Path] = []
    skipped: list[str] = []
    for path in (path.parent.resolve() / path.name for path in paths):
        if not path.is_dir():
            bills.append(path)
            continue
        inside = sorted(file for file in path.rglob("*") if file.is_file())
        _refuse_report(path, inside)
        bills_inside = [file for file in inside if _is_bill(file, path)]
        if not bills_inside:
            raise FileProblem(
                f"{path} contains no CSV or Parquet file (it contains:"
                f" {', '.join(_relative_name(file, path) for file in inside[:8]) or 'nothing'})",
                f"files that end in {', '.join(_ENDINGS)}",
            )
        bills += bills_inside
        skipped += [_relative_name(file, path) for file in inside if file not in bills_inside]
    return bills, skipped


_ENDINGS = (".csv", ".csv.gz", ".csv.zip", ".parquet")


def _is_bill(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)
    return not hidden and file.name.lower().endswith(_ENDINGS)


def _refuse_report(folder: Path, inside: list[Path]) -> None:
    manifests = [file for file in inside if file.name.lower().endswith("-manifest.json")]
    if len(manifests) > 1:
        raise FileProblem(
            f"{folder} contains {len(manifests)} manifests, among them"
            f" {_relative_name(manifests[0], folder)}: it is a report as AWS delivers it, which may"
            " have several deliveries of a month",
            "the files of one delivery for each month",
            "Declare a source with this location; finops ingest then follows the manifests",
        )


def _relative_name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _make_delivery(folder: Path, paths: list[Path], month: str) -> Delivery:
    location = LocalFolder(folder)
    described = [location.find_file(_relative_name(path, folder)) for path in paths]
    files = tuple(file for file in described if file is not None)
    fingerprints = "\n".join(f"{file.name}|{file.size_bytes}|{file.fingerprint}" for file in files)
    return Delivery(
        billing_period=month,
        execution_id="",
        manifest=", ".join(file.name for file in files),
        files=files,
        columns=(),
        location=location,
        listing_fingerprint=hashlib.sha256(
            f"by hand\n{month}\n{fingerprints}".encode()
        ).hexdigest(),
    )


def _read_months(
    task: LandingTask, folder: Path, paths: list[Path]
) -> tuple[dict[str, set[str]], str]:
    """Read the billing periods in each file, by its name, and make SQL for a row's period."""
    form = FORMS[task.source.format]
    with (
        task.writer.publication() as publication,
        scratch_connection(publication.spill, task.limits) as connection,
    ):
        named = [(_relative_name(path, folder), path) for path in paths]
        readable = open_files(connection, DeliveryFiles(named, form, publication.work))
        months_by_file, own_month = _read_periods(connection, readable, form)
        if not any(months_by_file.values()):
            refuse_other_lengths(readable)
        return months_by_file, own_month


def _read_periods(
    connection: Connection, readable: list[ReadableFile], form: BillForm
) -> tuple[dict[str, set[str]], str]:
    """Return the months of each file, and SQL for a row's month (null where unreadable)."""
    months_by_file: dict[str, set[str]] = {file.name: set() for file in readable}
    relation = f"({relation_of(readable)})"
    columns = columns_of(connection, relation)
    columns_by_name = form.find(columns)
    if form.period_start not in columns_by_name:
        return months_by_file, "null"
    column = columns_by_name[form.period_start]
    month = f"strftime({cast(column, columns[column], 'TIMESTAMP')}, '%Y-%m')"
    rows = connection.execute(
        f"select distinct {SOURCE_FILE}, {month} as x_month from {relation}"
        " where x_month is not null"
    ).fetchall()
    for file, period in rows:
        months_by_file[file].add(period)
    return months_by_file, month
