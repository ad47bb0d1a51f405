"""The generations of a tenant's file that were published.

Put here: their numbers and checksums in the ledger. Keep out: the file itself (lake).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from finops_pipeline.ledger.ledger import Ledger, Write
from finops_pipeline.ledger.schema import GENERATIONS


@dataclass(frozen=True)
class Generation:
    """A published version of the tenant's file; its number is that of its publication."""

    generation: int
    sha256: str
    size_bytes: int
    published_at: str


KEPT_GENERATIONS = 50
"""Generations whose checksums the ledger keeps, so that an older file can be recognised."""


def read_generations(ledger: Ledger) -> list[Generation]:
    """Read the generations that the ledger remembers, the newest first."""
    generations = [Generation(**row) for row in ledger.rows(GENERATIONS)]
    return sorted(generations, key=lambda g: g.generation, reverse=True)


def record_generation(generation: Generation) -> Write:
    """Record a generation, and forget those that are too old to matter."""

    def write(db: sa.Connection) -> None:
        table = GENERATIONS
        db.execute(sa.delete(table).where(table.c.generation == generation.generation))
        db.execute(sa.insert(table), asdict(generation))
        numbers: Sequence[int] = db.scalars(
            sa.select(table.c.generation).order_by(table.c.generation.desc())
        ).all()
        if len(numbers) > KEPT_GENERATIONS:
            oldest = numbers[KEPT_GENERATIONS - 1]
            db.execute(sa.delete(table).where(table.c.generation < oldest))

    return write
