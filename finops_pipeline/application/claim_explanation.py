"""Why charges are in their project: the claim that takes each of them, in words.

Put here: assigning the published charges of a resource, commitment or account once more, and
describing the result. Keep out: the assignment itself (focus/assigned_rows.py), the rules of
dimensions (marts/rule_explanation.py).

Reads: the tenant's file, the registry   Writes: nothing
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from finops_pipeline.focus.assigned_rows import (
    TAKEN_BY,
    WITHOUT_VALUE,
    AssignmentRules,
    assigned_rows,
    rules_of,
)
from finops_pipeline.focus.claim_columns import charge_columns
from finops_pipeline.lake.duck import Connection, text
from finops_pipeline.ledger.claims import has_conditions, list_claims
from finops_pipeline.marts.rule_explanation import COST_EXPLORER_DAY, ExplainedCharges
from finops_pipeline.tenants.claim import Claim
from finops_pipeline.tenants.model import FOLLOW, UNASSIGNED, Tenant

_KEY = {
    "project": "project", "sub_account_id": "SubAccountId", "row_kind": "x_RowKind",
    "charge_category": "ChargeCategory", "line_item_type": "x_LineItemType",
    "region_id": "RegionId", "service_name": "ServiceName", "service_code": "x_ServiceCode",
    "resource_id": "ResourceId", "tags": "Tags", "cost_categories": "x_CostCategories",
    "billing_currency": "BillingCurrency",
}  # fmt: skip
"""The fields by which explained charges of a source and month differ, and their columns."""

_HAS_ID = (
    "($id in (x_LineItemId, ResourceId, ResourceName, CommitmentDiscountId)"
    " or (coalesce(x_LineItemId, ResourceId, CommitmentDiscountId) is null"
    " and $id = coalesce(SubAccountId, BillingAccountId)))"
)
"""As in marts/allocation/explained_charges.sql."""

_FOLLOWED = (
    "case when nullif(ResourceId, coalesce(CommitmentDiscountId, '')) is not null then 'resource'"
    " when CommitmentDiscountId is not null then 'commitment' else 'account' end as followed"
)


@dataclass(frozen=True)
class _Taken:
    """The claim that takes charges, by what is declared now, and the project that gets them.

    `followed` is what they follow where they follow others: their resource, commitment or account.
    """

    claim: str | None
    project: str
    followed: str


def explain_claims(
    connection: Connection, tenant: Tenant, explained: Sequence[ExplainedCharges], id: str
) -> list[str]:
    """Return for each group of charges, in words, why it is in its project.

    Args:
        connection: reads the tenant's file.
        explained: all charges that have this id.

    Raises:
        RegistryError: claims of equal priority take the same charge.
    """
    of_months: dict[tuple[str, str], _Explainer] = {}
    words = []
    for charges in explained:
        key = (charges.source, charges.billing_period)
        if key not in of_months:
            of_months[key] = _Explainer(connection, tenant, charges, id)
        words.append(of_months[key].describe(charges))
    return words


class _Explainer:
    """The claims to the charges of one source and month that have an id."""

    def __init__(
        self, connection: Connection, tenant: Tenant, charges: ExplainedCharges, id: str
    ) -> None:
        self._tenant = tenant
        self._source, self._month = source, month = charges.source, charges.billing_period
        claims = list_claims(tenant, source, month)
        self._rules = rules_of(tenant, source, month, claims)
        self._claims: Mapping[tuple[str, str], Claim] = {
            (each.project, each.name): each.claim for each in claims
        }
        self._is_split = has_conditions(claims)
        self._is_left_out = tenant.leaves_out(source, month)
        self._taken = defaultdict[tuple[object, ...], list[_Taken]](list)
        if not self._is_left_out:
            self._assign(connection, self._rules, id)

    def _assign(self, connection: Connection, rules: AssignmentRules, id: str) -> None:
        where = f"billing_period = {text(self._month)} and x_Source = {text(self._source)}"
        charges = f"(select * from costs where {where})"
        columns = charge_columns(charges, f"{self._source} {self._month}", rules.claims)
        assigned = assigned_rows(connection, columns, rules)
        query = connection.execute(
            f"select {', '.join(_KEY.values())}, {TAKEN_BY}, x_Project,"
            f" {_FOLLOWED} from {assigned} where {_HAS_ID} group by all"
            " order by min(ChargePeriodStart), x_Project",
            {"id": id},
        )
        for *key, claim, project, followed in query.fetchall():
            self._taken[tuple(key)].append(_Taken(claim, project, followed))

    def describe(self, charges: ExplainedCharges) -> str:
        """Describe the claims that take like charges; several if they hold on different days."""
        if charges.row_kind == COST_EXPLORER_DAY:
            return _of_cost_explorer(self._tenant, charges)
        if self._is_left_out:
            return f"source {self._source} is not in use, so its charges stay where they were"
        if charges.row_kind == "residual" and self._is_split:
            return (
                "no claim: what negations did not cancel is in the project with most of the"
                " negations of its Savings Plan"
            )
        key = tuple(getattr(charges, field) for field in _KEY)
        return "; ".join(dict.fromkeys(self._words(charges, each) for each in self._taken[key]))

    def _words(self, charges: ExplainedCharges, taken: _Taken) -> str:
        words = self._reason(charges, taken)
        if taken.project == charges.project:
            return words
        return (
            f"a claim that is no longer declared; the next run moves them to project"
            f" {taken.project}, by {words}"
        )

    def _reason(self, charges: ExplainedCharges, taken: _Taken) -> str:
        if taken.claim == WITHOUT_VALUE:
            return _without_value(self._rules.fallback, taken)
        if taken.claim is None:
            return f"no claim takes charges of account {charges.sub_account_id} like these"
        return _in_words(taken.claim, self._claims[taken.project, taken.claim])


def _without_value(fallback: str, taken: _Taken) -> str:
    """Describe where charges go that no claim takes and that lack a claimed value."""
    lack = "no claim: they lack a value that claims ask for"
    if fallback != FOLLOW:
        return f"{lack} (without_value: {fallback})"
    if taken.project == UNASSIGNED:
        return (
            f"{lack}, and the other charges of their {taken.followed} are not in one project"
            " (without_value: follow)"
        )
    return f"{lack}, and follow the other charges of their {taken.followed} (without_value: follow)"


def _of_cost_explorer(tenant: Tenant, charges: ExplainedCharges) -> str:
    """Describe the claims that decide about Cost Explorer's days of an account."""
    account, end = charges.sub_account_id, charges.last_day + timedelta(days=1)
    claims = sorted(
        (
            (
                charges.source not in tenant.named_by(project),
                claim.priority,
                project.name,
                name,
                claim,
            )
            for project in tenant.active_projects
            for name, claim in (*project.own_claims, *project.account_claims)
            if claim.touches(charges.first_day, end)
            and (not claim.accounts or account in claim.accounts)
        ),
        key=lambda each: each[:3],
    )
    if charges.project == UNASSIGNED:
        for *_, project, name, claim in claims:
            if not claim.has_only_accounts:
                return (
                    f"no claim: {name} of project {project} ({claim.in_words}) is tried first, and"
                    " Cost Explorer's days do not have what it asks for"
                )
        return "no claim takes the days of this account"
    own = [_in_words(name, claim) for *_, project, name, claim in claims
           if project == charges.project and claim.has_only_accounts]  # fmt: skip
    return "; ".join(own) or "a claim that is no longer declared"


def _in_words(name: str, claim: Claim) -> str:
    return f"{name} (priority {claim.priority}): {claim.in_words}"
