"""What an open file says about itself: when it was built, which of its months are in doubt.

Put here: facts that go with every answer. Keep out: the answer's own rows.
"""

from __future__ import annotations

from typing import Any

from finops_pipeline.application.progress import Months
from finops_pipeline.serve.caveats import RECONCILED_STATES
from finops_pipeline.serve.sandbox import Sandbox

_BUILT_AT = "select built_at from about where kind = 'file' and name = 'generation'"
_IN_DOUBT = (
    "select distinct billing_period, source, state from data_status"
    " where not list_contains($reconciled::varchar[], state) order by all"
)


def read_built_at(sandbox: Sandbox) -> str:
    """Return when the file was built (UTC)."""
    row = sandbox.execute(_BUILT_AT).fetchone()
    return str(row[0]) if row else ""


def read_months_in_doubt(sandbox: Sandbox, span: Months) -> list[dict[str, Any]]:
    """List the months of a span that are not reconciled, by source."""
    values = {"reconciled": sorted(RECONCILED_STATES)}
    rows = sandbox.execute(_IN_DOUBT, values).fetchall()
    names = ("billing_period", "source", "state")
    return [dict(zip(names, row, strict=True)) for row in rows if row[0] in span]
