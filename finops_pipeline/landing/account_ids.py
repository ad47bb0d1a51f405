"""Account ids that a spreadsheet or a program read as numbers get their twelve digits back.

Put here: recognizing such ids in a staged landing, and restoring them. Keep out: reading files
(relation.py), the columns that hold account ids (contracts/bills.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finops_pipeline.lake.duck import PARQUET, Connection, ident, text

_NUMBER = "[0-9]{1,11}|[0-9]{1,12}\\.0+"
"""An id as a number: without leading zeros, and with decimals where the column had empty cells."""


_NULL = "'', 'NULL'"


@dataclass(frozen=True)
class AccountColumns:
    """The columns of account ids, all text, and those that name their provider, in order."""

    ids: Sequence[str]
    owners: Sequence[str]

    @property
    def is_aws(self) -> str:
        """SQL of whether a row's ids are AWS's: the first provider named, or none is."""
        names = [
            f"case when trim({ident(name)}::varchar) not in ({_NULL}) then {ident(name)} end"
            for name in self.owners
        ]
        stated = ", ".join([*names, "'AWS'"])
        return f"regexp_matches(coalesce({stated}), '^\\s*(?i:aws|amazon)\\b')"


def restore_account_ids(
    connection: Connection, staged: Path, columns: AccountColumns, spare: Path
) -> int:
    """Restore the ids in a staged landing; return the number of rows that had such an id.

    AWS account ids have twelve digits (AWS "View AWS account identifiers"); those of other
    providers, in rows of a FOCUS export, stay as they are. The file is written anew only if it has
    such ids.

    Args:
        spare: a free path in the staging folder.
    """
    if not columns.ids:
        return 0
    broken = " or ".join(_is_number(column) for column in columns.ids)
    query = f"select count(*) from {_relation(staged)} where ({broken}) and {columns.is_aws}"
    ((rows,),) = connection.execute(query).fetchall()
    if rows:
        values = ", ".join(
            f"case when {columns.is_aws} then {_restored(column)} else {ident(column)} end"
            f" as {ident(column)}"
            for column in columns.ids
        )
        staged.rename(spare)
        connection.execute(
            f"copy (select * replace ({values}) from {_relation(spare)})"
            f" to {text(str(staged))} ({PARQUET})"
        )
    return int(rows)


def _relation(path: Path) -> str:
    return f"read_parquet({text(str(path))}, hive_partitioning = false)"


def _is_number(column: str) -> str:
    name = ident(column)
    is_plain = f"len({name}) = 12 and not contains({name}, '.')"  # cheaper than the pattern
    return f"(not ({is_plain}) and regexp_full_match({name}, {text(_NUMBER)}))"


def _restored(column: str) -> str:
    whole = f"lpad(split_part({ident(column)}, '.', 1), 12, '0')"
    return f"case when {_is_number(column)} then {whole} else {ident(column)} end"
