"""Whose rows are whose: account claims as SQL, and as a mark of what a partition was built under.

Put here: which rows of a landing belong to a project. Keep out: what becomes of them (conform.py).
"""

from __future__ import annotations

from finops_pipeline.contracts import cur
from finops_pipeline.contracts.bills import BillForm
from finops_pipeline.focus.normalise import typed, usage_day
from finops_pipeline.lake.duck import text
from finops_pipeline.lake.ledger import PartitionRecord, mark
from finops_pipeline.tenants.model import UNASSIGNED, AccountClaim, Project, Tenant
from finops_pipeline.tenants.months import end_day, first_day

CLAIMS = "(claims)"
"""Beside the deliveries, what a partition's record says it was built under."""


def claims_for(tenant: Tenant, project: Project, source: str, month: str) -> list[AccountClaim]:
    """Claims that decide a project's rows of one source in a month.

    A project's own; for `unassigned`, those of every project that reads the source.
    """
    first, end = first_day(month), end_day(month)
    others = [project] if project.name != UNASSIGNED else list(tenant.projects)
    return [
        claim
        for other in others
        if source in tenant.sources_of(other)
        for claim in other.accounts
        if claim.touches(first, end)
    ]


def reclaimed(tenant: Tenant, record: PartitionRecord) -> bool:
    """Whether a partition was built under other account claims than hold now."""
    project = next((p for p in tenant.all_projects if p.name == record.key), None)
    if project is None:
        return False
    return record.inputs.get(CLAIMS) != claims_mark(tenant, project, record.billing_period)


def claims_mark(tenant: Tenant, project: Project, month: str) -> str:
    """A checksum of the claims that decide a project's rows of a month."""
    claims = {
        source: sorted(f"{c.id} {c.days}" for c in claims_for(tenant, project, source, month))
        for source in tenant.sources_of(project)
    }
    return mark({"claims": claims, "takes_the_rest": project.name == UNASSIGNED})


def belongs(
    tenant: Tenant,
    project: Project,
    source: str,
    month: str,
    columns: dict[str, str],
    form: BillForm,
) -> str:
    """SQL condition for the landing rows of a project.

    Args:
        columns: the landing's columns and DuckDB types.
    """
    found = form.find(columns)
    claims = claims_for(tenant, project, source, month)
    takes_the_rest = project.name == UNASSIGNED
    column = found.get(form.account)
    if column is None or not claims:
        return str(takes_the_rest).lower()
    account = typed(column, columns[column], form.types[form.account])
    start = "ChargePeriodStart" if form.account == "SubAccountId" else cur.USAGE_START
    day = usage_day(found[start], columns)
    conditions = []
    for claim in claims:
        condition = f"{account} = {text(claim.id)}"
        if claim.from_day and claim.from_day > first_day(month):
            condition += f" and {day} >= date {text(claim.from_day.isoformat())}"
        if claim.to_day and claim.to_day < end_day(month):
            condition += f" and {day} < date {text(claim.to_day.isoformat())}"
        conditions.append(f"({condition})")
    either = " or ".join(conditions)
    return f"not coalesce({either}, false)" if takes_the_rest else f"({either})"
