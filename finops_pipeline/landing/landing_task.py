"""The input and the result of every landing.

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
    """The landing of one source of a tenant, with its writer and limits."""

    writer: Writer
    tenant: Tenant
    source: Source
    limits: Limits

    @property
    def name(self) -> str:
        """The source's full name, `tenant/source`."""
        return f"{self.tenant.name}/{self.source.name}"


class LandingOutcome(StrEnum):
    """The outcome of a delivery; `OLDER` means that it was not landed."""

    LANDED = "landed"
    UNCHANGED = "unchanged"
    EMPTY = "empty"
    OLDER = "older"


@dataclass(frozen=True)
class Landed:
    """The result of landing a delivery.

    `record` is the month's published delivery; `note` is what the operator should know about it, if
    anything.
    """

    outcome: LandingOutcome
    record: DeliveryRecord
    note: str = ""
