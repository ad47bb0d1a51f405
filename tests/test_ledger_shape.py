"""A ledger whose folder is purged or restored while it is read is read to its end."""

from __future__ import annotations

from pathlib import Path

from finops_pipeline.ledger.ledger import Ledger, Refusal, record_refusal
from finops_pipeline.ledger.ownership import Identity


def test_a_ledger_that_is_moved_away_while_it_is_read_is_read_to_its_end(
    tmp_path: Path,
) -> None:
    for tenant in ("acme", "globex"):
        path = tmp_path / f"{tenant}.sqlite"
        ledger = Ledger(path, Identity(tenant, ""))
        refusal = Refusal("payer", "2026-09", f"of {tenant}", "2026-10-01T00:00:00+00:00")
        ledger.write(record_refusal(refusal))
        with ledger._engine.connect() as db:
            path.rename(tmp_path / f"{tenant}.purged")
            assert "refusals" in ledger._read_shape(db)
        assert ledger.refusals() == {}
