"""Projects claim accounts: no two claims of one account may overlap in time, and ids are exact.

Put here: conflicts between claims and how account ids may be written. Keep out: the rest of a
declaration (test_registry.py), which rows a claim assigns (test_claims_unit.py).
"""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.model import AccountClaim, Project, Tenant
from finops_pipeline.tenants.source import FocusSource
from tests.support.declarations import CLAIMED, Apply, acme, apply, declared, table
from tests.support.globex import finops

__all__ = ["apply", "declared"]


def test_a_conflict_names_both_projects_and_the_account(declared: Apply) -> None:
    code, output = declared(acme(projects=f"[{{name: x1, accounts: [{CLAIMED}]}}]"))
    assert code == 1
    for word in ("acme/prod (always)", "acme/x1 (always)", "111122223333",
                 "finops project release acme/prod 111122223333"):  # fmt: skip
        assert word in output
    code, output = finops("project", "add", "acme/x1", "--account", "111122223333")
    assert code == 1 and "acme/prod (always)" in output


def test_claims_whose_days_do_not_meet_are_no_conflict(apply: Apply) -> None:
    until, since = f"{{id: {CLAIMED}, to: 2026-10-15}}", f"{{id: {CLAIMED}, from: 2026-10-15}}"
    projects = f"[{{name: p1, accounts: [{until}]}}, {{name: p2, accounts: [{since}]}}]"
    assert apply(acme(sources="[{name: s1, format: focus}]", projects=projects))[0] == 0
    earlier = f"{{id: {CLAIMED}, from: 2026-10-14}}"
    code, output = apply(acme(projects=f"[{{name: p2, accounts: [{earlier}]}}]"))
    assert code == 1
    assert "acme/p1 (until 2026-10-15) and by acme/p2 (from 2026-10-14)" in output


def test_projects_of_different_sources_may_claim_the_same_account(apply: Apply) -> None:
    sources = "[{name: s1, format: focus}, {name: s2, format: focus}]"
    first, second = (f"{{name: p{n}, source: s{n}, accounts: [{CLAIMED}]}}" for n in (1, 2))
    assert apply(acme(sources=sources, projects=f"[{first}, {second}]"))[0] == 0
    code, output = apply(acme(projects="[{name: p2, sources: [s1, s2]}]"))
    assert code == 1 and "acme/p1 (always) and by acme/p2 (always)" in output


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
    ("written", "expected_id"),
    [
        ('"001122334455"', "001122334455"),
        ("'012345678901'", "012345678901"),
        ("888877776666", "888877776666"),
        ("098877776666", "098877776666"),
        ("001122334455", None),  # YAML reads an octal number: zeros and digits are lost
        ("12345678901", None),
        ("1111222233334", None),
        ('"1111-2222-3333"', None),
        ('"11112222333\uff13"', None),
        ('"111122223333\\n"', None),
        ("true", None),
        ("888877776666.0", None),
    ],
)
def test_account_ids_are_twelve_digits_and_stay_complete(
    apply: Apply, written: str, expected_id: str | None
) -> None:
    code, output = apply(acme(projects=f"[{{name: p1, accounts: [{written}]}}]"))
    assert (code == 0) is (expected_id is not None), output
    if expected_id is None:
        assert "p1" in output or "12 digits in quotes" in output
        assert not table("project", "list")
    else:
        assert table("project", "list", "acme")[0][-1] == expected_id
