"""Which errors concern one month alone, and the reason that is reported for them.

Put here: the errors that a month's work may end with, in words. Keep out: handling them.
"""

from __future__ import annotations

from finops_pipeline.errors import DiskFull, FinopsError
from finops_pipeline.lake.duck import DuckDBError
from finops_pipeline.lake.files import no_room
from finops_pipeline.ledger.ledger import LedgerError

SURPRISES = (
    FinopsError,
    DuckDBError,
    LedgerError,
    OSError,
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    AttributeError,
    MemoryError,
)
"""What may go wrong with one month without stopping the others: refusals, and what no one
foresaw of a bill or a disk. A month that meets it is reported; what was published stays."""


def reason_of(error: BaseException) -> str:
    """Why, in one line; what was not foreseen says what it is."""
    first = (str(error).splitlines() or [""])[0]
    if not isinstance(error, FinopsError) and no_room(error):
        return str(
            DiskFull(
                f"the disk is full ({first})",
                "room for what is built",
                "Make room on the disk of FINOPS_DATA and run again; what was published stays",
            )
        )
    return str(error) if isinstance(error, FinopsError) else f"{type(error).__name__}: {first}"
