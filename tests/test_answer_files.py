"""Answers for programs and spreadsheets: CSV without formulas, workbooks, clean terminals.

Put here: what CSV and XLSX hold, and that no value, name or error controls a terminal. Keep out:
tables for people (test_narrow_terminal.py), running queries (test_cli.py).
"""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
import zipfile
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import pytest

from finops_pipeline.cli import spreadsheet
from tests.conftest import TemporaryInstallation
from tests.support.command_output import failure_of, output_of

HOSTILE = "select 1 as \"a\x1b[31m\x9bb\u202e\", chr(27) || '[2J' || chr(155) || chr(8238) as tag"
FORMULAS = [
    "=1+1", "+SUM(A1)", "-2+3+cmd|' /C calc'!A0", "@SUM(1)", "\t=1", "\r=1", "＝1+1",
]  # fmt: skip
HARMLESS = ["-12.50", "+3", "a=b", "111122223333", "", "it's"]


@pytest.fixture(autouse=True)
def _on_the_shared_estate(built: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINOPS_DATA", str(built.data))


def query_of(texts: list[str]) -> tuple[str, ...]:
    rows = ", ".join("('" + text.replace("'", "''") + "')" for text in texts)
    return ("query", "acme", f'select t as "=name" from (values {rows}) as v(t)', "--format", "csv")


def cells_of(text: str) -> list[str]:
    return [row[0] if row else "" for row in csv.reader(io.StringIO(text, newline=""))]


def test_no_text_in_a_csv_is_a_formula(tmp_path: Path) -> None:
    """OWASP's advice on CSV injection: a quote in front, in names too; numbers stay numbers."""
    file = tmp_path / "answer.csv"
    output_of(*query_of([*FORMULAS, *HARMLESS]), "-o", str(file))
    with file.open(newline="") as stream:
        cells = [row[0] for row in csv.reader(stream)]
    assert cells == ["'=name", *(f"'{text}" for text in FORMULAS), *HARMLESS]
    output_of(*query_of([*FORMULAS, *HARMLESS]), "--raw", "-o", str(file))
    with file.open(newline="") as stream:
        assert [row[0] for row in csv.reader(stream)] == ["=name", *FORMULAS, *HARMLESS]


def test_no_part_of_a_cell_becomes_a_cell_where_semicolons_separate(tmp_path: Path) -> None:
    file = tmp_path / "answer.csv"
    output_of(*query_of(["a;=1+1", 'say "x",y', "two\nlines"]), "-o", str(file))
    text = file.read_bytes().decode()
    assert text == '\'=name\r\n"a;=1+1"\r\n"say ""x"",y"\r\n"two\nlines"\r\n'


def test_amounts_are_exact_and_negative_amounts_are_numbers() -> None:
    sql = "select -0.1::decimal(38,18) as billed_cost, null as nothing, -3 as n, 0.5::double as d"
    text = output_of("query", "acme", sql, "--format", "csv")
    assert text.splitlines() == ["billed_cost,nothing,n,d", "-0.100000000000000000,,-3,0.5"]
    assert output_of("query", "acme", "select null as a", "--format", "csv").split() == ["a", '""']


def on_a_terminal(made: TemporaryInstallation, *arguments: str) -> str:
    """What a command writes to a terminal of 80 columns."""
    controller, terminal = pty.openpty()
    environment = {**os.environ, "FINOPS_DATA": str(made.data), "TERM": "xterm", "COLUMNS": "80"}
    running = subprocess.Popen(
        [sys.executable, "-m", "finops_pipeline.cli", *arguments],
        stdin=terminal, stdout=terminal, stderr=terminal, env=environment,
    )  # fmt: skip
    os.close(terminal)
    parts = []
    try:
        while part := os.read(controller, 65536):
            parts.append(part)
    except OSError:  # the terminal closes with its last process
        pass
    running.wait(60)
    os.close(controller)
    return b"".join(parts).decode()


@pytest.mark.parametrize(
    "arguments",
    [
        ("query", "acme", HOSTILE),
        ("query", "acme", HOSTILE, "--format", "csv"),
        ("query", "acme", HOSTILE, "--format", "json"),
        ("query", "acme", HOSTILE.replace("select 1", "select 1 +")),
        ("query", "acme\x1b[31m\u202e", "select 1"),
        ("query", "acme", "-f", "no\u202e\x1b[31mfile"),
        ("queries", "run", "acme", "credits", "--from", "9\x1b[31m", "--to", "1"),
        ("files", "acme", "costs\x1b[31m\x9b"),
        ("sta\x1b[31mtus",),
    ],
    ids=range(9),
)
def test_nothing_that_is_printed_controls_the_terminal(
    built: TemporaryInstallation, arguments: tuple[str, ...]
) -> None:
    text = on_a_terminal(built, *arguments)
    assert text
    # Typer colours its own messages, so only what follows the user's sequence tells them apart.
    for hostile in ("\x1b[2J", "\x9b", "\u202e", "\x1b[31mtus", "\x1b[31mfile", "9\x1b[31m"):
        assert hostile not in text


def test_a_file_and_a_pipe_get_the_bytes_as_they_are(tmp_path: Path) -> None:
    sql = "select chr(27) || '[2J' as tag"
    assert json.loads(output_of("query", "acme", sql, "--format", "json")) == [{"tag": "\x1b[2J"}]
    assert cells_of(output_of("query", "acme", sql, "--format", "csv")) == ["tag", "\x1b[2J"]


# ---- workbooks

_NS = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


def sheet_of(file: Path) -> list[list[tuple[str, str]]]:
    """Rows of a workbook's sheet: (kind, text) of each cell; kind `f` is a formula."""
    with zipfile.ZipFile(file) as archive:
        root = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    rows = []
    for row in root.iterfind(".//x:row", _NS):
        cells = []
        for item in row:
            text = "".join(part.text or "" for part in item.iter() if part is not item)
            kind = "f" if item.find("x:f", _NS) is not None else item.get("t", "n")
            cells.append((kind, text))
        rows.append(cells)
    return rows


def test_an_answer_as_a_workbook(tmp_path: Path) -> None:
    file, again = tmp_path / "a.xlsx", tmp_path / "b.xlsx"
    sql = (
        "select '=1+1' as \"=name\", 'http://x.example' as url,"
        " 12.34::decimal(38,18) as billed_cost, date '2026-10-02' as day,"
        " timestamp '2026-10-02 12:00:00' as time, true as b,"
        " 12345678901234567890::hugeint as big, null as nothing, ['a'] as list, '001' as id"
    )
    command = ("query", "acme", sql, "--format", "xlsx", "-o")
    assert output_of(*command, str(file)) == ""
    header, row = sheet_of(file)
    assert [text for _, text in header][:2] == ["=name", "url"]
    assert row == [
        ("inlineStr", "=1+1"), ("inlineStr", "http://x.example"), ("n", "12.34000000000000"),
        ("n", "46297"), ("n", "46297.5"), ("b", "1"),
        ("inlineStr", "12345678901234567890"), ("inlineStr", '["a"]'), ("inlineStr", "001"),
    ]  # fmt: skip
    output_of(*command, str(again))
    assert file.read_bytes() == again.read_bytes(), "the same answer, the same bytes"


def test_a_workbook_of_a_ready_made_query_adds_up(tmp_path: Path) -> None:
    """Excel's doubles: rounded to 15 digits, and a note says so; CSV is exact."""
    file = tmp_path / "a.xlsx"
    run = ("queries", "run", "globex", "cash_and_amortized", "--format")
    note = output_of(*run, "xlsx", "-o", str(file))
    assert note.startswith("finops: Excel keeps 15 digits of a number, and ")
    exact = list(csv.DictReader(io.StringIO(output_of(*run, "csv"))))
    header, *rows = sheet_of(file)
    column = [text for _, text in header].index("billed_cost")
    assert len(rows) == len(exact) > 1
    for row, line in zip(rows, exact, strict=True):
        amount = Decimal(line["billed_cost"])
        assert abs(Decimal(row[column][1]) - amount) <= abs(amount) * Decimal("1e-14")


def test_what_a_sheet_cannot_hold_is_refused_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.xlsx"
    file.write_text("an earlier answer")
    command = ("query", "acme", "--format", "xlsx", "-o", str(file))
    assert "Write it with --format csv or parquet" in failure_of(
        *command, f"select repeat('x', {spreadsheet.MOST_CHARACTERS + 1}) as long"
    )
    monkeypatch.setattr(spreadsheet, "MOST_ROWS", 4)  # a million rows take a minute
    assert output_of(*command, "select * from range(3)") == ""
    whole = file.read_bytes()
    error = failure_of(*command, "select * from range(4)")
    assert "the answer has more than 3 rows" in error and "--format csv or parquet" in error
    assert file.read_bytes() == whole and list(tmp_path.iterdir()) == [file]


def test_a_workbook_is_not_written_to_a_terminal(built: TemporaryInstallation) -> None:
    text = on_a_terminal(built, "query", "acme", "select 1", "--format", "xlsx")
    assert "xlsx cannot be written to a terminal" in text and "Add --output FILE.xlsx" in text
    assert "give table, csv or json" in " ".join(
        failure_of("status", "acme", "--format", "xlsx").split()
    )


def test_a_column_type_that_parquet_does_not_have_is_refused_with_a_cure(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    for tenant in ("acme", "globex"):
        error = failure_of(
            *("query", tenant, "select interval 1 day as age", "--format", "parquet"),
            *("-o", str(file)),
        )
        assert "Parquet has no type for a column" in error and "cast(COLUMN as varchar)" in error
    assert list(tmp_path.iterdir()) == []
