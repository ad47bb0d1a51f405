"""Declaring claims: what they may say, how they are listed and changed, and what they survive.

Put here: `claims:` and `without_value:` in tenants.yaml, commands, export, and claims that
contradict each other. Keep out: the charges that claims take (test_claims.py,
test_claimed_lines.py).
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.conftest import TemporaryInstallation
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
        ("{claims: [{regions: []}]}", "claim 1: regions is [], so that no charge can match"),
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
        assert "declared.yaml: claim 1 of acme/p1" in output and "claim 1 of acme/p2" in output
        assert "Give one of them another priority" in output


def test_a_claim_that_contradicts_a_stored_one_says_how_to_release_that(apply: Apply) -> None:
    claims = "claims: [{regions: x}, {tags: {Env: prod}}]"
    assert apply(acme(f"{{name: p1, {claims}}}"))[0] == 0
    code, output = apply(acme("{name: p2, claims: [{tags: {Env: prod}, regions: y}]}"))
    assert code == 1 and "claim 2 of acme/p1" in output and "claim 1 of acme/p2" in output
    assert "declared.yaml: " in output and "finops project release acme/p1 2" in output
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
    assert "No claims. Add one" in finops("project", "show", "acme/p1")[1]
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
    assert "a claim requires go to: p9" in finops("project", "show", "acme/p9")[1]
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
