"""Which delivery of a month is the newer: an older one never overwrites.

Put here: telling that a delivery came before the one that is published. Keep out: what is done
about it (delivery_landing.py, application).

Told by what AWS writes, never by the times of files, which copying changes: the id of an
execution that was superseded before, and the time in the folder of a Data Exports execution
(`2026-05-20T22_19_25.548Z-<id>`). Files brought by hand have neither, and are always taken.
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
    """Why a delivery is older than the published one, with the cure; None when it is not.

    Args:
        before: the published delivery of the month.
        superseded: the month's earlier ones, in the order they landed.
    """
    if delivery.execution_id == before.execution_id:
        return None
    moment, published = _moment(delivery.manifest, delivery.files), _moment("", before.files)
    if moment and published and moment < published:
        return _words(before, f"{delivery.manifest} is of {moment}Z, before {published}Z")
    for earlier in reversed(superseded):
        if not delivery.execution_id or earlier.execution_id != delivery.execution_id:
            continue
        if earlier.delivery_id.split(".")[0] == before.delivery_id:
            return None  # the same bytes were brought again by hand
        return _words(
            before,
            f"{delivery.manifest} names delivery {delivery.execution_id}, which landed"
            f" {earlier.landed_at[:16]} and was superseded",
        )
    return None


def _moment(manifest: str, files: Sequence[object]) -> str:
    """When an execution began, from the folders of its files; empty when they do not say."""
    names = [str(getattr(file, "name", "")) for file in files] + [manifest]
    found = [match.group(1) for name in names if (match := _MOMENT.search(name))]
    return max(found, default="")


def _words(before: DeliveryRecord, found: str) -> str:
    by = before.execution_id or "files brought by hand"
    return (
        f"an older delivery was not taken: {found}; published is {by} of {before.landed_at[:16]}."
        " Wait for AWS's next delivery, or bring the older files back with finops ingest-file"
    )
