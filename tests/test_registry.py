"""Declaring tenants, sources, projects and claims: by file and by command.

Applying a file is idempotent, says what changes, and removes nothing it does not mention; a wrong
file changes nothing at all. Claims of one account must not overlap in time. Names and account ids
have a grammar. Two tenants' equal names have nothing to do with each other.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.model import (
    AccountClaim,
    Project,
    Tenant,
    check_name,
)
from finops_pipeline.tenants.source import FocusSource
from tests.conftest import TemporaryInstallation
from tests.support.globex import finops

Apply = Callable[[str], tuple[int, str]]
ONE, NEW, DAY = '"111122223333"', '"999900001111"', "2026-10-02"
"""An account that acme/prod has in the estate, one that nobody has, a day."""


@pytest.fixture
def apply(empty: TemporaryInstallation, tmp_path: Path) -> Apply:
    """A function: text of a tenants.yaml -> what `finops apply` answers; nothing declared yet."""
    empty.data.mkdir()

    def run(text: str) -> tuple[int, str]:
        (tmp_path / "declared.yaml").write_text(text)
        return finops("apply", str(tmp_path / "declared.yaml"))

    return run


@pytest.fixture
def declared(fresh: TemporaryInstallation, tmp_path: Path) -> Apply:
    """Like `apply`, with acme and globex of the estate declared."""

    def run(text: str) -> tuple[int, str]:
        (tmp_path / "declared.yaml").write_text(text)
        return finops("apply", str(tmp_path / "declared.yaml"))

    assert fresh.installation.registry.names() == ["acme", "globex"]
    return run


def everything() -> str:
    """All that the list commands tell."""
    said = [finops(kind, "list") for kind in ("tenant", "source", "project")]
    assert all(code == 0 for code, _ in said)
    return "".join(text for _, text in said)


def table(*words: str) -> list[list[str]]:
    """Cells of a list command's rows."""
    _, said = finops(*words)
    rows = csv.reader((line for line in said.splitlines() if "│" in line), delimiter="│")
    return [[cell.strip() for cell in row[1:-1]] for row in rows]


def acme(**parts: str) -> str:
    """A file that says this of acme."""
    return "tenants:\n- name: acme\n" + "".join(f"  {k}: {v}\n" for k, v in parts.items())


# --- applying a file


def test_applying_shows_what_is_new_and_a_second_time_nothing(
    empty: TemporaryInstallation, estate: Path
) -> None:
    code, said = finops("apply", str(estate / "tenants.yaml"))
    assert code == 0
    assert said.splitlines()[:4] == ["+ tenant acme", "+ source acme/payer", "+ source acme/labs",
                                     "+ project acme/prod"]  # fmt: skip
    assert len(said.splitlines()) == 2 * (1 + 2 + 4)
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
        acme(projects=f"[{{name: prod, accounts: [{ONE}]}}]"),
        acme(projects="[{name: staging, environment: staging}]"),
    ],
)
def test_what_a_file_does_not_mention_stays(declared: Apply, text: str) -> None:
    before = everything()
    assert declared(text) == (0, "nothing changed\n")
    assert everything() == before


def test_every_change_is_shown_as_from_and_to(declared: Apply) -> None:
    text = acme(
        display_name="Acme & Sons",
        sources="[{name: labs, format: cur-2.0}]",
        projects=(
            f"[{{name: prod, environment: live, sources: [payer, labs], accounts: [{{id: {ONE},"
            " to: 2026-10-01}, {id: '999900001111', from: 2026-10-01}]}]"
        ),
    )
    kept = "001122334455 (always), 111122223333 ({}), 222233334444 (always)"
    assert declared(text) == (
        0,
        "~ tenant acme: display_name 'Acme Corporation' -> 'Acme & Sons'\n"
        "~ source acme/labs: format focus -> cur-2.0\n"
        "~ project acme/prod: environment prod -> live\n"
        "~ project acme/prod: sources payer -> labs, payer\n"
        f"~ project acme/prod: accounts {kept.format('always')} ->"
        f" {kept.format('always to 2026-10-01')}, 999900001111 (2026-10-01 to open)\n",
    )
    assert declared(text) == (0, "nothing changed\n")


