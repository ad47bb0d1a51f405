"""The order of a month's deliveries: an older one never replaces a newer one.

Put here: deciding whether a delivery is older than the published one. Keep out: what follows from
that (delivery_landing.py, application).

The decision uses what AWS writes, never the times of files, which copying changes: the id of an
execution that was superseded before, and the time in the folder of a Data Exports execution
(`2026-05-20T22_19_25.548Z-<id>`). Imported files have neither, and are always accepted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from finops_pipeline.ledger.ledger import DeliveryRecord
from finops_pipeline.sources.data_exports import Delivery

_MOMENT = re.compile(r"(?:^|/)(\d{4}-\d{2}-\d{2}T\d{2}_\d{2}_\d{2}(?:\.\d+)?)Z-[^/]*/")


def why_older(
    before: DeliveryRecord, superseded: list[DeliveryRecord], delivery: Delivery
) -> str | None:
    """Explain why a delivery is older than the published one, with the cure; None if it is not.

    Args:
        before: the published delivery of the month.
        superseded: the month's earlier deliveries, in the order in which they landed.
    """
    if delivery.execution_id == before.execution_id:
        return None
    moment, published = (
        _find_moment(delivery.manifest, delivery.files),
        _find_moment("", before.files),
    )
    if moment and published and moment < published:
        return _describe(before, f"{delivery.manifest} is from {moment}Z, before {published}Z")
    for earlier in reversed(superseded):
        if not delivery.execution_id or earlier.execution_id != delivery.execution_id:
            continue
        if earlier.delivery_id.split(".")[0] == before.delivery_id:
            return None  # the published delivery has the same bytes
        return _describe(
            before,
            f"{delivery.manifest} names delivery {delivery.execution_id}, which landed at"
            f" {earlier.landed_at[:16]} and was superseded",
        )
    return None


def _find_moment(manifest: str, files: Sequence[object]) -> str:
    """Find when an execution began, from the folders of its files; empty if they do not show it."""
    names = [str(getattr(file, "name", "")) for file in files] + [manifest]
    evidence = [match.group(1) for name in names if (match := _MOMENT.search(name))]
    return max(evidence, default="")


def _describe(before: DeliveryRecord, evidence: str) -> str:
    name = f"is {before.execution_id}" if before.execution_id else "consists of imported files"
    return (
        f"an older delivery was not used: {evidence}; the published one {name}, which landed at"
        f" {before.landed_at[:16]}. Wait for AWS's next delivery, or import the older files with"
        " finops ingest-file"
    )
