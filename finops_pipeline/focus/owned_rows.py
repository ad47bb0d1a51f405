"""Selection of the landed rows that belong to a project, as SQL from account claims.

Put here: selecting the rows of projects. Keep out: converting them (month_pass.py).
"""

from __future__ import annotations

from datetime import date

from finops_pipeline.contracts import cur
from finops_pipeline.focus.landed_bill import LandedBill
from finops_pipeline.focus.normalise import usage_day
from finops_pipeline.lake.duck import ident, text
from finops_pipeline.ledger.month_plan import MonthPlan, ProjectPlan
from finops_pipeline.tenants.model import UNASSIGNED
from finops_pipeline.tenants.months import end_day, first_day


def owned_rows(plan: MonthPlan, projects: list[ProjectPlan], bill: LandedBill) -> str:
    """Return SQL for the landed rows that belong to one of these projects, with `x_Project`.

    Each value of the account column is assigned to a project here, and the rows are joined to that
    short list, so that one scan serves many projects and DuckDB skips the rows of all others.

    Args:
        projects: the requested projects; rows of others are left out.
    """
    column = bill.form.find(bill.columns).get(bill.form.account)
    if column is None:  # only FOCUS may lack it
        has_rest = any(project.name == UNASSIGNED for project in projects)
        return f"(select *, {text(UNASSIGNED)} as x_Project from {bill.relation} where {has_rest})"
    names = {project.name for project in projects if bill.source in project.sources}
    spans = [
        (account, *span)
        for account in sorted({account or "" for account in bill.accounts})
        for span in _spans(plan, bill.source, account.strip(" "))
        if span[2] in names
    ]
    if not spans:
        return f"(select *, null::varchar as x_Project from {bill.relation} where false)"
    values = ", ".join(
        f"({text(account)}, {_day(first)}, {_day(end)}, {text(project)})"
        for account, first, end, project in spans
    )
    value = ident(column) if bill.columns[column] == "VARCHAR" else f"{ident(column)}::varchar"
    value = f"coalesce({value}, '')" if None in bill.accounts else value
    condition = f"{value} = x_account"
    if any(first or end for _, first, end, _ in spans):
        start = "ChargePeriodStart" if bill.form.account == "SubAccountId" else cur.USAGE_START
        day = usage_day(bill.form.find(bill.columns)[start], bill.columns)
        condition += (
            f" and (x_first is null or {day} >= x_first) and (x_end is null or {day} < x_end)"
        )
    return (
        f"(select x_rows.*, x_Project from {bill.relation} as x_rows join (values {values})"
        f" as x_claims (x_account, x_first, x_end, x_Project) on {condition})"
    )


Span = tuple[date | None, date | None, str]
"""Days [first, end) on which an account's rows belong to a project; None: unbounded."""


def _spans(plan: MonthPlan, source: str, account: str) -> list[Span]:
    """Return the project of one account's rows for every day of a month, without gaps."""
    first, end = first_day(plan.month), end_day(plan.month)
    claims: list[Span] = [
        (
            claim.from_day if claim.from_day and claim.from_day > first else None,
            claim.to_day if claim.to_day and claim.to_day < end else None,
            project.name,
        )
        for project in plan.readers(source)
        if project.name != UNASSIGNED
        for claim in project.deciding.accounts[source]
        if claim.id == account
    ]
    spans: list[Span] = []
    since: date | None = None
    for begin, until, project in sorted(claims, key=lambda c: c[0] or date.min):
        if begin and begin != since:
            spans.append((since, begin, UNASSIGNED))
        spans.append((begin, until, project))
        since = until
    if since or not claims:
        spans.append((since, None, UNASSIGNED))
    return spans


def _day(day: date | None) -> str:
    return f"date {text(day.isoformat())}" if day else "null::date"
