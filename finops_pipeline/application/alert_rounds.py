"""Telling people what is due: a tenant's alerts after its run, and a round over all tenants.

Put here: one call for both doorways, in which a tenant that cannot be told stops no other. Keep
out: alerts of one tenant (alerts.py), reports (report.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from finops_pipeline.application.alert_times import TAKEN
from finops_pipeline.application.alerts import deliver_alerts
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.progress import Stage, Step
from finops_pipeline.application.refusals import failed_step
from finops_pipeline.application.report import send_due_report
from finops_pipeline.tenants.model import Tenant


@dataclass(frozen=True)
class AlertRound:
    """What a round did: tenants that were looked at, messages sent, and steps that failed."""

    tenants: int
    messages: int
    failed: tuple[Step, ...]


def tell_people(
    installation: Installation, tenants: Iterable[Tenant], steps: Sequence[Step] | None = None
) -> AlertRound:
    """Send the alerts and reports of these tenants that are due.

    A tenant for which nothing has been built has no report yet; a disabled one is left out.

    Args:
        steps: the steps of a run of this tenant that has just ended; None: there was none.
    """
    looked, sent, failed = 0, 0, list[Step]()
    for tenant in tenants:
        if not tenant.is_active:
            continue
        looked += 1
        try:
            run = deliver_alerts(installation, tenant.name, steps)
            deliveries = list(run.deliveries)
            if installation.folder(tenant.name).warehouse.exists():
                deliveries += send_due_report(installation, tenant.name)
        except Exception as error:  # of one tenant, whatever it is; it is reported as its step
            failed.append(failed_step(error, Stage.ALERTS, tenant.name))
            continue
        sent += sum(delivery.outcome in TAKEN for delivery in deliveries)
    return AlertRound(looked, sent, tuple(failed))
