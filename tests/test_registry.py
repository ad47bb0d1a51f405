"""Declaring tenants, sources and projects: by file and by command.

Put here: applying a file (it is idempotent, prints what changes and removes nothing that it does
not mention; a wrong file changes nothing), the commands that declare, the grammar of names, and
that equal names of two tenants are independent. Keep out: claims (test_account_claims.py).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.model import (
    check_name,
)
from tests.conftest import TemporaryInstallation
from tests.support.declarations import CLAIMED, DAY, UNCLAIMED, Apply, acme, apply, declared, table
from tests.support.globex import finops

__all__ = ["apply", "declared"]


def everything() -> str:
    """All that the list commands print."""
    outputs = [finops(kind, "list") for kind in ("tenant", "source", "project")]
    assert all(code == 0 for code, _ in outputs)
    return "".join(text for _, text in outputs)


# --- applying a file


def test_applying_prints_additions_and_applying_again_changes_nothing(
    empty: TemporaryInstallation, estate: Path
) -> None:
    code, output = finops("apply", str(estate / "tenants.yaml"))
    assert code == 0
    assert output.splitlines()[:4] == ["+ tenant acme", "+ source acme/payer", "+ source acme/labs",
                                     "+ project acme/prod"]  # fmt: skip
    assert len(output.splitlines()) == 2 * (1 + 2 + 4)
    before = everything()
    assert finops("apply", str(estate / "tenants.yaml")) == (0, "nothing changed\n")
    assert everything() == before
    assert {t.name for t in empty.installation.registry.tenants()} == {"acme", "globex"}


@pytest.mark.parametrize(
    "text",
    [
        "tenants: []",
        "tenants: [{name: globex}]",
        acme(),
        acme(sources="[{name: payer, format: legacy-cur}]"),
        acme(projects="[{name: prod}]"),
        acme(projects="[{name: prod, accounts: []}]"),
        acme(projects=f"[{{name: prod, accounts: [{CLAIMED}]}}]"),
        acme(projects="[{name: staging, environment: staging}]"),
    ],
)
def test_an_entry_that_a_file_omits_stays(declared: Apply, text: str) -> None:
    before = everything()
    assert declared(text) == (0, "nothing changed\n")
    assert everything() == before


def test_every_change_is_printed_with_its_old_and_new_value(declared: Apply) -> None:
    text = acme(
        display_name="Acme & Sons",
        sources="[{name: labs, format: cur-2.0}]",
        projects=(
            f"[{{name: prod, environment: live, sources: [payer, labs], accounts: [{{id: {CLAIMED},"
            " to: 2026-10-01}, {id: '999900001111', from: 2026-10-01}]}]"
        ),
    )
    accounts = "001122334455 (always), 111122223333 ({}), 222233334444 (always)"
    assert declared(text) == (
        0,
        "~ tenant acme: display_name 'Acme Corporation' -> 'Acme & Sons'\n"
        "~ source acme/labs: format focus -> cur-2.0\n"
        "~ project acme/prod: environment prod -> live\n"
        "~ project acme/prod: sources payer -> labs, payer\n"
        f"~ project acme/prod: accounts {accounts.format('always')} ->"
        f" {accounts.format('until 2026-10-01')}, 999900001111 (from 2026-10-01)\n",
    )
    assert declared(text) == (0, "nothing changed\n")


WRONG: dict[str, tuple[str, str]] = {
    "no YAML": ("tenants: [{name: acme", "is not YAML"),
    "code": ("tenants: !!python/object/apply:os.getcwd []", "has the tag"),
    "no tenants": ("tenant: []", "tenants is"),
    "a text": ("acme", "the file is plain text"),
    "no name": ("tenants: [{display_name: Acme}]", "name is"),
    "twice": ("tenants: [{name: initech}, {name: initech}]", "initech is declared twice"),
    "unknown field": (acme(owner="me"), "owner: there is no such field"),
    "unknown source": (acme(projects="[{name: x1, sources: [sap]}]"), "reads source 'sap'"),
    "other's source": (acme(projects="[{name: x1, sources: [legacy]}]"), "reads source 'legacy'"),
    "unknown format": (acme(sources="[{name: x1, format: csv}]"), "format is 'csv'"),
    "sources a number": (acme(sources="5"), "sources is 5"),
    "projects a map": (acme(projects="{name: x1}"), "projects is {'name': 'x1'}"),
    "accounts a number": (acme(projects="[{name: x1, accounts: 5}]"), "accounts 5"),
    "project twice": (acme(projects="[{name: x1}, {name: x1}]"), "project x1 is declared twice"),
    "source and sources": (acme(projects="[{name: x1, source: a, sources: [b]}]"), "has both"),
    "bad name": (acme(projects="[{name: Prod}]"), "project name 'Prod' cannot be used"),
    "bad source": (acme(sources="[{name: ../x, format: focus}]"), "source name '../x' cannot"),
    "bad tenant": ("tenants: [{name: a/b}]", "tenant name 'a/b' cannot be used"),
    "unassigned claims": (
        acme(projects=f"[{{name: unassigned, accounts: [{CLAIMED}]}}]"),
        "acme/unassigned cannot claim",
    ),
    "days the wrong way": (
        acme(projects=f"[{{name: x1, accounts: [{{id: {UNCLAIMED}, from: {DAY}, to: {DAY}}}]}}]"),
        "'from' before 'to'",
    ),
    "claimed twice": (
        acme(projects=f"[{{name: x1, accounts: [{UNCLAIMED}, {UNCLAIMED}]}}]"),
        "twice",
    ),
    "claimed by another": (
        acme(projects=f"[{{name: x1, accounts: [{CLAIMED}]}}]"),
        "is claimed by",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_changes_nothing(declared: Apply, name: str) -> None:
    text, word = WRONG[name]
    before = everything()
    code, output = declared(text)
    assert code == 1
    assert word in output
    # A good entry of the same file does not get in either.
    if text.startswith("tenants:\n"):
        code, output = declared(text.replace("tenants:\n", "tenants:\n- name: initech\n", 1))
        assert (code, word in output) == (1, True)
    assert everything() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tenants: {}", "{file}: tenants is {{}}. Expected a valid list."),
        (acme(owner="me"), "{file}, tenant acme: owner: there is no such field."),
        (
            acme(sources="[{name: x1, format: focus}, {name: x2, format: csv}]"),
            "{file}, tenant acme: source 'x2': format is 'csv'. Expected one of legacy-cur, ",
        ),
        (
            acme(projects="[{name: x1, accounts: [{id: '111122223333', from: soon}]}]"),
            "{file}, tenant acme: project 'x1': accounts.0.from is 'soon'. Expected ",
        ),
        ("tenants: [{display_name: Acme}]", "{file}, tenant (no name): name is missing."),
        (acme(projects="[5]"), "{file}, tenant acme: project 1 is 5. Expected "),
        (
            acme(projects="[{name: Prod}]"),
            "{file}, tenant acme: project name 'Prod' cannot be used",
        ),
    ],
)
def test_a_message_names_the_file_the_tenant_the_noun_and_the_field(
    declared: Apply, tmp_path: Path, text: str, message: str
) -> None:
    code, output = declared(text)
    assert code == 1
    assert message.format(file=tmp_path / "declared.yaml") in output.replace("\n", " ")


def test_an_unreadable_file_is_reported_in_a_single_line_on_stderr(
    empty: TemporaryInstallation,
) -> None:
    done = empty.finops("apply", "/nowhere/tenants.yaml", ok=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("finops: /nowhere/tenants.yaml cannot be read (No such file")


# --- commands


def test_commands_declare_tenants_sources_and_projects_that_are_then_listed(
    apply: Apply, tmp_path: Path
) -> None:
    assert finops("tenant", "add", "acme", "--display-name", "Acme") == (0, "+ tenant acme\n")
    assert finops("tenant", "add", "acme") == (0, "nothing changed\n")
    (tmp_path / "exports").mkdir()
    arguments = ["source", "add", "acme/payer", "--format", "focus", "--location"]
    assert finops(*arguments, str(tmp_path / "x/../exports/")) == (0, "+ source acme/payer\n")
    assert finops("source", "add", "acme/hand", "--format", "cur-2.0")[0] == 0
    arguments = ["project", "add", "acme/prod", "--account", "001122334455"]
    assert finops(*arguments, "--environment", "live", "--source", "payer")[0] == 0
    code, output = finops("project", "add", "acme/prod", "--account", "222233334444")
    assert (code, output) == (0, "~ project acme/prod: accounts 001122334455 (always) ->"
                               " 001122334455 (always), 222233334444 (always)\n")  # fmt: skip
    assert table("tenant", "list")[-1] == ["acme", "Acme", "2", "1"]
    assert table("source", "list")[-2:] == [
        ["acme", "hand", "cur-2.0", "(by hand)"],
        ["acme", "payer", "focus", str(tmp_path / "exports")],
    ]
    assert table("project", "list")[-2:] == [
        ["acme", "prod", "live", "", "payer", "001122334455, 222233334444"],
        ["acme", "unassigned", "unassigned", "", "hand, payer", ""],
    ]

    assert finops("project", "release", "acme/prod", "001122334455")[0] == 0
    assert table("project", "list")[-2][-1] == "222233334444"
    code, output = finops("project", "release", "acme/prod", "001122334455")
    assert code == 1 and "acme/prod does not claim account 001122334455" in output
    for arguments in (
        ["source", "add", "initech/x1", "--format", "focus"],
        ["project", "add", "initech/x1"],
    ):
        code, output = finops(*arguments)
        assert code == 1 and "tenant initech is not known" in output


def test_equal_names_of_two_tenants_are_independent(declared: Apply) -> None:
    globex = table("project", "list", "globex"), table("source", "list", "globex")
    assert {row[1] for row in globex[0]} & {row[1] for row in table("project", "list", "acme")}
    assert declared(acme(projects="[{name: prod, environment: live}]"))[0] == 0
    assert finops("project", "release", "acme/prod", "001122334455")[0] == 0
    assert finops("source", "add", "acme/payer", "--format", "focus")[0] == 0
    assert (table("project", "list", "globex"), table("source", "list", "globex")) == globex
    # The account that acme released is still globex's, and free in acme.
    assert "001122334455" in str(globex)
    assert finops("project", "add", "acme/staging", "--account", "001122334455")[0] == 0
    assert (table("project", "list", "globex"), table("source", "list", "globex")) == globex


# --- names

NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])\Z")


@given(st.one_of(st.text(max_size=45), st.from_regex(r"[a-z0-9A-Z/._\n-]{0,42}")))
def test_names_are_exactly_those_of_the_grammar(text: str) -> None:
    if NAME.match(text):
        assert check_name("tenant", text) == text
        assert Path("/lake", f"tenant={text}").resolve().parent == Path("/lake")
        return
    with pytest.raises(RegistryError, match="cannot be used"):
        check_name("tenant", text)


@given(st.from_regex(r"[a-z][a-z0-9-]{0,38}[a-z0-9]", fullmatch=True))
def test_every_name_of_the_grammar_is_taken(text: str) -> None:
    assert check_name("project", text) == text
