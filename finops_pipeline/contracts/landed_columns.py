"""What each column of a landing means; the columns keep their names in the source.

Put here: one sentence for each column of a `landing_<source>` view. Keep out: which columns a
conversion reads (cur.py, focus.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from finops_pipeline.contracts.cur import canonical
from finops_pipeline.contracts.documented import is_documented, is_tag
from finops_pipeline.contracts.focus import COSTS

_OWN: Mapping[str, str] = {
    "source": "Source (export).",
    "billing_period": "Billing period YYYY-MM.",
    "x_SourceFile": "File of the delivery that the row comes from.",
}
TAG_MEANING = "As delivered: a tag or cost category of the customer."
_FOCUS = {column.name: column.meaning for column in COSTS.columns}


def landing_meaning(source: str) -> str:
    """Return what the view of a source's landing is."""
    return (
        f"The rows that landed from source {source}, with its own columns and values."
        " One row per row of the delivered files."
    )


def column_meaning(name: str) -> str:
    """Return what a column of a landing is."""
    if name in _OWN:
        return _OWN[name]
    if name in _FOCUS:
        return f"As delivered, FOCUS {name}: {_FOCUS[name]}"
    documented = canonical(name)
    if is_tag(documented):
        return TAG_MEANING
    if is_documented(documented):
        return f"As delivered: {documented} in AWS's CUR 2.0 data dictionary."
    return "As delivered by the source."
