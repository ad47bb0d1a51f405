"""Rows that could not be read or typed: kept with reason, file, line and raw text.

Put here: finding those rows again in their file and writing them. Keep out: deciding what is
wrong (judge.py). Runs only for deliveries that have such rows, so it may be slow.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from finops_pipeline.errors import FileProblem
from finops_pipeline.lake import files
from finops_pipeline.lake.duck import PARQUET, Connection, text
from finops_pipeline.landing.relation import ReadableFile
from finops_pipeline.landing.validation import Judgement

Row = tuple[str, int, str, str]
"""(source_file, line, reason, raw_text); line counts from 1 with the header (CSV) or is the
row's number from 1 (Parquet)."""


def rejected_records(connection: Connection, file: ReadableFile) -> dict[int, tuple[str, str]]:
    """Records of a scanned CSV without readable fields: record number -> (reason, raw text)."""
    if not file.is_csv:
        return {}
    rows = connection.execute(
        "select e.line, min(e.error_message), min(e.csv_line) from reject_errors e"
        " join reject_scans s using (scan_id, file_id) where s.file_path = ? group by e.line",
        [str(file.path)],
    ).fetchall()
    return {line: (_plain(reason), raw or "") for line, reason, raw in rows}


def _plain(reason: str) -> str:
    return " ".join(reason.split())


def bad_rows(
    connection: Connection,
    file: ReadableFile,
    judged: Judgement,
    whole: str,
    condition: str,
    with_rejects: bool,
) -> Iterator[Row]:
    """The rows of one file that were not kept, in file order.

    Args:
        whole: SQL of the delivery's landed relation: the judgement speaks of all its columns,
            and one file may lack some.
        condition: SQL condition on which rows of the file belong to the delivery at all.
        with_rejects: whether records without readable fields belong to it.
    """
    if not file.is_csv:
        yield from _bad_parquet_rows(connection, file, judged, whole, condition)
        return
    # Every column is read, though few are needed: a record with bad bytes in any of them is
    # rejected only when that column is read, and the count of records must be the same.
    connection.execute(
        "create or replace temp table x_in_order as"
        f" select row_number() over () as x_n, * from ({file.scan(serial=True)})"
    )
    rejected = rejected_records(connection, file)
    rows = connection.execute(
        f"select x_n, {judged.problem} from"
        f" (from x_in_order union all by name from {whole} where false)"
        f" where ({judged.problem}) is not null and {condition} order by x_n"
    ).fetchall()
    connection.execute("drop table x_in_order")
    wanted, accepted = dict(rows), -1
    for record, line, raw in files.raw_records(file.path):
        if record in rejected:
            reason, seen = rejected[record]
            _refuse_swallowed(file, line, raw)
            if with_rejects:
                yield file.name, line, reason, raw or seen
        elif raw:  # empty lines are no rows; the header is accepted as number 0
            accepted += 1
            if accepted in wanted:
                yield file.name, line, wanted[accepted], raw


def _refuse_swallowed(file: ReadableFile, line: int, raw: str) -> None:
    """A quote left open makes one record of many; set aside as one row they would go uncounted.

    Raises:
        FileProblem: a line inside the record is a whole record itself.
    """
    for inner in raw.splitlines()[1:]:
        if len(next(csv.reader([inner]), [])) == len(file.columns):
            raise FileProblem(
                f"{file.name} line {line}: a quote is left open and takes the rows after it along",
                "a quote at both ends of a field",
                "Correct the file or download it again; the previous delivery stays published",
            )


def _bad_parquet_rows(
    connection: Connection, file: ReadableFile, judged: Judgement, whole: str, condition: str
) -> Iterator[Row]:
    rows = connection.execute(
        f"select x_n, {judged.problem}, x_raw from"
        f" (select row_number() over () as x_n, to_json(t)::varchar as x_raw, t.*"
        f" from ({file.scan()}) t union all by name from {whole} where false)"
        f" where ({judged.problem}) is not null and {condition} order by x_n"
    ).fetchall()
    for line, problem, raw in rows:
        yield file.name, line, problem, raw


def write_rows(connection: Connection, rows: list[Row], scratch: Path, target: Path) -> None:
    """Write quarantined rows as Parquet, by way of a CSV so that any amount streams."""
    files.write_csv(scratch, rows)
    connection.execute(
        f"copy (select * from read_csv({text(str(scratch))}, auto_detect = false, header = false,"
        " delim = ',', quote = '\"', escape = '\"', new_line = '\\n', allow_quoted_nulls = false,"
        " max_line_size = 67108864, columns ="
        " {'source_file': 'VARCHAR', 'line': 'BIGINT', 'reason': 'VARCHAR', 'raw_text': 'VARCHAR'}"
        f")) to {text(str(target))} ({PARQUET})"
    )
