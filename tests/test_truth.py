"""Every number against the estate's truth, known from making the bills, not from reading them.

Put here: rows, billed and effective cost per source and month, per project, per line item type and
per commitment; marts; columns that FOCUS requires. Keep out: other estates (test_seeds.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import TemporaryInstallation

TENANTS = ("acme", "globex")


def months_of(truth: dict[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """(tenant, source, month, true figures of the month) of every month of the estate."""
    for tenant in TENANTS:
        for source, months in truth["tenants"][tenant]["sources"].items():
            for month, true in months.items():
                yield tenant, source, month, true


def number(text: str | None) -> Decimal:
    return Decimal(text or "0")


@pytest.fixture(scope="module")
def charges(built: TemporaryInstallation) -> dict[str, list[dict[str, Any]]]:
    """Per tenant: totals of `costs` by every dimension of the truth."""
    sql = """
        select x_Source as source, billing_period, project, SubAccountId as account,
            coalesce(x_LineItemType, ChargeCategory) as line_type, x_RowKind as row_kind,
            CommitmentDiscountId as commitment, CommitmentDiscountStatus as status,
            ChargeCategory as category, ChargeFrequency as frequency,
            count(*) as rows, sum(BilledCost) as billed, sum(EffectiveCost) as effective
        from costs group by all
    """
    return {tenant: built.rows(tenant, sql) for tenant in TENANTS}


def total(rows: list[dict[str, Any]], key: str, **where: str) -> Decimal:
    chosen = (row for row in rows if all(row[name] == value for name, value in where.items()))
    return sum((number(row[key]) for row in chosen), Decimal(0))


def test_rows_and_totals_of_every_source_and_month(
    built: TemporaryInstallation, truth: dict[str, Any]
) -> None:
    for tenant, source, month, true in months_of(truth):
        statuses = {(s.source, s.billing_period): s for s in built.installation.status(tenant)}
        status = statuses[source, month]
        assert status.state == "reconciled", (tenant, source, month, status.reason)
        assert status.rows_read == true["rows"]
        assert status.rows_kept == true["rows"] and status.rows_quarantined == 0
        assert status.source_cost == Decimal(true["billed_cost"])
        assert status.billed_cost == Decimal(true["billed_cost"])
        assert status.effective_cost == Decimal(true["effective_cost"])


def test_every_project_and_the_unassigned_rest(
    charges: dict[str, list[dict[str, Any]]], truth: dict[str, Any]
) -> None:
    for tenant, source, month, true in months_of(truth):
        for project, costs in true["by_project"].items():
            at = {"source": source, "billing_period": month, "project": project}
            where = (tenant, at)
            assert total(charges[tenant], "billed", **at) == Decimal(costs["billed_cost"]), where
            assert total(charges[tenant], "effective", **at) == Decimal(costs["effective_cost"])
    unassigned = [row for row in charges["acme"] if row["project"] == "unassigned"]
    assert total(unassigned, "billed") != 0


def test_every_account(charges: dict[str, list[dict[str, Any]]], truth: dict[str, Any]) -> None:
    for tenant, source, month, true in months_of(truth):
        for account, billed in true["by_account"].items():
            at = {"source": source, "billing_period": month, "account": account}
            assert total(charges[tenant], "billed", **at) == Decimal(billed), (tenant, at)


def test_line_item_types_keep_their_rows_and_amounts(
    charges: dict[str, list[dict[str, Any]]], truth: dict[str, Any]
) -> None:
    for tenant, source, month, true in months_of(truth):
        for line_type, (rows, billed) in true["by_line_item_type"].items():
            at = {"source": source, "billing_period": month, "line_type": line_type}
            if line_type == "SavingsPlanNegation":
                assert total(charges[tenant], "rows", **at) == 0
                continue
            lines = total(charges[tenant], "rows", **at, row_kind="line")
            assert lines == rows, (tenant, at)
            expected = Decimal(0) if line_type == "SavingsPlanCoveredUsage" else Decimal(billed)
            assert total(charges[tenant], "billed", **at) == expected, (tenant, at)


def test_commitments_amortize_exactly(
    charges: dict[str, list[dict[str, Any]]], truth: dict[str, Any]
) -> None:
    """Without an upfront fee, used plus unused effective cost equals the fees to the last digit."""
    seen = 0
    for tenant, source, month, true in months_of(truth):
        for arn, commitment in true["by_commitment"].items():
            at = {"source": source, "billing_period": month, "commitment": arn}
            used = total(charges[tenant], "effective", **at, status="Used")
            unused = total(charges[tenant], "effective", **at, status="Unused")
            fees = total(charges[tenant], "billed", **at, category="Purchase")
            assert used == Decimal(commitment["used"]), (tenant, at)
            assert unused == Decimal(commitment["unused"]), (tenant, at)
            if not commitment["upfront"]:
                assert fees == Decimal(commitment["fees"]), (tenant, at)
                assert used + unused == fees, (tenant, at)
                seen += 1
    assert seen >= 12


@pytest.mark.parametrize("tenant", TENANTS)
@pytest.mark.parametrize("mart", ["daily_costs", "monthly_costs"])
def test_marts_are_the_sum_of_charges(built: TemporaryInstallation, tenant: str, mart: str) -> None:
    mart_sums = built.rows(
        tenant,
        f"""
        select project, billing_period, sum(charges)::bigint as n, sum(billed_cost) as billed,
            sum(effective_cost) as effective, sum(list_cost) as list,
            sum(contracted_cost) as contracted
        from {mart} group by all order by all
        """,
    )
    charge_sums = built.rows(
        tenant,
        """
        select project, billing_period, count(*) as n, sum(BilledCost) as billed,
            sum(EffectiveCost) as effective, sum(ListCost) as list,
            sum(ContractedCost) as contracted
        from costs group by all order by all
        """,
    )
    assert mart_sums == charge_sums and len(mart_sums) >= 3


def test_monthly_bill_is_the_bill(built: TemporaryInstallation, truth: dict[str, Any]) -> None:
    sql = "select source, billing_period, sum(billed_cost) as billed from monthly_bill group by all"
    for tenant in TENANTS:
        billed = {(r["source"], r["billing_period"]): number(r["billed"]) for r in
                built.rows(tenant, sql)}  # fmt: skip
        for name, source, month, true in months_of(truth):
            if name == tenant:
                assert billed[source, month] == Decimal(true["billed_cost"])


def test_prices_times_quantities_and_mandatory_columns(built: TemporaryInstallation) -> None:
    """FOCUS 1.2: the columns that may not be null are not, and statuses follow commitments."""
    sql = """
        select count(*) as rows,
            count(*) filter (ServiceName is null or ServiceCategory is null
                or InvoiceIssuerName is null or PublisherName is null or ListCost is null
                or ContractedCost is null or EffectiveCost is null
                or ServiceProviderName is null) as nulls,
            count(*) filter (ChargePeriodEnd <= ChargePeriodStart) as backwards,
            count(*) filter (ChargeCategory = 'Tax' and (PricingQuantity is not null
                or SkuId is not null or PricingCategory is not null)) as priced_tax,
            count(*) filter (ChargeCategory in ('Usage', 'Purchase') and ChargeClass is null
                and (PricingQuantity is null or PricingUnit is null or SkuPriceId is null
                or ListUnitPrice is null or ContractedUnitPrice is null)) as unpriced,
            count(*) filter (CommitmentDiscountId is null
                and (CommitmentDiscountStatus is not null or CommitmentDiscountType is not null
                or CommitmentDiscountCategory is not null)) as loose,
            count(*) filter (CommitmentDiscountId is not null and ChargeCategory = 'Usage'
                and CommitmentDiscountStatus is null) as without_status,
            count(*) filter (CommitmentDiscountStatus = 'Unused' and (BilledCost <> 0
                or ConsumedQuantity is not null or ResourceId <> CommitmentDiscountId)) as unused,
            count(*) filter (PricingCategory = 'Dynamic') as spot,
            count(*) filter (ChargeClass = 'Correction') as corrections
        from costs
    """
    for tenant in TENANTS:
        row = built.rows(tenant, sql)[0]
        faults = ("nulls", "backwards", "priced_tax", "unpriced", "loose", "without_status",
                  "unused")  # fmt: skip
        assert {name: row[name] for name in faults} == dict.fromkeys(faults, "0"), tenant
        assert int(row["spot"]) > 0 and int(row["corrections"]) > 0


def test_a_service_of_a_source_has_a_single_category(built: TemporaryInstallation) -> None:
    sql = """
        select x_Source, ServiceName from costs group by all
        having count(distinct ServiceCategory) > 1 or count(distinct ServiceSubcategory) > 1
    """
    assert [built.rows(tenant, sql) for tenant in TENANTS] == [[], []]


def test_tags_are_json_objects_with_the_owners_keys(built: TemporaryInstallation) -> None:
    sql = """
        select count(*) filter (json_type(Tags) <> 'OBJECT') as odd,
            count(*) filter (Tags->>'Team' is not null or Tags->>'team' is not null) as tagged,
            count(*) filter (Tags like '%user:%' or Tags like '%"user_%') as prefixed
        from costs
    """
    for tenant in TENANTS:
        row = built.rows(tenant, sql)[0]
        assert row["odd"] == "0" and row["prefixed"] == "0" and int(row["tagged"]) > 100
