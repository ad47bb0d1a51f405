"""The record of a delivery beside its landing file, from which a lost ledger is rebuilt.

Put here: writing and reading these records. Keep out: choosing among them (ledger_restore.py), the
files (store.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from finops_pipeline.errors import DamagedFile
from finops_pipeline.lake.files import fingerprint
from finops_pipeline.lake.layout import LANDING, QUARANTINE, TenantFolder, parse_stored
from finops_pipeline.lake.store import PartitionStore
from finops_pipeline.ledger.ledger import fingerprint_of
from finops_pipeline.ledger.records import DeliveryRecord, delivery_row, parse_delivery
from finops_pipeline.ledger.stored_files import Place, StoredFile

_DAMAGE = (DamagedFile, ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""The exceptions that reading a changed or truncated record raises."""


@dataclass(frozen=True)
class LandingRecord:
    """A landed delivery as the ledger records it.

    `publication` counts the tenant's publications, so that a later landing has a higher one. `days`
    are the days of the month that Cost Explorer has returned, and whether each is estimated.
    """

    delivery: DeliveryRecord
    landing: StoredFile
    quarantine: StoredFile | None = None
    publication: int = 0
    days: Mapping[date, bool | None] | None = None


def write_landing_record(
    folder: TenantFolder, store: PartitionStore, landed: LandingRecord
) -> None:
    """Write a record beside its landing file, which is already in the store."""
    quarantine = landed.quarantine
    content = {
        "tenant": folder.identity.tenant,
        "installation_id": folder.identity.installation_id,
        "publication": landed.publication,
        "landing": [landed.landing.sha256, landed.landing.size_bytes],
        "quarantine": quarantine and [quarantine.sha256, quarantine.size_bytes],
        "days": {day.isoformat(): flag for day, flag in (landed.days or {}).items()},
        "delivery": delivery_row(landed.delivery),
    }
    record = {**content, "checksum": fingerprint_of(content)}
    store.put_record(landed.landing, json.dumps(record))


def read_landing_records(folder: TenantFolder) -> list[LandingRecord]:
    """Read the records of this tenant whose landing file is intact, the latest landing last."""
    store = PartitionStore(folder)
    records = (
        _read(folder, store, path)
        for path in sorted(store.list_paths())
        if path.relative_to(folder.store).parts[0] == LANDING
    )
    return sorted(filter(None, records), key=lambda r: (r.publication, r.delivery.landed_at))


def _read(folder: TenantFolder, store: PartitionStore, path: Path) -> LandingRecord | None:
    place = parse_stored(path.relative_to(folder.store), folder.tenant)
    text = store.read_record(path)
    if place is None or not text:
        return None
    try:
        content = json.loads(text)
        if content.pop("checksum") != fingerprint_of(content):
            return None
        own = folder.identity
        ids = {own.installation_id, content["installation_id"]} - {""}
        landed = LandingRecord(
            delivery=parse_delivery({**content["delivery"]}),
            landing=StoredFile(place, *content["landing"]),
            quarantine=_quarantine(folder, place, content["quarantine"]),
            publication=int(content["publication"]),
            days={date.fromisoformat(day): flag for day, flag in content["days"].items()},
        )
        is_own = content["tenant"] == own.tenant and len(ids) <= 1
    except _DAMAGE:
        return None
    delivery, landing = landed.delivery, landed.landing
    is_same = (delivery.source, delivery.billing_period) == (place.key, place.billing_period)
    is_intact = is_same and path.name == folder.stored(landing).name
    return landed if is_own and is_intact and fingerprint(path) == landing.sha256 else None


def _quarantine(
    folder: TenantFolder, place: Place, content: tuple[str, int] | None
) -> StoredFile | None:
    if content is None:
        return None
    file = StoredFile(Place(QUARANTINE, place.key, place.billing_period), *content)
    folder.stored(file)  # raises DamagedFile if there cannot be such a file
    return file
