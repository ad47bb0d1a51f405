"""Reading a bill returns every cell unchanged, whatever it holds and however it is quoted.

Hypothesis generates small bills: any text in the cells (line ends, quotes, commas), quoted
as little or as much as CSV allows, with LF or CRLF, with or without a byte order mark and a final
line end. The reader must return every cell and reject no record.
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finops_pipeline.contracts.bills import CUR
from finops_pipeline.lake.duck import Limits, scratch_connection
from finops_pipeline.landing.quarantine import rejected_records
from finops_pipeline.landing.relation import DeliveryFiles, open_files
from tests.support.bills import COLUMNS, row
from tests.support.mutations.bill import csv_text

CELL = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\0", exclude_categories=["Cs"]), max_size=12
) | st.sampled_from(['"', '""', ',"', '",', "\n", "a\nb", " ", "\t", '"a","b"', "'", "\\", '\\"'])
COSTS = st.decimals(-(10**6), 10**6, places=10).map(str)
BILL = st.lists(st.tuples(COSTS, CELL, CELL), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    bill=BILL,
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    newline=st.sampled_from(["\n", "\r\n"]),
    has_mark=st.booleans(),
    ends_line=st.booleans(),
)
def test_every_cell_comes_back(
    bill: list[tuple[str, str, str]], quoting: int, newline: str, has_mark: bool, ends_line: bool
) -> None:
    header = [*COLUMNS, "lineItem/LineItemDescription", "resourceTags/user:a"]
    records = [[*row(cost).values(), *cells] for cost, *cells in bill]
    text = csv_text([header, *records], newline, quoting)
    if not ends_line:
        text = text.removesuffix(newline)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bill.csv"
        path.write_bytes(("\ufeff" * has_mark + text).encode())
        with scratch_connection(Path(folder) / "spill", Limits("256MB", 1)) as connection:
            delivered = DeliveryFiles([("bill.csv", path)], CUR, Path(folder))
            file = open_files(connection, delivered)[0]
            names = ", ".join(f'"{name}"' for name in header)
            rows_read = connection.execute(f"select {names} from ({file.scan()})").fetchall()
            assert rejected_records(connection, file) == {}
    assert [[cell or "" for cell in line] for line in rows_read] == records
