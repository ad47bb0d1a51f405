"""`finops rules explain` for every kind of row: the claim and the rules of each charge.

Put here: explanations of the reference bill, of charges without any id, of charges that follow
others, and of Cost Explorer's days. Keep out: which project a claim gives a charge
(test_claimed_lines.py), what rules add up to (test_allocations.py).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from finops_pipeline.application.rule_use import Explanation, explain
from finops_pipeline.lake.warehouse import reading
from tests.conftest import TemporaryInstallation
from tests.support.bills import write_csv
from tests.support.globex import finops
from tests.test_reference_bill import bill_lines

TENANTS = ("acme", "globex")
SPLIT, OTHER, PAYER = "111122223333", "222233334444", "999900001111"
BY_TENANT: dict[str, dict[str, Any]] = {
    "acme": {
        "without_value": "follow",
        "projects": [
            {"name": "pay", "claims": [{"tags": {"Team": "pay"}, "priority": 1}]},
            {"name": "ec2", "claims": [
                {"services": ["AmazonEC2"], "regions": ["us-east-1"], "to": "2026-09-05"},
                {"services": ["AmazonEC2"], "regions": ["us-east-1"], "from": "2026-09-05"},
            ]},
            {"name": "base", "accounts": [OTHER, PAYER]},
        ],
    },
    "globex": {
        "projects": [
            {"name": "storage", "claims": [{"services": ["AmazonS3", "Amazon RDS"]}]},
            {"name": "east", "claims": [{"regions": ["us-east-1"], "accounts": [SPLIT],
                                         "priority": 200}]},
            {"name": "base", "accounts": [OTHER]},
        ],
    },
}  # fmt: skip
DIMENSIONS = {
    "names": ["team"],
    "rules": [
        {"name": "tax", "dimension": "team", "value": "finance",
         "when": {"charge_categories": ["Tax"]}},
        {"name": "tag", "dimension": "team", "value_from": "tag Team"},
    ],
}  # fmt: skip
FOCUS = {
    "BillingCurrency": "USD", "BillingPeriodStart": "2026-09-01T00:00:00Z", "SubAccountId": OTHER,
    "BillingAccountId": PAYER, "ChargeCategory": "Usage", "ServiceName": "S3",
    "ChargePeriodStart": "2026-09-02T00:00:00Z", "BilledCost": "1", "EffectiveCost": "1",
}  # fmt: skip
WITHOUT_ID = [FOCUS, FOCUS | {"ChargeCategory": "Tax", "SubAccountId": ""}]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> TemporaryInstallation:
    """The reference bill, charges without ids, and Cost Explorer's days, of both tenants."""
    folder = tmp_path_factory.mktemp("explanations")
    sources = [{"name": "payer", "format": "legacy-cur"}, {"name": "focus", "format": "focus"},
               {"name": "days", "format": "cost-explorer"}]  # fmt: skip
    declared = [
        {"name": tenant, "sources": sources, "dimensions": DIMENSIONS, **BY_TENANT[tenant]}
        for tenant in TENANTS
    ]
    (folder / "tenants.yaml").write_text(yaml.safe_dump({"tenants": declared}))
    write_csv(folder / "payer.csv", bill_lines())
    write_csv(folder / "focus.csv", WITHOUT_ID)
    (folder / "days.csv").write_text(
        f'"Linked account","{OTHER}($)","{SPLIT}($)","Total costs($)"\n'
        '"Linked account total","3","30","33"\n"2026-09-02","3","30","33"\n'
    )
    made = TemporaryInstallation(folder / "data")
    made.apply(folder / "tenants.yaml")
    for tenant in TENANTS:
        for source in ("payer", "focus", "days"):
            file = str(folder / f"{source}.csv")
            code, output = finops("ingest-file", f"{tenant}/{source}", file, data=made.data)
            assert code == 0, output
    return made


def rows(made: TemporaryInstallation, tenant: str, sql: str) -> list[tuple[Any, ...]]:
    with reading(made.installation.folder(tenant)) as connection:
        return connection.execute(sql).fetchall()


def explained(made: TemporaryInstallation, tenant: str, id: str) -> list[Explanation]:
    return explain(made.installation, tenant, id)


@pytest.mark.parametrize("tenant", TENANTS)
def test_every_kind_of_row_has_its_claim_and_its_rule(
    made: TemporaryInstallation, tenant: str
) -> None:
    kinds = rows(
        made,
        tenant,
        "select x_RowKind, x_LineItemType, ChargeCategory, project,"
        " min(coalesce(x_LineItemId, ResourceId, CommitmentDiscountId, SubAccountId,"
        " BillingAccountId)) as id, json_extract_string(x_AllocationRule, '$.team')"
        " from allocated_costs group by all order by all",
    )
    seen = {(kind, line_type or category) for kind, line_type, category, *_ in kinds}
    assert {"line", "unused", "residual"} == {kind for kind, _ in seen}
    assert {line_type for _, line_type in seen} >= {
        "Usage", "DiscountedUsage", "SavingsPlanCoveredUsage", "SavingsPlanNegation", "RIFee",
        "SavingsPlanRecurringFee", "SavingsPlanUpfrontFee", "Fee", "Tax", "Credit", "Refund",
    }  # fmt: skip
    declared = made.installation.registry.tenant(tenant).dimensions.rules[0].declared_on
    for kind, line_type, category, project, id, rule in kinds:
        alike = [
            each
            for each in explained(made, tenant, id)
            if (each.charges.row_kind, each.charges.line_item_type, each.charges.charge_category)
            == (kind, line_type, category)
            and (each.charges.project, each.charges.rule) == (project, rule)
        ]
        assert alike, (kind, line_type, category, project, id)
        for each in alike:
            since = f"rule {rule} (version 1, declared on {declared}): "
            assert each.reason.startswith(since if rule else "no rule matched")
            is_named = re.match(r"(claim \d|account \d+) \(priority \d+\): ", each.claim)
            assert is_named or each.claim.startswith("no claim"), each.claim
            assert "no longer" not in each.claim
            if project == "unassigned":
                assert not is_named, each.claim


