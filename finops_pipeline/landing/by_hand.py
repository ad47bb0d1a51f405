"""Files without a manifest, brought by hand: each billing period in them is a delivery.

Put here: finding the periods of such files and landing each. Keep out: everything that is the
same for a delivery with a manifest (land.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from finops_pipeline.contracts.bills import FORMS, BillForm
from finops_pipeline.errors import FileProblem
from finops_pipeline.lake.duck import Connection, Limits, columns_of, scratch_connection, text
from finops_pipeline.lake.publish import Writer
from finops_pipeline.landing.judge import cast
from finops_pipeline.landing.land import Landed, Share, land
from finops_pipeline.landing.read import ReadableFile, open_files, relation_of
from finops_pipeline.sources.data_exports import Delivery
from finops_pipeline.sources.location import LocalFolder
from finops_pipeline.tenants.model import Source


def land_files(
    writer: Writer, source: Source, paths: list[Path], limits: Limits
) -> Iterator[Landed]:
    """Land files that together are whole billing periods; replaces each period they hold.

    Args:
        paths: CSV (.csv, .csv.gz, .csv.zip) or Parquet files of the source's format, all in
            one folder.

    Raises:
        DeliveryRefused: a file cannot be taken, or holds no billing period; says why.
    """
    folder = paths[0].parent
    if len(set(paths)) < len(paths):
        given = ", ".join(path.name for path in paths)
        raise FileProblem(f"a file is given twice ({given})", "each once")
    for path in paths:
        if not path.is_file() or path.parent != folder:
            raise FileProblem(f"{path} is not a file in {folder}", "files of one folder")
    months, own_month = _months(writer, source, paths, limits)
    if not months:
        raise FileProblem(
            f"{paths[0].name} holds no readable billing period",
            f"rows with {FORMS[source.format].period_start}",
        )
    for position, month in enumerate(months):
        share = Share()
        if len(months) > 1:
            # Rows whose period cannot be read belong to the first month, to be quarantined.
            where = f"coalesce({own_month}, {text(months[0])}) = {text(month)}"
            share = Share(where, with_rejects=position == 0)
        yield land(writer, source, _delivery(folder, paths, month), limits, share)


def _delivery(folder: Path, paths: list[Path], month: str) -> Delivery:
    location = LocalFolder(folder)
    described = [location.describe(path.name) for path in paths]
    files = tuple(file for file in described if file is not None)
    marks = "\n".join(f"{file.name}|{file.size_bytes}|{file.mark}" for file in files)
    return Delivery(
        billing_period=month,
        execution_id="",
        manifest=", ".join(file.name for file in files),
        files=files,
        columns=(),
        location=location,
        quick_mark=hashlib.sha256(f"by hand\n{month}\n{marks}".encode()).hexdigest(),
    )


def _months(
    writer: Writer, source: Source, paths: list[Path], limits: Limits
) -> tuple[list[str], str]:
    form = FORMS[source.format]
    with (
        writer.publication() as publication,
        scratch_connection(publication.spill, limits) as connection,
    ):
        named = [(path.name, path) for path in paths]
        readable = open_files(connection, named, form, publication.work)
        return _periods_in(connection, readable, form)


def _periods_in(
    connection: Connection, readable: list[ReadableFile], form: BillForm
) -> tuple[list[str], str]:
    """Billing periods that files hold, and SQL for a row's own (null where unreadable)."""
    relation = f"({relation_of(readable)})"
    columns = columns_of(connection, relation)
    found = form.find(columns)
    if form.period_start not in found:
        return [], "null"
    column = found[form.period_start]
    month = f"strftime({cast(column, columns[column], 'TIMESTAMP')}, '%Y-%m')"
    rows = connection.execute(
        f"select distinct {month} as x_month from {relation} where x_month is not null order by 1"
    ).fetchall()
    return [row[0] for row in rows], month
