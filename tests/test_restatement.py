"""What a run changes and what it does not: same bytes, restated months, projects that move.

The same delivery twice changes no file; a restated delivery replaces its month and nothing else; a
new claim, or a claim that ends on a day, moves exactly its charges at the next ingest, while all
projects together always add up to the bill. Also the choice of a project or of months, and the
errors for names that do not exist. Both tenants are always present.
"""

from __future__ import annotations

import os
import random
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline.synthetic.estate import DeliveryRequest, write_delivery
from tests.conftest import LAST_MONTH, SEED, TemporaryInstallation
from tests.support.beside_globex import declare
from tests.support.bills import deliver, row
from tests.support.globex import ask, finops
from tests.support.published_files import copy_installation, partition_folder, shown_partitions

OLDEST, MIDDLE, OPEN = "2026-08", "2026-09", LAST_MONTH
MARTS = ("daily_costs", "monthly_costs", "monthly_bill")
Truth = dict[str, Any]
Census = Callable[[Path], dict[str, tuple[int, int]]]


@pytest.fixture(scope="module")
def read_only(
    built: TemporaryInstallation, tmp_path_factory: pytest.TempPathFactory
) -> TemporaryInstallation:
    """A copy of `built` for commands that change nothing."""
    data = copy_installation(built.data, tmp_path_factory.mktemp("read-only") / "data")
    return TemporaryInstallation(data)


def by_project(made: TemporaryInstallation, tenant: str, month: str) -> dict[str, Decimal]:
    where = f"where billing_period = '{month}'"
    rows = ask(
        f"select project p, sum(BilledCost) b from costs {where} group by 1", tenant, made.data
    )
    return {row["p"]: Decimal(row["b"]) for row in rows}