@pytest.mark.parametrize("tenant", TENANTS)
def test_every_charge_can_be_asked_about(made: TemporaryInstallation, tenant: str) -> None:
    """Its own ids, or the account of charges that have none: together, that is all of them."""
    ids = "coalesce(x_LineItemId, ResourceId, CommitmentDiscountId, SubAccountId, BillingAccountId)"
    ((without,),) = rows(made, tenant, f"select count(*) from costs where {ids} is null")
    assert without == 0
    has_none = "coalesce(x_LineItemId, ResourceId, CommitmentDiscountId) is null"
    ((charges,),) = rows(made, tenant, f"select count(*) from costs where {has_none}")
    accounts = rows(
        made,
        tenant,
        f"select distinct coalesce(SubAccountId, BillingAccountId) from costs where {has_none}",
    )
    of_accounts = [
        each.charges
        for (account,) in accounts
        for each in explained(made, tenant, account)
        if each.charges.row_kind != "cost explorer day"
    ]
    assert sum(each.charges for each in of_accounts) == charges >= 3


def test_charges_of_an_account_that_have_no_id(made: TemporaryInstallation) -> None:
    words = {
        (each.charges.row_kind, each.charges.source): (each.charges.project, each.claim)
        for each in explained(made, "acme", OTHER)
    }
    assert words == {
        ("line", "focus"): (
            "base", f"account {OTHER} (priority 1000): account {OTHER}",
        ),
        ("residual", "payer"): (
            "base",
            "no claim: what negations did not cancel is in the project with most of the negations"
            " of its Savings Plan",
        ),
        ("cost explorer day", "days"): (
            "unassigned",
            "no claim: claim 1 of project pay (tag Team=pay) is tried first, and Cost Explorer's"
            " days do not have what it asks for",
        ),
    }  # fmt: skip
    code, output = finops("rules", "explain", "acme", SPLIT, data=made.data)
    assert code == 0 and "(cost explorer day), 2026-09-02 to 2026-09-02: 1 row, USD" in output
    assert "no dimension" not in output


def test_an_explanation_names_the_claim_of_the_day(made: TemporaryInstallation) -> None:
    """Two claims of one project, one after the other, and one that is tried before both."""
    claims = {
        (each.charges.first_day.day, each.charges.project): each.claim
        for each in explained(made, "acme", "usage-agreed-price")
    }
    assert claims == {(5, "pay"): "claim 1 (priority 1): tag Team=pay"}
    of_days = rows(
        made,
        "acme",
        "select distinct ChargePeriodStart < '2026-09-05', x_LineItemId from costs"
        " where project = 'ec2' and x_LineItemType = 'Usage'",
    )
    assert of_days
    for is_earlier, id in of_days:
        for each in explained(made, "acme", id):
            number, days = ("1", "until") if is_earlier else ("2", "from")
            assert each.claim == (
                f"claim {number} (priority 100): region us-east-1, service AmazonEC2,"
                f" {days} 2026-09-05"
            )


def test_an_explanation_names_what_a_charge_follows(made: TemporaryInstallation) -> None:
    lack = "no claim: they lack a value that claims ask for, and"
    in_many = "the other charges of their {} are not in one project (without_value: follow)"
    followed = {
        id: {each.claim for each in explained(made, "acme", id)}
        for id in ("tax-on-the-bill", "plan-fee-not-used")
    }
    assert followed["tax-on-the-bill"] == {f"{lack} {in_many.format('account')}"}
    fixed = [e.claim for e in explained(made, "globex", "plan-fee-not-used")]
    assert set(fixed) == {
        "no claim: they lack a value that claims ask for (without_value: unassigned)"
    }


def test_an_explanation_says_what_the_next_run_moves(
    made: TemporaryInstallation, tmp_path: Path
) -> None:
    """Claims may have changed since charges were built; the old claim is not made up."""
    from_registry = TemporaryInstallation(tmp_path / "data")
    code, _ = finops("backup", "--all", str(tmp_path / "backup"), data=made.data)
    assert code == 0
    assert finops("restore", str(tmp_path / "backup"), data=from_registry.data)[0] == 0
    project = {"name": "pay", "claims": [{"tags": {"Team": "other"}, "priority": 1}]}
    (tmp_path / "new.yaml").write_text(
        yaml.safe_dump({"tenants": [{"name": "acme", "projects": [project]}]})
    )
    from_registry.apply(tmp_path / "new.yaml")
    code, output = finops(
        "rules", "explain", "acme", "usage-agreed-price", "--format", "json",
        data=from_registry.data,
    )  # fmt: skip
    assert code == 0, output
    (row,) = json.loads(output)
    assert row["project"] == "pay" and row["claim"] == (
        "a claim that is no longer declared; the next run moves them to project ec2, by"
        " claim 2 (priority 100): region us-east-1, service AmazonEC2, from 2026-09-05"
    )
