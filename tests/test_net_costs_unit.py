"""Net billed cost of days and months where some charges state none.

Put here: the two marts over a few charges. Keep out: how a charge gets its net cost
(test_line_items_net.py), sums of whole bills (test_truth.py).
"""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pytest

from finops_pipeline.contracts.tables import TABLES
from finops_pipeline.marts.library import marts

USAGE, UNUSED = "line", "unused"


def net_billed_cost(*charges: tuple[int, str, str | None]) -> Decimal | None:
    """Sum charges (day, row kind, net cost) of one group to its month, by the SQL of the marts."""
    sql = {mart.name: mart.sql for mart in marts()}
    with duckdb.connect(":memory:") as connection:
        for table in TABLES:
            if table.name in ("costs", "projects"):
                columns = ", ".join(f'"{c.name}" {c.type}' for c in table.columns)
                connection.execute(f"create table {table.name} ({columns})")
        for day, kind, net in charges:
            connection.execute(
                "insert into costs by name select '2026-09' as billing_period,"
                " make_timestamp(2026, 9, ?, 0, 0, 0) as ChargePeriodStart, 'prod' as project,"
                " 'Usage' as ChargeCategory, 'Amazon EC2' as ServiceName, 'USD' as BillingCurrency,"
                " 0 as BilledCost, 0 as EffectiveCost, 0 as ListCost, 0 as ContractedCost,"
                " make_timestamp(2026, 9, ? + 1, 0, 0, 0) as ChargePeriodEnd,"
                " ? as x_RowKind, 'Usage' as x_LineItemType,"
                " ?::decimal(38,18) as x_NetUnblendedCost",
                [day, day, kind, net],
            )
        for mart in ("unused_commitment_days", "resource_daily_costs", "daily_costs"):
            connection.execute(f"create table {mart} as {sql[mart]}")
        rows = connection.execute(
            f"select net_billed_cost from ({sql['monthly_costs']})"
        ).fetchall()
    ((cost,),) = rows
    return cost


@pytest.mark.parametrize(
    ("charges", "expected"),
    [
        (((1, USAGE, "5"), (2, USAGE, "2.5")), Decimal("7.5")),
        (((1, USAGE, "5"), (2, UNUSED, None)), Decimal(5)),
        (((1, USAGE, "5"), (1, UNUSED, None), (2, UNUSED, None)), Decimal(5)),
        (((1, USAGE, "5"), (2, USAGE, None)), None),
        (((1, USAGE, "5"), (1, USAGE, None)), None),
        (((1, UNUSED, None), (2, UNUSED, None)), None),
    ],
)
def test_a_month_has_a_net_cost_if_every_billing_charge_states_one(
    charges: tuple[tuple[int, str, str | None], ...], expected: Decimal | None
) -> None:
    assert net_billed_cost(*charges) == expected
