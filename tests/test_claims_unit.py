"""Claims, rule by rule: which claim holds on which day, where claims overlap and end.

Put here: AccountClaim, Claim and the choice of claims for a month. Keep out: declaring them
(test_account_claims.py, test_claim_declarations.py), and the rows that they assign (test_truth.py,
test_claims.py).
"""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_pipeline.errors import RegistryError
from finops_pipeline.focus.claim_matching import ChargeValues, Match, match_claim
from finops_pipeline.ledger.claims import claims_fingerprint, claims_of, deciding_claims
from finops_pipeline.ledger.ledger import fingerprint_of
from finops_pipeline.tenants.model import AccountClaim, Claim, Project, Tenant
from finops_pipeline.tenants.source import LegacyCurSource

ACCOUNT, OTHER_ACCOUNT = "111122223333", "001122334455"
DAYS = st.dates(date(2026, 1, 1), date(2026, 3, 31))
CLAIM_DAYS = st.tuples(st.none() | DAYS, st.none() | DAYS).filter(
    lambda days: not (days[0] and days[1]) or days[0] < days[1]
)


def claim(
    from_day: date | None = None, to_day: date | None = None, account: str = ACCOUNT
) -> AccountClaim:
    return AccountClaim(id=account, from_day=from_day, to_day=to_day)


def is_claimed(days: tuple[date | None, date | None], day: date) -> bool:
    """The rule in its simplest form: from the first day until the day before the last."""
    return (days[0] is None or days[0] <= day) and (days[1] is None or day < days[1])


@given(CLAIM_DAYS, CLAIM_DAYS)
def test_claims_overlap_when_they_share_a_day(
    first: tuple[date | None, date | None], second: tuple[date | None, date | None]
) -> None:
    # The dates drawn lie within these days, which reach a day further on both sides for open ends.
    days = [date(2025, 12, 31) + timedelta(days=n) for n in range(93)]
    is_shared = any(is_claimed(first, day) and is_claimed(second, day) for day in days)
    assert claim(*first).overlaps(claim(*second)) is is_shared
    assert not claim(*first).overlaps(claim(*second, OTHER_ACCOUNT))


@given(CLAIM_DAYS, DAYS)
def test_a_claim_touches_a_day_when_it_holds_on_it(
    days: tuple[date | None, date | None], day: date
) -> None:
    assert claim(*days).touches(day, day + timedelta(days=1)) is is_claimed(days, day)


def test_the_last_day_is_exclusive() -> None:
    moved = date(2026, 9, 16)
    assert not claim(to_day=moved).overlaps(claim(from_day=moved))
    assert claim(to_day=moved + timedelta(days=1)).overlaps(claim(from_day=moved))


@pytest.mark.parametrize("to_day", [date(2026, 9, 16), date(2026, 9, 15)])
def test_a_claim_without_a_day_is_refused(to_day: date) -> None:
    with pytest.raises(RegistryError, match="'from' before 'to'"):
        claim(date(2026, 9, 16), to_day)


def tenant(name: str, moved: date) -> Tenant:
    """Two projects that share an account in time; dev reads a second source alone."""
    projects = (
        Project(name="prod", sources=("payer",), accounts=(claim(to_day=moved),)),
        Project(
            name="dev", sources=("payer", "labs"),
            accounts=(claim(from_day=moved), claim(account=OTHER_ACCOUNT)),
        ),
    )  # fmt: skip
    sources = (LegacyCurSource(name="payer"), LegacyCurSource(name="labs"))
    return Tenant(name=name, sources=sources, projects=projects)


def days_of(owner: Tenant, project: str, source: str, month: str) -> list[tuple[str, str]]:
    chosen = next(each for each in owner.all_projects if each.name == project)
    return [(each.id, each.days) for each in claims_of(owner, chosen, source, month)]


def test_a_month_takes_the_claims_that_hold_on_any_of_its_days() -> None:
    acme, globex = tenant("acme", date(2026, 9, 16)), tenant("globex", date(2026, 10, 1))
    assert days_of(acme, "prod", "payer", "2026-09") == [(ACCOUNT, "always to 2026-09-16")]
    assert days_of(acme, "prod", "payer", "2026-10") == []
    assert days_of(globex, "prod", "payer", "2026-09") == [(ACCOUNT, "always to 2026-10-01")]
    assert days_of(globex, "prod", "payer", "2026-10") == []
    other = (OTHER_ACCOUNT, "always")
    assert days_of(acme, "dev", "labs", "2026-09") == [(ACCOUNT, "2026-09-16 to open"), other]
    assert days_of(globex, "dev", "labs", "2026-09") == [other]
    assert days_of(acme, "prod", "labs", "2026-09") == []


