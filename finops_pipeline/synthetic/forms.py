"""The forms in which AWS delivers a bill: format, packing, versioning, layout, query.

Put here: what a writer needs to know besides the lines. Keep out: the writers themselves, the form
of each source of the estate (`spec`).
"""

from __future__ import annotations

from dataclasses import dataclass

LEGACY, CUR_2, FOCUS = "legacy-cur", "cur-2.0", "focus"

CSV_GZ, CSV_ZIP, PARQUET = "csv.gz", "csv.zip", "parquet"

CREATE_NEW, OVERWRITE = "create-new", "overwrite"


@dataclass(frozen=True, slots=True)
class Form:
    """How deliveries of a source are written.

    `athena` is the legacy CUR's layout for Athena (Parquet below `year=`/`month=`).
    `snake_files` lists the CSV files of a legacy delivery (counted from 0) that have
    underscore headers. `period_key` is the spelling of the partition key; empty: as AWS spells it
    for this kind. `focus_version` is 1.0 or 1.2; with `focus_gaps`, columns that AWS may leave null
    are null. `query` is what a Data Export selects: pairs of column and alias (empty: no alias),
    `map.key` for one value of a map; no pairs: every column. `files` is the number of files; 0: the
    source's usual number.
    """

    format: str
    packing: str
    versioning: str = OVERWRITE
    athena: bool = False
    snake_files: tuple[int, ...] = ()
    period_key: str = ""
    focus_version: str = "1.2"
    focus_gaps: bool = False
    query: tuple[tuple[str, str], ...] = ()
    files: int = 0


def usual(format: str, versioning: str) -> Form:
    """Make the usual form of a format."""
    return Form(format, CSV_GZ if format == LEGACY else PARQUET, versioning)
