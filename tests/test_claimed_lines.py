"""Claims on small bills, line by line: what follows what, and what changes nothing.

Put here: charges that lack a claimed value, negations, contradictions that only a bill shows, tags
in JSON cells, Cost Explorer's days. Keep out: totals of an estate (test_claims.py), declarations
(test_claim_declarations.py).
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finops_pipeline.contracts.cur import canonical
from finops_pipeline.lake.warehouse import reading
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row, write_csv
from tests.support.declarations import acme
from tests.support.globex import finops

SOURCE = "[{name: payer, format: legacy-cur}]"
ACCOUNT = "111122223333"
PLAN = "arn:aws:savingsplans::111122223333:savingsplan/one"


def tagged(cost: str, env: str = "", day: str = "2026-09-05", **more: str) -> dict[str, str]:
    columns = {"resourceTags/user:Env": env, "lineItem/ResourceId": "", **more}
    return row(cost, day=day, **{k.replace("__", "/"): v for k, v in columns.items()})


@pytest.fixture
def two(empty: TemporaryInstallation, tmp_path: Path) -> TemporaryInstallation:
    """acme and globex with the same account, tags and claims; acme's rows follow."""
    claims = (
        "[{name: prod, claims: [{tags: {Env: prod}}]}, {name: dev, claims: [{tags: {Env: dev}}]}]"
    )
    text = "tenants:\n"
    for name, rule in (("acme", "follow"), ("globex", "unassigned")):
        text += (
            f"- name: {name}\n  without_value: {rule}\n"
            f"  sources: [{{name: payer, format: legacy-cur, location: {name}/cur}}]\n"
            f"  projects: {claims}\n"
        )
    (tmp_path / "tenants.yaml").write_text(text)
    empty.apply(tmp_path / "tenants.yaml")
    return empty


LINES = [
    tagged("10", "prod", lineItem__ResourceId="i-1"),
    tagged("0.7", lineItem__ResourceId="i-1", lineItem__UsageType="before the tag"),
    tagged("20", "dev", lineItem__ResourceId="i-2"),
    tagged("3", lineItem__ResourceId="i-9", lineItem__UsageType="never tagged"),
    tagged("5", "qa", lineItem__ResourceId="i-3"),
    tagged("0.5", lineItem__LineItemType="Tax"),
    tagged("1.5", lineItem__LineItemType="Tax", lineItem__UsageAccountId="444455556666"),
    tagged("7", "dev", lineItem__UsageAccountId="444455556666"),
    tagged("8", "dev", lineItem__LineItemType="SavingsPlanCoveredUsage",
           savingsPlan__SavingsPlanARN=PLAN, savingsPlan__SavingsPlanEffectiveCost="4",
           lineItem__ResourceId="i-2"),
    tagged("6", "prod", lineItem__LineItemType="SavingsPlanCoveredUsage",
           savingsPlan__SavingsPlanARN=PLAN, savingsPlan__SavingsPlanEffectiveCost="3",
           lineItem__ResourceId="i-1"),
    tagged("-13", lineItem__LineItemType="SavingsPlanNegation", savingsPlan__SavingsPlanARN=PLAN),
]  # fmt: skip
"""The negation leaves 1 of 14: covered usage in two projects, and its rest in `unassigned`."""


def billed(made: TemporaryInstallation, tenant: str) -> dict[str, list[str]]:
    sql = (
        "select project, sum(BilledCost)::decimal(10, 1)::varchar,"
        " sum(EffectiveCost)::decimal(10, 1)::varchar from costs group by all"
    )
    with reading(made.installation.folder(tenant)) as connection:
        return {name: costs for name, *costs in connection.execute(sql).fetchall()}


