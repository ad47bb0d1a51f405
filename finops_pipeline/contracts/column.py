"""The words in which a column is promised.

Put here: Column, Table and the types money and quantities have. Keep out: particular columns.
"""

from __future__ import annotations

from dataclasses import dataclass

MONEY = "DECIMAL(38,18)"
"""Money, unit prices and quantities. Bills with 17 decimals exist; 20 digits are left before
the point. Sums of it stay exact; it is never a float."""

TEXT = "VARCHAR"
TIME = "TIMESTAMP"
JSON = "VARCHAR"
"""JSON objects travel as text (FOCUS KeyValueFormat), so every reader of Parquet can read them."""

COUNT = "BIGINT"
DAY = "DATE"
FLAG = "BOOLEAN"


@dataclass(frozen=True)
class Column:
    """One column: its name, DuckDB type, meaning, and what it may hold."""

    name: str
    type: str
    meaning: str
    nullable: bool = True
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """One table or view of a tenant's file."""

    name: str
    kind: str
    meaning: str
    grain: tuple[str, ...]
    columns: tuple[Column, ...]
