"""Whatever a bill contains, its charges add up to it: Hypothesis over random small bills.

Each example has two tenants: acme's bill is random, globex's bill is fixed and must not change.
The expected sums are computed line by line in random_bills.py.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from finops_pipeline.lake.warehouse import reading
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.random_bills import MONTH, MOVES, UNKNOWN, Bill, bills, by, kinds, unblended

Census = Callable[[Path], dict[str, tuple[int, int]]]
BASES = ("Billed", "Effective", "List", "Contracted")
SUMS = ", ".join(f"sum({basis}Cost)" for basis in BASES)
MART_SUMS = ", ".join(f"sum({basis.lower()}_cost)" for basis in BASES)
RULES = settings(
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two declared tenants that claim the same accounts; globex is ingested."""
    folder = tmp_path_factory.mktemp("prepared")
    text = "tenants:\n"
    for tenant in ("acme", "globex"):
        text += (
            f"- name: {tenant}\n"
            f"  sources: [{{name: payer, format: legacy-cur, location: {tenant}/cur}}]\n"
            "  projects:\n"
            f"  - {{name: prod, accounts: ['111122223333', {{id: '{MOVES}', to: {MONTH}-16}}]}}\n"
            f"  - {{name: dev, accounts: [{{id: '{MOVES}', from: {MONTH}-16}}]}}\n"
        )
    (folder / "tenants.yaml").write_text(text)
    made = TemporaryInstallation(folder / "data")
    deliver(folder / "globex/cur", [row("3"), row("4.5", MOVES)])
    made.apply(folder / "tenants.yaml")
    assert not made.ingest("globex").failed
    return folder


def grouped(connection: Any, sql: str) -> dict[tuple[str, str], tuple[Decimal, ...]]:
    return {(row[0], row[1]): row[2:] for row in connection.execute(sql).fetchall()}


def check_bill(prepared: Path, census: Census, bill: Bill) -> None:
    """Ingest a bill and check charges, marts and status against it."""
    with tempfile.TemporaryDirectory() as scratch, localcontext() as exact:
        exact.prec = 60
        folder = Path(scratch) / "here"
        shutil.copytree(prepared, folder)
        made = TemporaryInstallation(folder / "data")
        made.apply(folder / "tenants.yaml")
        deliver(folder / "acme/cur", bill.lines)
        before = census(made.folder("globex"))
        report = made.ingest("acme")
        assert not report.failed
        reasons = " ".join(step.reason for step in report.steps)
        assert "commitments_amortize" not in reasons
        assert "charges_equal_bill" not in reasons
        with reading(made.installation.folder("acme")) as connection:
            check_charges(connection, bill)
            check_status(connection, bill)
        assert census(made.folder("globex")) == before


def check_charges(connection: Any, bill: Bill) -> None:
    """Check that charges and marts equal the bill by account, project, commitment and count."""
    of_account = f"select SubAccountId, BillingCurrency, {SUMS} from costs group by all"
    assert grouped(connection, of_account) == by("account", bill.lines)
    of_project = f"select project, BillingCurrency, {SUMS} from costs group by all"
    expected = by("project", bill.lines)
    assert grouped(connection, of_project) == expected
    for mart in ("monthly_costs", "daily_costs"):
        mart_sql = f"select project, billing_currency, {MART_SUMS} from {mart} group by all"
        assert grouped(connection, mart_sql) == expected, mart
    billed = grouped(
        connection,
        "select sub_account_id, billing_currency, sum(billed_cost) from monthly_bill group by all",
    )
    assert billed == {key: costs[:1] for key, costs in by("account", bill.lines).items()}

    count = "select x_RowKind, count(*) from costs group by all"
    row_kinds = {"line": 0, "unused": 0, "residual": 0} | dict(connection.execute(count).fetchall())
    assert row_kinds == kinds(bill.lines)

    spread = grouped(
        connection,
        "select CommitmentDiscountId, BillingCurrency, sum(EffectiveCost) from costs"
        " where ChargeCategory = 'Usage' and CommitmentDiscountStatus is not null group by all",
    )
    owed = {key: (cost,) for key, cost in bill.commitments.items() if cost}
    assert {key: cost for key, cost in spread.items() if cost[0]} == owed


def check_status(connection: Any, bill: Bill) -> None:
    """Check that every currency is reconciled, with every line accounted for."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in bill.lines:
        sums[line["lineItem/CurrencyCode"]] += unblended(line)
    unknown = dict.fromkeys(sums, 0)
    for line in bill.lines:
        unknown[line["lineItem/CurrencyCode"]] += line["lineItem/LineItemType"] == UNKNOWN
    rows = len(bill.lines)
    statuses = connection.execute(
        "select billing_currency, state, source_cost, billed_cost, rows_read, rows_kept,"
        " rows_quarantined, unknown_line_items from data_status"
    ).fetchall()
    assert {line[0]: line[1:] for line in statuses} == {
        currency: ("reconciled", cost, cost, rows, rows, 0, unknown[currency])
        for currency, cost in sums.items()
    }


def test_a_random_bill_is_its_charges(prepared: Path, census: Census) -> None:
    @settings(RULES, max_examples=3)
    @given(bill=bills())
    def check(bill: Bill) -> None:
        check_bill(prepared, census, bill)

    check()


@pytest.mark.torture
def test_many_random_bills_are_their_charges(prepared: Path, census: Census) -> None:
    @settings(RULES, max_examples=400, derandomize=False)
    @given(bill=bills())
    def check(bill: Bill) -> None:
        check_bill(prepared, census, bill)

    check()