def test_charges_follow_their_resource_and_account_and_negations_their_usage(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    for tenant in ("acme", "globex"):
        deliver(tmp_path / tenant / "cur", LINES)
        assert not two.ingest(tenant).failed
        assert finops("check", tenant, data=two.data)[0] == 0
    assert billed(two, "acme") == {
        "prod": ["10.7", "13.7"], "dev": ["28.5", "32.5"], "unassigned": ["9.5", "9.5"],
    }  # fmt: skip
    assert billed(two, "globex") == {
        "prod": ["10.0", "13.0"], "dev": ["27.0", "31.0"], "unassigned": ["11.7", "11.7"],
    }  # fmt: skip


def test_claims_that_contradict_each_other_change_nothing(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    """Only the bill says whether the name and the code of a service mean the same."""
    service = {"lineItem/ProductCode": "AmazonEC2", "product/ProductName": "Elastic Cloud"}
    deliver(tmp_path / "acme/cur", [line | service for line in LINES])
    assert not two.ingest("acme").failed
    before = billed(two, "acme")
    claims = [
        f"{{name: {name}, claims: [{{services: [{text}], priority: 5}}]}}"
        for name, text in (("prod", "AmazonEC2"), ("dev", "Elastic Cloud"))
    ]
    (tmp_path / "acme.yaml").write_text(acme(sources=SOURCE, projects=f"[{', '.join(claims)}]"))
    code, output = finops(
        "project", "preview", "acme", "-f", str(tmp_path / "acme.yaml"), data=two.data
    )
    assert code == 1 and "claim 1 of acme/dev (service Elastic Cloud)" in output
    two.apply(tmp_path / "acme.yaml")
    (reason,) = [step.reason for step in two.ingest("acme").failed]
    assert "claim 1 of acme/prod (service AmazonEC2)" in reason and "2026-09" in reason
    assert "claim 1 of acme/dev (service Elastic Cloud)" in reason
    assert billed(two, "acme") == before
    assert "incomplete" in finops("status", "acme", data=two.data)[1]


def test_a_disabled_or_removed_project_claims_nothing(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    deliver(tmp_path / "globex/cur", LINES)
    assert not two.ingest("globex").failed
    assert finops("project", "disable", "globex/dev", data=two.data)[0] == 0
    _, preview = finops("project", "preview", "globex", "--format", "csv", data=two.data)
    assert "no claim,,dev,unassigned,USD,3,27" in preview
    assert not two.ingest("globex").failed
    assert billed(two, "globex") == {"prod": ["10.0", "13.0"], "unassigned": ["38.7", "42.7"]}
    assert finops("project", "enable", "globex/dev", data=two.data)[0] == 0
    assert finops("project", "rename", "globex/dev", "lab", data=two.data)[0] == 0
    assert not two.ingest("globex").failed
    assert billed(two, "globex")["lab"] == ["27.0", "31.0"]


def test_the_preview_names_claims_that_take_nothing(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    deliver(tmp_path / "globex/cur", LINES)
    assert not two.ingest("globex").failed
    (tmp_path / "new.yaml").write_text(
        acme(projects="[{name: lab, claims: [{tags: {Envi: dev}, priority: 1}]}]").replace(
            "acme", "globex"
        )
    )
    command = ("project", "preview", "globex", "-f", str(tmp_path / "new.yaml"))
    code, output = finops(*command, data=two.data)
    assert code == 0 and "No charge would move" in output
    assert "takes no charge; no charge has the tag Envi. Did you mean Env?" in output
    code, output = finops("project", "preview", "acme", "-f", command[-1], data=two.data)
    assert code == 1 and "does not declare tenant acme" in output


def test_the_preview_leaves_out_what_negations_did_not_cancel(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    """Its charge has no region and no tag; only the negations say which project gets it."""
    covered = {"lineItem__LineItemType": "SavingsPlanCoveredUsage",
               "savingsPlan__SavingsPlanEffectiveCost": "4"}  # fmt: skip
    lines = [
        tagged("8", product__regionCode="eu-west-1", savingsPlan__SavingsPlanARN=PLAN, **covered),
        tagged("6", product__regionCode="us-east-1", savingsPlan__SavingsPlanARN=PLAN, **covered),
        *(
            tagged(cost, lineItem__LineItemType="SavingsPlanNegation",
                   product__regionCode=region, savingsPlan__SavingsPlanARN=PLAN)
            for cost, region in (("-5", "us-east-1"), ("-8", "eu-west-1"))
        ),
    ]  # fmt: skip
    deliver(tmp_path / "acme/cur", lines)
    deliver(tmp_path / "globex/cur", lines)
    assert not two.ingest("acme").failed and not two.ingest("globex").failed
    claims = ", ".join(
        f"{{name: {name}, claims: [{{regions: {region}}}]}}"
        for name, region in (("prod", "us-east-1"), ("dev", "eu-west-1"))
    )
    (tmp_path / "acme.yaml").write_text(acme(projects=f"[{claims}]", without_value="unassigned"))
    command = ("project", "preview", "acme", "-f", str(tmp_path / "acme.yaml"))
    code, output = finops(*command, data=two.data)
    assert code == 0 and "left out: 1 charge of 1 USD that Savings Plan" in output
    two.apply(tmp_path / "acme.yaml")
    assert not two.ingest("acme").failed
    assert billed(two, "acme") == {"prod": ["0.0", "4.0"], "dev": ["1.0", "5.0"]}
    assert billed(two, "globex") == {"unassigned": ["1.0", "9.0"]}
    for tenant in ("acme", "globex"):
        assert "No charge would move" in finops("project", "preview", tenant, data=two.data)[1]


def test_days_of_cost_explorer_are_unassigned_where_a_claim_asks_for_more(
    empty: TemporaryInstallation, tmp_path: Path
) -> None:
    other, text = "001122334455", "tenants:\n"
    for tenant in ("acme", "globex"):
        text += (
            f"- name: {tenant}\n  sources: [{{name: days, format: cost-explorer}}]\n  projects:\n"
            f"  - {{name: part, claims: [{{accounts: ['{ACCOUNT}'], tags: {{Env: prod}},"
            " from: 2026-10-02}]}\n"
            f"  - {{name: all, accounts: ['{ACCOUNT}', '{other}']}}\n"
        )
    (tmp_path / "tenants.yaml").write_text(text)
    empty.apply(tmp_path / "tenants.yaml")
    (tmp_path / "days.csv").write_text(
        f'"Linked account","{ACCOUNT}($)","{other}($)","Total costs($)"\n'
        '"Linked account total","3","30","33"\n'
        '"2026-10-01","1","10","11"\n"2026-10-02","2","20","22"\n'
    )
    code, output = finops("ingest-file", "acme/days", str(tmp_path / "days.csv"), data=empty.data)
    assert code == 0, output
    sql = "select project, charge_date::varchar, billed_cost::integer from cost_explorer_daily"
    with reading(empty.installation.folder("acme")) as connection:
        rows = connection.execute(f"{sql} order by all").fetchall()
    assert rows == [
        ("all", "2026-10-01", 1), ("all", "2026-10-01", 10), ("all", "2026-10-02", 20),
        ("unassigned", "2026-10-02", 2),
    ]  # fmt: skip
    for account, project, claim in (
        (other, "all", f"account {other} (priority 1000): account {other}"),
        (ACCOUNT, "unassigned", "no claim: claim 1 of project part (tag Env=prod, account"),
    ):
        listed = finops("rules", "explain", "acme", account, "--format", "json", data=empty.data)
        words = {row["project"]: row["claim"] for row in json.loads(listed[1])}
        assert words[project].startswith(claim)


def test_tags_in_json_cells_are_claimed_as_the_charges_have_them(
    empty: TemporaryInstallation, tmp_path: Path
) -> None:
    """CUR 2.0 and FOCUS in CSV, whose keys are not known before the rows are read."""
    text = "tenants:\n"
    for tenant in ("acme", "globex"):
        sources = "{name: cur, format: cur-2.0}, {name: focus, format: focus}"
        claim = "{tags: {'a/b': 'x', 'o''k~': [y, 'z']}}"
        other = "{cost_categories: {Area: web}, priority: 1}"
        text += (
            f"- name: {tenant}\n  sources: [{sources}]\n  without_value: follow\n  projects:\n"
            f"  - {{name: tagged, claims: [{claim}]}}\n  - {{name: area, claims: [{other}]}}\n"
        )
    (tmp_path / "tenants.yaml").write_text(text)
    empty.apply(tmp_path / "tenants.yaml")
    maps = ({"a/b": "x", "o'k~": "z"}, {"a/b": "x"}, {"a/b": "x", "o'k~": ""})
    tags = [*map(json.dumps, maps), "", "no JSON"]
    cur = [row("1")] + [row("2")] * 3 + [row("4")]
    cur = [{canonical(name): value for name, value in line.items()} for line in cur]
    cells = [json.dumps({f"user_{key}": each[key] for key in each}) for each in maps]
    columns = ("resource_tags", "cost_category", "line_item_resource_id")
    facts = zip([*cells, *tags[3:]], ["", "", "", "", '{"Area": "web"}'], "rrsrt", strict=True)
    write_csv(tmp_path / "cur.csv", [
        line | dict(zip(columns, of_line, strict=True))
        for line, of_line in zip(cur, facts, strict=True)
    ])  # fmt: skip
    focus = {
        "BillingCurrency": "USD", "BillingPeriodStart": "2026-09-01T00:00:00Z",
        "ChargeCategory": "Usage", "ChargePeriodStart": "2026-09-02T00:00:00Z",
        "EffectiveCost": "8", "ServiceName": "S3",
    }  # fmt: skip
    costs = ("8", "16", "32", "64", "128")
    write_csv(tmp_path / "focus.csv", [
        focus | {"BilledCost": cost, "Tags": cell} for cost, cell in zip(costs, tags, strict=True)
    ])  # fmt: skip
    for source in ("cur", "focus"):
        name = str(tmp_path / f"{source}.csv")
        code, output = finops("ingest-file", f"acme/{source}", name, data=empty.data)
        assert code == 0, output
    sql = "select project, x_Source, sum(BilledCost)::integer from costs group by all order by all"
    with reading(empty.installation.folder("acme")) as connection:
        assert connection.execute(sql).fetchall() == [
            ("area", "cur", 4), ("tagged", "cur", 5), ("tagged", "focus", 8),
            ("unassigned", "cur", 2), ("unassigned", "focus", 240),
        ]  # fmt: skip
    assert "No charge would move" in finops("project", "preview", "acme", data=empty.data)[1]
