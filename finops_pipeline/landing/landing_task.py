"""What every landing is given and what it returns.

Put here: the task, the result and its outcomes. Keep out: the work itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from finops_pipeline.lake.duck import Limits
from finops_pipeline.lake.publish import Writer
from finops_pipeline.ledger.ledger import DeliveryRecord
from finops_pipeline.tenants.model import Source, Tenant


@dataclass(frozen=True)
class LandingTask:
    """The landing of one source: whose it is, with which writer and within which limits."""

    writer: Writer
    tenant: Tenant
    source: Source
    limits: Limits

    @property
    def name(self) -> str:
        """The source's full name, `tenant/source`."""
        return f"{self.tenant.name}/{self.source.name}"


class LandingOutcome(StrEnum):
    """What became of a delivery; `OLDER` means that it was not landed."""

    LANDED = "landed"
    UNCHANGED = "unchanged"
    EMPTY = "empty"
    OLDER = "older"


@dataclass(frozen=True)
class Landed:
    """What landing did with a delivery.

    `record` is what is published of the month now; `note` is what the operator should know about
    it, if anything.
    """

    outcome: LandingOutcome
    record: DeliveryRecord
    note: str = ""