def expected(*truths: Truth, basis: str = "billed_cost") -> dict[str, Decimal]:
    """Cost per project, from the truths of a month's sources; projects without cost are absent."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for truth in truths:
        for project, costs in truth["by_project"].items():
            sums[project] += Decimal(costs[basis])
    return {project: cost for project, cost in sums.items() if cost}


def states(made: TemporaryInstallation, tenant: str) -> set[str]:
    return {status.state for status in made.installation.status(tenant)}


# --- the same bytes


def test_the_same_delivery_twice_changes_no_file(
    up_to_date: TemporaryInstallation, census: Census
) -> None:
    made = up_to_date
    for tenant in ("acme", "globex"):
        made.ingest(tenant)  # the copied exports are looked at once
    before = census(made.data)
    for tenant in ("acme", "globex"):
        steps = made.ingest(tenant).steps
        assert {step.outcome for step in steps} == {"unchanged"}
    assert census(made.data) == before
    result = made.finops("ingest")
    assert (result.stdout, result.stderr) == ("44 unchanged\n", "")
    assert census(made.data) == before


def test_touched_files_with_the_same_bytes_rewrite_nothing(
    up_to_date: TemporaryInstallation, census: Census
) -> None:
    made, exports = up_to_date, up_to_date.data.parent / "exports"
    before = census(made.folder("acme"))
    for path in exports.rglob("*"):
        os.utime(path)
    for _ in range(2):
        assert {step.outcome for step in made.ingest("acme").steps} == {"unchanged"}
        after = census(made.folder("acme"))
        assert {name for name in after if after[name] != before.get(name)} <= {"ledger.sqlite"}
        assert after.keys() == before.keys()


# --- restated months


@pytest.mark.parametrize(
    ("tenant", "source"),
    [
        ("globex", "payer"),
        *(pytest.param("acme", s, marks=pytest.mark.torture) for s in ("payer", "labs")),
    ],
)
def test_a_restated_delivery_replaces_exactly_its_month(
    up_to_date: TemporaryInstallation,
    truth: Truth,
    census: Census,
    tenant: str,
    source: str,
) -> None:
    made, exports = up_to_date, up_to_date.data.parent / "exports"
    other = "globex" if tenant == "acme" else "acme"
    before, other_before = shown_partitions(made.folder(tenant)), census(made.folder(other))
    other_months = {m: ask(select_other_months(m), tenant) for m in MARTS}
    sources = truth["tenants"][tenant]["sources"]
    rest = [months[MIDDLE] for name, months in sources.items() if name != source]
    old = sources[source][MIDDLE]

    def deliver(restatement: int) -> Truth:
        return write_delivery(
            exports,
            DeliveryRequest(
                seed=SEED,
                last_month=LAST_MONTH,
                tenant=tenant,
                source=source,
                month=MIDDLE,
                restatement=restatement,
            ),
        ).truth

    new = deliver(1)
    assert new["billed_cost"] != old["billed_cost"]
    steps = made.ingest(tenant).steps
    assert [s.month for s in steps if s.outcome == "landed"] == [MIDDLE]
    assert {s.month for s in steps if s.outcome == "built"} == {MIDDLE, ""}

    assert by_project(made, tenant, MIDDLE) == expected(*rest, new)
    assert states(made, tenant) == {"reconciled"}
    after = shown_partitions(made.folder(tenant))
    changed = {n for n, shown in after.items() if shown != before.get(n)}
    assert partition_folder("landing", source, MIDDLE) in changed
    assert all(name.endswith(f"/billing_period={MIDDLE}") for name in changed)
    assert before.keys() == after.keys()
    assert {m: ask(select_other_months(m), tenant) for m in MARTS} == other_months
    assert census(made.folder(other)) == other_before

    with sqlite3.connect(made.folder(tenant) / "ledger.sqlite") as ledger:
        deliveries = ledger.execute(
            "select current, rows_read from deliveries where source = ? and billing_period = ?"
            " order by landed_at, current", (source, MIDDLE),
        ).fetchall()  # fmt: skip
    ledger.close()
    assert deliveries == [(0, old["rows"]), (1, new["rows"])]

    assert (
        deliver(0) == old
    )  # the superseded delivery again: an older one never overwrites a newer one
    outcomes = {s.outcome for s in made.ingest(tenant).steps if s.month == MIDDLE}
    assert outcomes == {"older", "unchanged"}
    assert by_project(made, tenant, MIDDLE) == expected(*rest, new)
    newest = deliver(2)
    made.ingest(tenant)
    assert by_project(made, tenant, MIDDLE) == expected(*rest, newest)


def select_other_months(mart: str) -> str:
    return f"from {mart} where billing_period <> '{MIDDLE}' order by all"


# --- projects and claims


@pytest.mark.parametrize("tenant", ["acme", "globex"])
def test_every_project_and_month_bills_the_truth(
    built: TemporaryInstallation, truth: Truth, tenant: str
) -> None:
    for month in (OLDEST, MIDDLE, OPEN):
        truths = [months[month] for months in truth["tenants"][tenant]["sources"].values()]
        assert by_project(built, tenant, month) == expected(*truths)
        sql = f"from monthly_costs where billing_period = '{month}'"
        effective: dict[str, Decimal] = defaultdict(Decimal)
        for line in ask(sql, tenant, built.data):
            effective[line["project"]] += Decimal(line["effective_cost"])
        assert effective == expected(*truths, basis="effective_cost")


def test_an_account_that_moves_mid_month_is_split_by_day(built: TemporaryInstallation) -> None:
    for tenant in ("acme", "globex"):
        sql = (
            "select project, min(ChargePeriodStart)::date as first, max(ChargePeriodStart)::date as"
            f" last from costs where SubAccountId = '444455556666' and billing_period = '{OLDEST}'"
            " group by 1 order by 1"
        )
        dev, staging = ask(sql, tenant, built.data)
        assert (dev["project"], dev["first"], dev["last"]) == ("dev", "2026-08-16", "2026-08-31")
        assert (staging["project"], staging["last"]) == ("staging", "2026-08-15")


def test_a_new_project_takes_its_account_out_of_unassigned(
    ingested: TemporaryInstallation, census: Census
) -> None:
    made = ingested
    before = {m: by_project(made, "acme", m) for m in (OLDEST, MIDDLE, OPEN)}
    files, globex = shown_partitions(made.folder("acme")), census(made.folder("globex"))
    assert all(costs["unassigned"] for costs in before.values())
    arguments = ["project", "add", "acme/sandbox", "--account", "777788889999", "--source", "payer"]
    assert finops(*arguments) == (0, "+ project acme/sandbox\n")
    made.ingest("acme")
    for month, costs in before.items():
        taken = {**costs, "sandbox": costs["unassigned"]}
        del taken["unassigned"]
        assert by_project(made, "acme", month) == taken
    after = shown_partitions(made.folder("acme"))
    unchanged = {n for n, shown in after.items() if shown == files.get(n)}
    assert {n.split("/")[1] for n in after.keys() - unchanged} == {"project=sandbox"}
    assert not [n for n in after if "project=unassigned" in n]
    assert states(made, "acme") == {"reconciled"}

    assert finops("project", "release", "acme/sandbox", "777788889999")[0] == 0
    made.ingest("acme")
    assert {m: by_project(made, "acme", m) for m in before} == before
    assert census(made.folder("globex")) == globex


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.torture) for seed in range(2, 12))]
)
def test_all_projects_together_equal_the_bill_whatever_they_claim(
    ingested: TemporaryInstallation, tmp_path: Path, seed: int
) -> None:
    """Random claims with random days, classified again by the test, charge by charge."""
    made = ingested
    rng = random.Random(seed)
    first = date(2026, 9, 1)
    lines = ask(
        "select SubAccountId as a, ChargePeriodStart::date as d, BilledCost as b from costs"
        f" where billing_period = '{MIDDLE}'"
    )
    accounts = sorted({row["a"] for row in lines})
    claims: dict[str, list[tuple[str, date | None, date | None]]] = defaultdict(list)
    for account in accounts:
        day = first + timedelta(days=rng.randrange(1, 29))
        first_owner, second_owner = rng.sample(["one", "two", "three", "nobody"], 2)
        claims[first_owner].append((account, None, day))
        claims[second_owner].append((account, day, None))
    expected_costs: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        day = date.fromisoformat(line["d"])
        project = next(
            name for name, held in claims.items() for account, since, until in held
            if account == line["a"] and (since or day) <= day and (until is None or day < until)
        )  # fmt: skip
        expected_costs["unassigned" if project == "nobody" else project] += Decimal(line["b"])

    for name in ("prod", "staging", "dev", "shared"):
        project = made.installation.registry.tenant("globex").project(name)
        for account in {claim.id for claim in project.accounts}:
            assert finops("project", "release", f"globex/{name}", account)[0] == 0
    text = "tenants:\n- name: globex\n  projects:\n"
    for name, held in claims.items():
        if name != "nobody":
            text += f"  - name: {name}\n    accounts:\n"
            for account, since, until in held:
                days = f", from: {since}" if since else f", to: {until}"
                text += f'    - {{id: "{account}"{days}}}\n'
    declared = tmp_path / "claims.yaml"
    declared.write_text(text)
    exit_code, output = finops("apply", str(declared))
    assert exit_code == 0, output
    assert finops("ingest", "globex", "--month", MIDDLE)[0] == 0

    assert by_project(made, "globex", MIDDLE) == {
        n: cost for n, cost in expected_costs.items() if cost
    }
    of_month = [s for s in made.installation.status("globex") if s.billing_period == MIDDLE]
    assert {s.state for s in of_month} == {"reconciled"}


# --- choosing a project or months


def test_a_single_project_is_built_from_its_own_sources_only(fresh: TemporaryInstallation) -> None:
    exit_code, output = finops("ingest", "acme/prod", "--month", OPEN)
    assert exit_code == 0, output
    assert set(shown_partitions(fresh.folder("acme"))) == {
        partition_folder("landing", "payer", OPEN),
        partition_folder("costs", "prod", OPEN),
    }
    (status,) = fresh.installation.status("acme")
    assert status.state == "incomplete"
    assert (
        status.reason
        and "data-platform, dev, staging, unassigned have not been built" in status.reason
    )
    assert finops("ingest", "acme", "--month", OPEN)[0] == 0
    assert states(fresh, "acme") == {"reconciled"}
    assert not fresh.folder("globex").exists()


def test_only_the_chosen_months_are_ingested(empty: TemporaryInstallation) -> None:
    for tenant in ("acme", "globex"):
        declare(empty, empty.data.parent, tenant)
        for month in (OLDEST, MIDDLE, OPEN):
            deliver(empty.data.parent / tenant / "cur", [row("1", day=f"{month}-05")], month)

    def months(tenant: str) -> set[str]:
        return {status.billing_period for status in empty.installation.status(tenant)}

    assert finops("ingest", "globex", "--to", OLDEST)[0] == 0
    assert months("globex") == {OLDEST}
    assert finops("ingest", "globex", "--from", OPEN)[0] == 0
    assert months("globex") == {OLDEST, OPEN}
    assert finops("ingest", "acme", "--from", MIDDLE, "--to", MIDDLE)[0] == 0
    assert months("acme") == {MIDDLE}
    assert finops("ingest", "globex")[0] == 0
    assert months("globex") == {OLDEST, MIDDLE, OPEN}


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        ("initech", 1, "tenant initech is not known"),
        ("acme/shared", 1, "project acme/shared is not known"),
        (
            "acme --month 2020-01",
            1,
            "no source of tenant acme has a delivery for the requested months",
        ),
        ("acme --month 2026-13", 1, "'2026-13' is not a billing period"),
        ("acme --from 202609", 1, "'202609' is not a billing period"),
        ("acme --from 2026-10 --to 2026-09", 2, "2026-10 is after --to 2026-09"),
        ("acme --month 2026-10 --to 2026-10", 2, "give --month, or --from and --to"),
    ],
)
def test_an_unknown_tenant_project_or_month_is_an_error_and_changes_nothing(
    read_only: TemporaryInstallation, census: Census, arguments: str, exit_code: int, message: str
) -> None:
    before = census(read_only.data)
    result = finops("ingest", *arguments.split(), data=read_only.data)
    assert result[0] == exit_code
    assert message in " ".join(result[1].replace("│", " ").split())
    assert census(read_only.data) == before
