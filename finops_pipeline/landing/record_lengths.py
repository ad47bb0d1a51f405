"""CSV files whose records and header have different numbers of fields.

Put here: counting fields, and the refusal that names both numbers. Keep out: single records of
another length, which are quarantined (quarantine.py). This runs only where no record can be read.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from itertools import islice

from finops_pipeline.errors import FileProblem, counted
from finops_pipeline.lake import files
from finops_pipeline.landing.relation import ReadableFile

_RECORDS = 1000
"""Records that are counted; a file whose header is wrong is wrong from its first record on."""


def refuse_other_lengths(readable: Iterable[ReadableFile]) -> None:
    """Refuse a CSV of which no record has as many fields as the header.

    Raises:
        FileProblem: there is such a file.
    """
    for file in readable:
        if not file.is_csv:
            continue
        lengths = _count_fields(file)
        expected = len(file.columns)
        if not lengths or expected in lengths:
            continue
        ((usual, _),) = lengths.most_common(1)
        share = "each record" if len(lengths) == 1 else "most records"
        raise FileProblem(
            f"{file.name} has {counted(expected, 'field')} in its header, but {usual} in {share}",
            "as many fields in each record as in the header",
            "Download or export the file again: it cannot be known to which column each field"
            " belongs. If a program or a script rewrote it, make it write empty fields too",
        )


def _count_fields(file: ReadableFile) -> Counter[int]:
    """Count the file's first records by their number of fields, without empty lines."""
    files.allow_long_cells()
    with file.path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        records = islice(csv.reader(stream), 1, _RECORDS)
        return Counter(len(record) for record in records if record)
