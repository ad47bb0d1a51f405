"""Files that an operator ingests by hand.

Put here: what is given for them. Keep out: landing them (landing), the order of stages (ingest.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from finops_pipeline.contracts.cost_explorer import Metric


@dataclass(frozen=True)
class FilesByHand:
    """Files or folders that an operator ingests as deliveries of a source.

    Folders in `paths` include everything below them; `metric` is the metric of a CSV from Cost
    Explorer's console (default: unblended).
    """

    tenant: str
    source: str
    paths: list[Path]
    metric: Metric | None = None

    @property
    def name(self) -> str:
        """The source's full name, `tenant/source`."""
        return f"{self.tenant}/{self.source}"