WRONG: dict[str, tuple[str, str]] = {
    "no YAML": ("tenants: [{name: acme", "is not YAML"),
    "code": ("tenants: !!python/object/apply:os.getcwd []", "is not YAML"),
    "no tenants": ("tenant: []", "tenants is"),
    "a text": ("acme", "file is 'acme'"),
    "no name": ("tenants: [{display_name: Acme}]", "name is"),
    "twice": ("tenants: [{name: initech}, {name: initech}]", "initech is declared twice"),
    "unknown field": (acme(owner="me"), "owner is 'me'"),
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
        acme(projects=f"[{{name: unassigned, accounts: [{ONE}]}}]"),
        "acme/unassigned cannot claim",
    ),
    "days the wrong way": (
        acme(projects=f"[{{name: x1, accounts: [{{id: {NEW}, from: {DAY}, to: {DAY}}}]}}]"),
        "'from' before 'to'",
    ),
    "claimed twice": (acme(projects=f"[{{name: x1, accounts: [{NEW}, {NEW}]}}]"), "twice"),
    "claimed by another": (acme(projects=f"[{{name: x1, accounts: [{ONE}]}}]"), "is claimed by"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_changes_nothing(declared: Apply, name: str) -> None:
    text, word = WRONG[name]
    before = everything()
    code, said = declared(text)
    assert code == 1
    assert word in said
    # A good entry of the same file does not get in either.
    if text.startswith("tenants:\n"):
        code, said = declared(text.replace("tenants:\n", "tenants:\n- name: initech\n", 1))
        assert (code, word in said) == (1, True)
    assert everything() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tenants: {}", "{file}: tenants is {{}}. Expected a valid list."),
        (acme(owner="me"), "{file}, tenant acme: owner is 'me', but there is no such field."),
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
    code, shown = declared(text)
    assert code == 1
    assert message.format(file=tmp_path / "declared.yaml") in shown.replace("\n", " ")


def test_a_file_that_cannot_be_read_is_one_line_on_stderr(empty: TemporaryInstallation) -> None:
    done = empty.finops("apply", "/nowhere/tenants.yaml", ok=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("finops: /nowhere/tenants.yaml cannot be read (No such file")


# --- claims


def test_a_conflict_names_both_projects_and_the_account(declared: Apply) -> None:
    code, said = declared(acme(projects=f"[{{name: x1, accounts: [{ONE}]}}]"))
    assert code == 1
    for word in ("acme/prod (always)", "acme/x1 (always)", "111122223333",
                 "finops project release acme/prod 111122223333"):  # fmt: skip
        assert word in said
    code, said = finops("project", "add", "acme/x1", "--account", "111122223333")
    assert code == 1 and "acme/prod (always)" in said


def test_claims_whose_days_do_not_meet_are_no_conflict(apply: Apply) -> None:
    until, since = f"{{id: {ONE}, to: 2026-10-15}}", f"{{id: {ONE}, from: 2026-10-15}}"
    projects = f"[{{name: p1, accounts: [{until}]}}, {{name: p2, accounts: [{since}]}}]"
    assert apply(acme(sources="[{name: s1, format: focus}]", projects=projects))[0] == 0
    earlier = f"{{id: {ONE}, from: 2026-10-14}}"
    code, said = apply(acme(projects=f"[{{name: p2, accounts: [{earlier}]}}]"))
    assert code == 1
    assert "acme/p1 (always to 2026-10-15) and by acme/p2 (2026-10-14 to open)" in said


def test_projects_of_different_sources_may_claim_one_account(apply: Apply) -> None:
    sources = "[{name: s1, format: focus}, {name: s2, format: focus}]"
    one, other = (f"{{name: p{n}, source: s{n}, accounts: [{ONE}]}}" for n in (1, 2))
    assert apply(acme(sources=sources, projects=f"[{one}, {other}]"))[0] == 0
    code, said = apply(acme(projects="[{name: p2, sources: [s1, s2]}]"))
    assert code == 1 and "acme/p1 (always) and by acme/p2 (always)" in said


SOURCE = FocusSource(name="s1")
DAYS = st.one_of(st.none(), st.dates(date(2026, 1, 1), date(2026, 1, 8)))


@given(DAYS, DAYS, DAYS, DAYS)
def test_two_claims_conflict_exactly_when_they_share_a_day(
    since: date | None, until: date | None, other_since: date | None, other_until: date | None
) -> None:
    def days(first: date | None, end: date | None) -> set[date]:
        horizon = [date(2025, 12, 30) + timedelta(days=n) for n in range(12)]
        return {d for d in horizon if (first or d) <= d and (end is None or d < end)}

    spans = [(since, until), (other_since, other_until)]
    if any(first and end and first >= end for first, end in spans):
        return
    claims = [AccountClaim(id="111122223333", from_day=f, to_day=e) for f, e in spans]
    projects = tuple(Project(name=f"p{n}", accounts=(c,)) for n, c in enumerate(claims))
    try:
        Tenant(name="acme", sources=(SOURCE,), projects=projects)
        conflict = False
    except RegistryError:
        conflict = True
    assert conflict == bool(days(*spans[0]) & days(*spans[1]))


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ('"001122334455"', "001122334455"),
        ("'012345678901'", "012345678901"),
        ("888877776666", "888877776666"),
        ("098877776666", "098877776666"),
        ("001122334455", None),  # to YAML an octal number: zeros and digits are lost
        ("12345678901", None),
        ("1111222233334", None),
        ('"1111-2222-3333"', None),
        ('"11112222333\uff13"', None),
        ('"111122223333\\n"', None),
        ("true", None),
        ("888877776666.0", None),
    ],
)
def test_account_ids_are_twelve_digits_and_lose_none(
    apply: Apply, written: str, kept: str | None
) -> None:
    code, said = apply(acme(projects=f"[{{name: p1, accounts: [{written}]}}]"))
    assert (code == 0) is (kept is not None), said
    if kept is None:
        assert "p1" in said or "12 digits in quotes" in said
        assert not table("project", "list")
    else:
        assert table("project", "list", "acme")[0][-1] == kept