def test_unassigned_excludes_the_claims_of_every_project_of_the_source() -> None:
    acme = tenant("acme", date(2026, 9, 16))
    assert len(days_of(acme, "unassigned", "payer", "2026-09")) == 3
    assert len(days_of(acme, "unassigned", "labs", "2026-09")) == 2
    assert len(days_of(acme, "unassigned", "payer", "2026-10")) == 2


def marks(owner: Tenant, month: str) -> dict[str, str]:
    """The fingerprint of the claims that decide each project's rows of payer in a month."""
    return {
        project.name: claims_fingerprint(project, deciding_claims(owner, project, ["payer"], month))
        for project in owner.all_projects
    }


def with_claims(owner: Tenant, project: str, *claims: dict[str, object]) -> Tenant:
    """The tenant with one more project that has these claims."""
    more = Project.model_validate({"name": project, "claims": claims})
    return owner.model_copy(update={"projects": (*owner.projects, more)})


def test_fingerprints_of_claims_to_accounts_stay_as_they_have_always_been() -> None:
    acme, globex = tenant("acme", date(2026, 9, 16)), tenant("globex", date(2026, 9, 16))
    assert marks(acme, "2026-09") == marks(globex, "2026-09")
    days = {"payer": [f"{ACCOUNT} always to 2026-09-16"]}
    assert marks(acme, "2026-09")["prod"] == fingerprint_of(
        {"claims": days, "takes_the_rest": False}
    )


def test_a_claim_changes_the_fingerprints_of_those_it_may_take_charges_from() -> None:
    acme = tenant("acme", date(2026, 9, 16))
    before = {month: marks(acme, month) for month in ("2026-09", "2026-10")}
    claim = {"accounts": [OTHER_ACCOUNT], "tags": {"Env": "x"}, "from": "2026-10-10"}
    changed = with_claims(acme, "lab", claim)
    assert marks(changed, "2026-09").items() >= before["2026-09"].items()
    after = marks(changed, "2026-10")
    assert {name for name in before["2026-10"] if after[name] != before["2026-10"][name]} == {
        "dev", "unassigned",
    }  # fmt: skip
    # An end after the month, or another spelling of the same claim, is no change of the month.
    longer = with_claims(acme, "lab", {**claim, "tags": {"Env": ["x"]}, "to": "2026-12-01"})
    assert marks(longer, "2026-10") == after
    follows = changed.model_copy(update={"without_value": "follow"})
    assert {n for n, mark in marks(follows, "2026-10").items() if mark != after[n]} == set(after)
    assert marks(follows, "2026-09") == marks(changed, "2026-09")


KEYS = st.sampled_from(("Env", "Team"))
VALUES = st.lists(st.sampled_from("abc"), min_size=1, max_size=2)
CLAIMS = st.builds(
    lambda tags, regions, accounts, priority: Claim.model_validate(
        {"priority": priority}
        | ({"tags": tags} if tags else {})
        | ({"regions": regions} if regions else {})
        | ({"accounts": accounts} if accounts else {})
    ),
    st.dictionaries(KEYS, VALUES, min_size=1),
    st.none() | VALUES,
    st.none() | st.lists(st.sampled_from((ACCOUNT, OTHER_ACCOUNT)), min_size=1),
    st.sampled_from((1, 2)),
)


@given(CLAIMS, CLAIMS)
def test_two_claims_may_meet_when_a_charge_meets_both(first: Claim, second: Claim) -> None:
    charges = [
        ChargeValues(account, date(2026, 9, 1), region, tags={"Env": env, "Team": team})
        for account in (ACCOUNT, OTHER_ACCOUNT)
        for region in "abc"
        for env in "abc"
        for team in "abc"
    ]
    meets_both = any(
        match_claim(first, each) is Match.YES and match_claim(second, each) is Match.YES
        for each in charges
    )
    assert first.may_meet(second) is second.may_meet(first) is meets_both
    assert first.conflicts_with(second) is (meets_both and first.priority == second.priority)
