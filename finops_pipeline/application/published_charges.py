"""Checks and FOCUS rules, run again over the charges that a tenant has published.

Put here: the selection of files. Keep out: the checks (marts), the rules (focus/conformance.py,
contracts), how findings are shown (cli).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import Unknown
from finops_pipeline.focus.conformance import Violation, find_published_violations
from finops_pipeline.lake.file_marks import FileChecker
from finops_pipeline.lake.layout import COSTS, TenantFolder
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.ledger.stored_files import read_stored_files
from finops_pipeline.marts.results import CheckResult, check_published
from finops_pipeline.tenants.months import check_month


@dataclass(frozen=True)
class Conformance:
    """The number of cost files tested, and the rules that they break."""

    files: int
    findings: Sequence[Violation]


def check_charges(installation: Installation, tenant: str, month: str | None) -> list[CheckResult]:
    """Run every check over the published files of a tenant as they are on disk now.

    Args:
        installation: the installation that holds the tenant's folder.
        tenant: name of the tenant.
        month: only this billing period (YYYY-MM); None: all.

    Raises:
        Unknown: there is no such tenant, or nothing has been built for it.
        DamagedFile, ForeignFile: a file of charges is not the one that was published.
    """
    folder = installation.folder(installation.registry.tenant(tenant).name)
    period = check_month(month) if month else None
    check_cost_files(folder, period)
    return check_published(folder, installation.limits, period)


def check_cost_files(folder: TenantFolder, month: str | None, project: str | None = None) -> None:
    """Check the files of charges (of one month or project) before rows of them are shown.

    Another tenant's file in the place of one would otherwise be shown as examples and sums.
    """
    ledger = open_ledger(folder)
    FileChecker(folder, ledger).check(
        file
        for file in sorted(read_stored_files(ledger).values())
        if file.place.table_name == COSTS
        and month in (None, file.place.billing_period)
        and project in (None, file.place.key)
    )


def validate_charges(
    installation: Installation, tenant: str, month: str | None, project: str | None
) -> Conformance:
    """Test every published charge of a tenant against every FOCUS rule.

    Args:
        installation: the installation that holds the tenant's folder.
        tenant: name of the tenant.
        month: only this billing period (YYYY-MM); None: all.
        project: only this project; None: all.

    Raises:
        Unknown: there is no such tenant or project, or no such charges are published.
        DamagedFile, ForeignFile: a file of charges is not the one that was published.
    """
    declared = installation.registry.tenant(tenant)
    name = declared.project(project).name if project else None
    period = check_month(month) if month else None
    folder = installation.folder(declared.name)
    check_cost_files(folder, period, name)
    files, findings = find_published_violations(folder, installation.limits, period, name)
    if not files:
        scope = " in ".join(filter(None, [name and f"project {name}", period]))
        raise Unknown(
            f"no charges of tenant {declared.name} are published{f' for {scope}' if scope else ''}",
            "a project and month that have charges",
            f"See what is published: finops status {declared.name}",
        )
    return Conformance(files, findings)
