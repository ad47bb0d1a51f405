"""The vocabulary of contracts: columns, tables and their types.

Put here: Column, Table, and the types of money and quantities. Keep out: particular columns.
"""

from __future__ import annotations

from dataclasses import dataclass

MONEY = "DECIMAL(38,18)"
"""Money, unit prices and quantities. Bills with 17 decimals exist; 20 digits remain before the
point. Sums are exact; it is never a float."""

TEXT = "VARCHAR"
TIME = "TIMESTAMP"
JSON = "VARCHAR"
"""JSON objects are stored as text (FOCUS KeyValueFormat), so that every reader of Parquet reads
them."""

COUNT = "BIGINT"
DAY = "DATE"
FLAG = "BOOLEAN"


@dataclass(frozen=True)
class Column:
    """One column: its name, DuckDB type, meaning, and allowed values."""

    name: str
    type: str
    meaning: str
    nullable: bool = True
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """One table or view of a tenant's DuckDB file."""

    name: str
    kind: str
    meaning: str
    grain: tuple[str, ...]
    columns: tuple[Column, ...]
