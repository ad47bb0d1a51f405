"""Previewing which charges a changed declaration of claims would move between projects.

Put here: assigning the published charges by the declared claims and comparing the projects. Keep
out: the assignment itself (focus/assigned_rows.py), applying a declaration (tenants/declare.py).

Reads: the tenant's file, the registry   Writes: nothing
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from finops_pipeline.application.installation import Installation
from finops_pipeline.application.published_charges import check_cost_files
from finops_pipeline.errors import RegistryError, counted, did_you_mean
from finops_pipeline.focus.assigned_rows import TAKEN_BY, assigned_rows, rules_of
from finops_pipeline.focus.claim_columns import charge_columns
from finops_pipeline.lake.duck import Connection, text
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.ledger.claims import OwnedClaim, has_conditions, list_claims
from finops_pipeline.tenants.declare import merge, read_declaration
from finops_pipeline.tenants.model import Tenant

IS_RESIDUAL = "x_RowKind = 'residual'"

NO_CLAIM = "no claim"
"""Stands for the claim of charges that no claim takes."""


@dataclass(frozen=True)
class MovedCharges:
    """Charges of one currency that one claim would move from one project to another.

    `claim` is the claim's name in the project that gets the charges (`claim 2`), `without_value`
    for charges that lack a claimed value, or `no claim`; `conditions` are the claim's conditions.
    `first_month` and `last_month` are the first and last billing period of the charges.
    """

    claim: str
    conditions: str
    from_project: str
    to_project: str
    billing_currency: str
    charges: int
    billed_cost: Decimal
    effective_cost: Decimal
    first_month: str
    last_month: str


@dataclass(frozen=True)
class ClaimPreview:
    """The charges that would move, and notes on claims that would take none."""

    moved: tuple[MovedCharges, ...]
    notes: tuple[str, ...]


def preview_claims(installation: Installation, tenant: str, file: Path | None) -> ClaimPreview:
    """Compare the projects of a tenant's published charges with those that claims would give them.

    Args:
        file: a tenants.yaml that declares the tenant, merged as `finops apply` would; None: the
            claims in the registry.

    Raises:
        Unknown: there is no such tenant, or nothing has been built for it.
        RegistryError: `finops apply` would refuse the file, or claims of equal priority take the
            same charge.
        DamagedFile, ForeignFile: a file of charges is not the one that was published.
    """
    stored = installation.registry.tenant(tenant)
    return preview_declared(installation, _merged(stored, file) if file else stored)


def preview_declared(installation: Installation, declared: Tenant) -> ClaimPreview:
    """Compare the projects of a tenant's published charges with those of a declaration.

    Args:
        declared: the tenant as it would be declared; it is not stored.

    Raises:
        Unknown: nothing has been built for the tenant.
        RegistryError: claims of equal priority take the same charge.
        DamagedFile, ForeignFile: a file of charges is not the one that was published.
    """
    folder = installation.folder(declared.name)
    check_cost_files(folder, None)
    with reading(folder) as connection, installation.limits.holding_for(connection):
        groups = _all_groups(connection, declared)
        notes = tuple(_notes(connection, declared, groups))
        moved = _sum_months(g for g in groups if g.from_project != g.to_project)
        if moved:
            notes += tuple(_residual_note(connection, declared))
    return ClaimPreview(tuple(moved), notes)


def _merged(stored: Tenant, file: Path) -> Tenant:
    for declared in read_declaration(file):
        if declared.name == stored.name:
            return merge(stored, declared, file)[0]
    raise RegistryError(
        f"{file} does not declare tenant {stored.name}",
        "a tenants.yaml that declares it",
        f"To preview the claims that are already declared: finops project preview {stored.name}",
    )


def _all_groups(connection: Connection, tenant: Tenant) -> list[MovedCharges]:
    """Sum the charges of each month by claim, present project, and project according to claims."""
    months = connection.execute(
        "select distinct x_Source, billing_period from costs order by all"
    ).fetchall()
    return [
        group
        for source, month in months
        if not tenant.leaves_out(source, month)
        for group in _groups(connection, tenant, source, month)
    ]


def _groups(
    connection: Connection, tenant: Tenant, source: str, month: str
) -> Iterable[MovedCharges]:
    claims = list_claims(tenant, source, month)
    descriptions = {(each.project, each.name): each.claim.in_words for each in claims}
    where = f"billing_period = {text(month)} and x_Source = {text(source)}"
    rows = charge_columns(f"(select * from costs where {where})", f"{source} {month}", claims)
    assigned = assigned_rows(connection, rows, rules_of(tenant, source, month, claims))
    query = connection.execute(
        f"select {TAKEN_BY}, project, {_project_after(tenant, claims)} as project_after,"
        " BillingCurrency, count(*), sum(BilledCost), sum(EffectiveCost)"
        f" from {assigned} group by all"
    )
    for claim, before, after, currency, charges, billed, effective in query.fetchall():
        yield MovedCharges(
            claim=claim or NO_CLAIM,
            conditions=descriptions.get((after, claim), ""),
            from_project=before,
            to_project=after,
            billing_currency=currency,
            charges=charges,
            billed_cost=billed,
            effective_cost=effective,
            first_month=month,
            last_month=month,
        )


def _project_after(tenant: Tenant, claims: list[OwnedClaim]) -> str:
    """Return SQL for the project that a charge would be in.

    What negations did not cancel goes with most of the negations (focus/negation_shares.py), which
    are no charges. So it stays in its project as long as there is one.
    """
    if not has_conditions(claims):
        return "x_Project"
    names = ", ".join(text(project.name) for project in tenant.all_projects)
    return f"case when {IS_RESIDUAL} and project in ({names}) then project else x_Project end"


def _residual_note(connection: Connection, tenant: Tenant) -> Iterable[str]:
    """Say how much the preview leaves where it is, because only the bill says where it goes."""
    if not any(project.claims for project in tenant.active_projects):
        return
    query = connection.execute(
        "select count(*), sum(BilledCost), BillingCurrency from costs"
        f" where {IS_RESIDUAL} group by 3 order by 3"
    )
    for number, billed, currency in query.fetchall():
        yield (
            f"left out: {counted(number, 'charge')} of {billed.normalize():f} {currency} that"
            " Savings Plan negations did not cancel; the project with most of the negations gets"
            " such charges, and the next run finds out which that is"
        )


def _sum_months(groups: Iterable[MovedCharges]) -> list[MovedCharges]:
    sums: dict[tuple[str, ...], MovedCharges] = {}
    for group in groups:
        place = (group.to_project, group.claim, group.conditions)
        key = (*place, group.from_project, group.billing_currency)
        before = sums.get(key)
        sums[key] = group if before is None else _add(before, group)
    return [sums[key] for key in sorted(sums)]


def _add(before: MovedCharges, group: MovedCharges) -> MovedCharges:
    return replace(
        before,
        charges=before.charges + group.charges,
        billed_cost=before.billed_cost + group.billed_cost,
        effective_cost=before.effective_cost + group.effective_cost,
        first_month=min(before.first_month, group.first_month),
        last_month=max(before.last_month, group.last_month),
    )


def _notes(connection: Connection, tenant: Tenant, groups: Iterable[MovedCharges]) -> Iterable[str]:
    """Say which claims take no charge, and which of their tags no charge has."""
    taking = {(group.to_project, group.claim) for group in groups}
    keys: set[str] | None = None
    for project in tenant.active_projects:
        for name, claim in project.own_claims:
            if (project.name, name) in taking:
                continue
            if keys is None and claim.tags:
                keys = _tag_keys(connection)
            missing = [key for key, _ in claim.tags if key not in (keys or ())]
            hint = f"; no charge has the tag {missing[0]}" if missing else ""
            close = did_you_mean(missing[0], keys or ()).strip() if missing else ""
            note = f"{name} of {tenant.name}/{project.name} ({claim.in_words}) takes no charge"
            yield f"{note}{hint}" + (f". {close}" if close else "")


def _tag_keys(connection: Connection) -> set[str]:
    """Read the keys of all tags that charges have."""
    query = connection.execute(
        "select distinct unnest(json_keys(cell)) from (select distinct"
        " unnest([Tags, x_OtherTags]) as cell from costs) where json_valid(cell)"
    )
    return {key for (key,) in query.fetchall()}
