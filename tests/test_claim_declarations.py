"""Declaring claims: what they may say, how they are listed and changed, and what they survive.

Put here: `claims:` and `without_value:` in tenants.yaml, commands, export and backup, and claims
that contradict each other. Keep out: the charges that claims take (test_claims.py).
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from finops_pipeline.contracts.cur import canonical
from finops_pipeline.lake.warehouse import reading
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row, write_csv
from tests.support.declarations import Apply, apply, table
from tests.support.globex import finops

__all__ = ["apply"]

SOURCE = "sources: [{name: payer, format: legacy-cur}]"
ACCOUNT = "111122223333"


def acme(*projects: str, more: str = "") -> str:
    """A tenants.yaml with acme and these projects, each as `name: {…claims…}`."""
    lines = "".join(f"  - {project}\n" for project in projects)
    return f"tenants:\n- name: acme\n  {SOURCE}\n  {more}\n  projects:\n{lines}"


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ("{claims: [{regions: []}]}", "claim 1: regions is [], which no charge has"),
        ("{claims: [{regions: [eu-west-1]}, {tags: {Env: ''}}]}", "claim 2: tags: Env is ''"),
        ("{claims: [{tags: {Env: true}}]}", "Write it in quotes"),
        ("{claims: [{tags: {}}]}", "claim 1: tags is {}"),
        ("{claims: [{tags: prod}]}", "keys with values, such as {Environment: prod}"),
        ("{claims: [{priority: 5}]}", "claim 1: the claim has no condition"),
        ("{claims: [{accounts: [1234]}]}", "12 digits in quotes"),
        ("{claims: [{regions: x, from: 2026-10-02, to: 2026-10-02}]}", "'from' before 'to'"),
        ("{claims: [{regoins: [x]}]}", "project 'p1', claim 1: regoins: there is no such field"),
        ("{claims: [{regions: x}, {regions: y, priority: ten}]}", "claim 2: priority is 'ten'"),
        ("{claims: [{regions: x, priority: -1}]}", "greater than or equal to 0"),
        ("{claims: x}", "a list of claims"),
        ("{sources: [other], claims: [{regions: x}]}", "p1 reads source 'other'"),
    ],
)
def test_a_claim_that_cannot_match_is_refused_with_its_place(
    apply: Apply, claims: str, message: str
) -> None:
    code, output = apply(acme(claims.replace("{", "{name: p1, ", 1)))
    assert code == 1 and message in output, output
    assert "acme" in output and "p1" in output
    assert "acme" not in finops("tenant", "list")[1]


@pytest.mark.parametrize(
    ("first", "second", "is_conflict"),
    [
        ("tags: {Env: prod}", "regions: eu-west-1", True),
        ("tags: {Env: prod}", "tags: {Env: [dev, qa]}", False),
        ("tags: {Env: prod}", "tags: {Team: web}", True),
        ("tags: {Env: prod}", "tags: {Env: dev}, priority: 7", False),
        ("tags: {Env: prod}", "tags: {Team: web}, priority: 7", False),
        ("tags: {Env: prod}, to: 2026-10-01", "tags: {Team: web}, from: 2026-10-01", False),
        ("tags: {Env: prod}, to: 2026-10-02", "tags: {Team: web}, from: 2026-10-01", True),
        (f"regions: x, accounts: ['{ACCOUNT}']", "services: [S3], accounts: ['000011112222']",
         False),
        ("services: [AmazonEC2]", "services: [AmazonS3]", False),
        ("cost_categories: {Area: a}", "cost_categories: {Area: b}", False),
    ],
)  # fmt: skip
def test_two_claims_of_one_priority_that_can_meet_are_refused(
    apply: Apply, first: str, second: str, is_conflict: bool
) -> None:
    code, output = apply(
        acme(f"{{name: p1, claims: [{{{first}}}]}}", f"{{name: p2, claims: [{{{second}}}]}}")
    )
    assert (code == 1) is is_conflict, output
    if is_conflict:
        assert "claim 1 of acme/p1" in output and "claim 1 of acme/p2" in output
        assert "Give one of them another priority" in output


def test_a_claim_that_contradicts_a_stored_one_says_how_to_release_that(apply: Apply) -> None:
    claims = "claims: [{regions: x}, {tags: {Env: prod}}]"
    assert apply(acme(f"{{name: p1, {claims}}}"))[0] == 0
    code, output = apply(acme("{name: p2, claims: [{tags: {Env: prod}, regions: y}]}"))
    assert code == 1 and "claim 2 of acme/p1" in output and "claim 1 of acme/p2" in output
    assert "finops project release acme/p1 2" in output
    # In one file, a claim may move to another project.
    moved = "{name: p2, claims: [{tags: {Env: prod}, regions: y}]}"
    assert apply(acme("{name: p1, claims: [{regions: x}]}", moved))[0] == 0


def test_a_claim_of_the_priority_of_accounts_meets_a_claimed_account(apply: Apply) -> None:
    account = f"{{name: p1, accounts: ['{ACCOUNT}']}}"
    claim = f"{{name: p2, claims: [{{accounts: ['{ACCOUNT}'], regions: x, priority: 1000}}]}}"
    code, output = apply(acme(account, claim))
    assert code == 1 and f"account {ACCOUNT} of acme/p1" in output
    assert apply(acme(account, claim.replace("1000", "1001")))[0] == 0


def test_claims_are_listed_added_released_and_kept_by_files_that_omit_them(apply: Apply) -> None:
    assert apply(acme("{name: p1}"))[0] == 0
    command = ("project", "add", "acme/p1", "--tag", "Env=prod", "--tag", "Env=Prod")
    assert (
        "claims (none) -> tag Env=Prod or prod, account"
        in finops(*command, "--account", ACCOUNT, "--priority", "10")[1]
    )
    assert finops(*command, "--account", ACCOUNT, "--priority", "10")[1] == "nothing changed\n"
    added = finops("project", "add", "acme/p1", "--region", "eu-west-1", "--from", "2026-10-01")
    assert added[0] == 0, added
    assert apply(acme("{name: p1, environment: prod}"))[0] == 0
    _, shown = finops("project", "show", "acme/p1")
    assert "tag Env=Prod or prod, account 111122223333" in shown and "2026-10-01" in shown
    assert "region eu-west-1" in table("project", "list", "acme")[0][-1]
    assert finops("project", "release", "acme/p1", "1")[1] == (
        "~ project acme/p1: claim 1 released\n"
    )
    code, output = finops("project", "release", "acme/p1", "7")
    assert code == 1 and "finops project show acme/p1" in output
    assert "Env" not in finops("project", "show", "acme/p1")[1]
    assert "claims region eu-west-1" in apply(acme("{name: p1, claims: []}"))[1]
    assert "Add --tag" in finops("project", "show", "acme/p1")[1]
    code, output = finops("project", "add", "acme/p1", "--tag", "Env")
    assert code == 2 and "is not KEY=VALUE" in output


def test_the_rule_for_missing_values_names_a_project(apply: Apply) -> None:
    code, output = apply(acme("{name: p1}", more="without_value: p2"))
    assert code == 1 and "without_value 'p2'" in output and "unassigned, follow, p1" in output
    code, output = apply(acme("{name: p1}", more="without_value: p1"))
    assert code == 0 and "without_value unassigned -> p1" in output
    code, output = finops("project", "remove", "acme/p1")
    assert code == 1 and "finops tenant add acme --without-value unassigned" in output
    assert finops("project", "rename", "acme/p1", "p9")[0] == 0
    assert "a claim asks for: p9" in finops("project", "show", "acme/p9")[1]
    assert finops("tenant", "add", "acme", "--without-value", "unassigned")[0] == 0
    assert finops("project", "remove", "acme/p9")[0] == 0


def test_claims_survive_export_and_restore(
    apply: Apply, empty: TemporaryInstallation, tmp_path: Path
) -> None:
    claim = (
        "{priority: 7, tags: {Env: [a, b]}, cost_categories: {Area: x}, regions: [eu-west-1],"
        f" services: [AmazonEC2], accounts: ['{ACCOUNT}'], from: 2026-01-01, to: 2026-12-01}}"
    )
    text = acme(f"{{name: p1, claims: [{claim}]}}", more="without_value: follow")
    assert apply(text)[0] == 0
    before = empty.installation.registry.tenant("acme")
    (tmp_path / "export.yaml").write_text(finops("tenant", "export")[1])
    assert apply((tmp_path / "export.yaml").read_text().replace("installation_id", "#"))[0] == 1
    for path in empty.data.glob("*registry*"):
        path.unlink()
    for path in empty.data.glob(".registry*"):
        path.unlink()
    code, out = finops("restore-registry", "--from", str(tmp_path / "export.yaml"))
    assert code == 0, out
    assert empty.installation.registry.tenant("acme") == before
    assert before.projects[0].claims[0].declaration == yaml.safe_load(claim) | {
        "from": "2026-01-01", "to": "2026-12-01", "tags": {"Env": ["a", "b"]},
        "cost_categories": {"Area": ["x"]},
    }  # fmt: skip


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
    (tmp_path / "acme.yaml").write_text(acme(*claims))
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
        acme("{name: lab, claims: [{tags: {Envi: dev}, priority: 1}]}").replace("acme", "globex")
    )
    command = ("project", "preview", "globex", "-f", str(tmp_path / "new.yaml"))
    code, output = finops(*command, data=two.data)
    assert code == 0 and "No charge would move" in output
    assert "takes no charge; no charge has the tag Envi. Did you mean Env?" in output
    code, output = finops("project", "preview", "acme", "-f", command[-1], data=two.data)
    assert code == 1 and "does not declare tenant acme" in output


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