# --- commands


def test_commands_declare_what_lists_show(apply: Apply, tmp_path: Path) -> None:
    assert finops("tenant", "add", "acme", "--display-name", "Acme") == (0, "+ tenant acme\n")
    assert finops("tenant", "add", "acme") == (0, "nothing changed\n")
    (tmp_path / "exports").mkdir()
    words = ["source", "add", "acme/payer", "--format", "focus", "--location"]
    assert finops(*words, str(tmp_path / "x/../exports/")) == (0, "+ source acme/payer\n")
    assert finops("source", "add", "acme/hand", "--format", "cur-2.0")[0] == 0
    words = ["project", "add", "acme/prod", "--account", "001122334455"]
    assert finops(*words, "--environment", "live", "--source", "payer")[0] == 0
    code, said = finops("project", "add", "acme/prod", "--account", "222233334444")
    assert (code, said) == (0, "~ project acme/prod: accounts 001122334455 (always) ->"
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
    code, said = finops("project", "release", "acme/prod", "001122334455")
    assert code == 1 and "acme/prod does not claim account 001122334455" in said
    for words in (
        ["source", "add", "initech/x1", "--format", "focus"],
        ["project", "add", "initech/x1"],
    ):
        code, said = finops(*words)
        assert code == 1 and "tenant initech is not known" in said


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
