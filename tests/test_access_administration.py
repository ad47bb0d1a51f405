"""Who may give and take access: the command line, operators, and administrators of one tenant.

Put here: what each actor can and cannot change, and that changes are recorded. Keep out: what
access permits (test_access.py), the commands (test_access_commands.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from finops_pipeline.errors import (
    FinopsError,
    GrantRefused,
    NotGranted,
    PermissionMissing,
    RegistryError,
    Unknown,
)
from finops_pipeline.serve.access.access_administration import AccessAdministration
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.grants import Extent, Limits, NewGrant
from finops_pipeline.serve.access.principals import Identity, PrincipalState
from finops_pipeline.serve.access.token_administration import TokenAdministration, TokenRequest
from finops_pipeline.serve.access.verified_access import Permission, Role
from tests.support.access_tenants import AccessDesk, environments, open_desk, projects

VIEWER, ADMIN = NewGrant(Role.VIEWER), NewGrant(Role.ADMIN)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[AccessDesk]:
    opened = open_desk(tmp_path / "data")
    yield opened
    opened.control.close()


def as_administrator(desk: AccessDesk, tenant: str) -> tuple[Actor, AccessAdministration]:
    """An administrator of a tenant, and the access that they manage."""
    caller = desk.caller(f"{tenant}/boss", Role.ADMIN)
    access = desk.control.authorize(caller, tenant, Permission.ADMINISTER)
    actor = Actor.administrator(caller, access, "req-1")
    return actor, AccessAdministration(desk.control, actor)


def test_an_administrator_manages_services_tokens_and_grants_of_the_tenant(
    desk: AccessDesk,
) -> None:
    actor, managed = as_administrator(desk, "acme")
    tokens = TokenAdministration(desk.control, actor)
    text = tokens.create(TokenRequest("acme/bi", grant=NewGrant(Role.ANALYST, projects("prod"))))
    caller = desk.control.authenticate_token(text.text)
    assert desk.control.authorize(caller, "acme", Permission.QUERY).scope.projects == ("prod",)
    managed.give("acme", "acme/bi", VIEWER)
    assert [str(grant) for grant in managed.grants("acme")] == [
        "viewer of the whole tenant",
        "admin of the whole tenant",
    ]
    assert [principal.name for principal in managed.principals()] == ["acme/bi", "acme/boss"]
    assert {token.principal for token in tokens.tokens()} == {"acme/bi", "acme/boss"}
    tokens.revoke(text.prefix)
    managed.set_state("acme/bi", PrincipalState.DISABLED)
    managed.take("acme", "acme/boss")
    recorded = [(e.principal, e.action, e.request_id) for e in desk.log("acme")[3:]]
    assert recorded == [("acme/boss", action, "req-1") for action in (
        "principal add", "grant add", "token create", "grant add", "token revoke",
        "principal disable", "grant remove")]  # fmt: skip


def test_an_administrator_reaches_nothing_of_another_tenant(desk: AccessDesk) -> None:
    """Whatever exists elsewhere is refused with the words for what does not exist."""
    foreign = desk.token("globex/bi")
    desk.managed.add_principal("nightly")
    desk.managed.give("globex", "nightly", VIEWER)
    shared = desk.tokens.create(TokenRequest("nightly"))
    before = desk.log("globex")
    actor, managed = as_administrator(desk, "acme")
    tokens = TokenAdministration(desk.control, actor)
    pairs = [
        (lambda: managed.grants("globex"), lambda: managed.grants("initech")),
        (lambda: managed.give("globex", "acme/boss", VIEWER),
         lambda: managed.give("initech", "acme/boss", VIEWER)),
        (lambda: managed.give("acme", "globex/bi", VIEWER),
         lambda: managed.give("acme", "initech/bi", VIEWER)),
        (lambda: managed.give("acme", "nightly", VIEWER),
         lambda: managed.give("acme", "nobody", VIEWER)),
        (lambda: managed.take("acme", "nightly"), lambda: managed.take("acme", "nobody")),
        (lambda: managed.set_state("nightly", PrincipalState.DISABLED),
         lambda: managed.set_state("nobody", PrincipalState.DISABLED)),
        (lambda: managed.add_principal("globex/new"), lambda: managed.add_principal("initech/new")),
        (lambda: managed.add_principal("nightly"), lambda: managed.add_principal("nobody")),
        (lambda: tokens.create(TokenRequest("nightly")),
         lambda: tokens.create(TokenRequest("nobody"))),
        (lambda: tokens.create(TokenRequest("globex/bi", grant=VIEWER)),
         lambda: tokens.create(TokenRequest("initech/bi", grant=VIEWER))),
        (lambda: tokens.tokens("globex/bi"), lambda: tokens.tokens("initech/bi")),
        (lambda: tokens.tokens("nightly"), lambda: tokens.tokens("nobody")),
        (lambda: tokens.revoke(foreign[:12]), lambda: tokens.revoke("fow_AAAAAAAA")),
        (lambda: tokens.revoke(shared.prefix), lambda: tokens.revoke("fow_AAAAAAAA")),
    ]  # fmt: skip
    for to_foreign, to_unknown in pairs:
        refused = []
        for attempt in (to_foreign, to_unknown):
            with pytest.raises((GrantRefused, NotGranted)) as error:
                attempt()  # type: ignore[no-untyped-call]
            text = str(error.value)
            for word in ("globex", "initech", "nightly", "nobody", foreign[:12], shared.prefix,
                         "fow_AAAAAAAA"):  # fmt: skip
                text = text.replace(word, "X")
            refused.append((type(error.value), text))
        assert refused[0] == refused[1]
    assert desk.log("globex") == before
    assert desk.control.authenticate_token(foreign)
    assert [p.name for p in managed.principals()] == ["acme/boss"]
    refusals = [e for e in desk.log() if e.outcome == "refused" and e.principal == "acme/boss"]
    assert len(refusals) > 10, "attempts are recorded where only operators see them"


def test_an_administrator_creates_no_principal_of_the_installation(desk: AccessDesk) -> None:
    _, managed = as_administrator(desk, "acme")
    for attempt in (
        lambda: managed.add_principal("helper"),
        lambda: managed.add_principal("acme/helper", is_operator=True),
        lambda: managed.add_principal("eve", Identity("https://login.example", "eve")),
    ):
        with pytest.raises(GrantRefused):
            attempt()
    assert [p.name for p in desk.managed.principals()] == ["acme/boss"]


def test_a_viewer_analyst_or_foreign_administrator_cannot_act(desk: AccessDesk) -> None:
    boss = desk.caller("globex/boss", Role.ADMIN)
    for role in (Role.VIEWER, Role.ANALYST):
        caller = desk.caller(f"acme/{role}", role)
        access = desk.control.authorize(caller, "acme", Permission.READ)
        with pytest.raises(PermissionMissing):
            Actor.administrator(caller, access)
        with pytest.raises(PermissionMissing):
            Actor.administrator(boss, access)
        with pytest.raises(PermissionMissing):
            Actor.operator(caller)
    with pytest.raises(PermissionMissing):
        Actor.operator(boss)
    own = desk.control.authorize(boss, "globex", Permission.ADMINISTER)
    with pytest.raises(PermissionMissing):
        Actor.administrator(desk.caller("acme/boss", Role.ADMIN), own)


def test_an_operator_manages_every_tenant(desk: AccessDesk) -> None:
    desk.managed.add_principal("root", is_operator=True)
    caller = desk.control.authenticate_token(desk.tokens.create(TokenRequest("root")).text)
    managed = AccessAdministration(desk.control, Actor.operator(caller))
    for tenant in ("acme", "globex"):
        managed.give(tenant, "root", VIEWER)
        assert desk.log(tenant)[-1].principal == "root"
    assert len(desk.control.tenants_of(caller)) == 2


def test_an_admin_grant_is_of_the_whole_tenant(desk: AccessDesk) -> None:
    for limits in (projects("prod"), environments("test"), projects()):
        with pytest.raises(GrantRefused, match="an admin manages the whole tenant"):
            desk.token("acme/boss", Role.ADMIN, limits)
    assert desk.managed.principals() == [], "the service was not created either"


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (projects("prd"), "'prd' is not one of the tenant's.*Did you mean prod"),
        (projects("prod", "globex"), "'globex' is not one"),
        (environments("prod"), "'prod' is not one.*one of: production, test, unassigned"),
        (environments(""), "'' is not one"),
        (projects(""), "'' is not one"),
        (projects(), "no project was given"),
        (environments(), "no environment was given"),
        (Limits(Extent.PROJECTS, ("x" * 10**6,)), "is not one"),
    ],
    ids=str,
)
def test_a_limit_names_what_exists(desk: AccessDesk, limits: Limits, text: str) -> None:
    with pytest.raises(GrantRefused, match=text) as refused:
        desk.token("acme/ci", Role.VIEWER, limits)
    assert len(str(refused.value)) < 400
    assert desk.log("acme") == [] and desk.managed.principals() == []


def test_a_service_of_a_tenant_has_no_grant_elsewhere(desk: AccessDesk) -> None:
    desk.token("acme/ci")
    with pytest.raises(GrantRefused, match="a service of another tenant"):
        desk.managed.give("globex", "acme/ci", VIEWER)


WRONG_NAMES = ["", " ", "a b", "a/b/c", "/", "acme/", "/x", "-x", "x\n", "é", "x" * 200, "../x",
               "acme/../x", "x;drop table grants"]  # fmt: skip


@pytest.mark.parametrize("name", WRONG_NAMES)
def test_a_name_has_plain_characters(desk: AccessDesk, name: str) -> None:
    with pytest.raises((GrantRefused, RegistryError)):
        desk.managed.add_principal(name)


def test_names_that_are_taken_or_unknown_are_refused(desk: AccessDesk) -> None:
    desk.managed.add_principal("nightly")
    desk.managed.add_principal("acme/ci")
    desk.managed.add_principal("globex/ci")
    for name in ("nightly", "acme/ci"):
        with pytest.raises(GrantRefused, match="is taken"):
            desk.managed.add_principal(name)
    for attempt in (lambda: desk.managed.give("acme", "nightl", VIEWER),
                    lambda: desk.tokens.create(TokenRequest("nightl")),
                    lambda: desk.managed.set_state("nightl", PrincipalState.DISABLED)):  # fmt: skip
        with pytest.raises(GrantRefused, match="Did you mean nightly"):
            attempt()
    with pytest.raises(GrantRefused, match="has no grant"):
        desk.managed.take("acme", "nightly")
    with pytest.raises(Unknown):
        desk.managed.give("initech", "nightly", VIEWER)


@pytest.mark.parametrize("days", [0, -1, 731, 10**9])
def test_a_token_is_valid_for_at_most_two_years(desk: AccessDesk, days: int) -> None:
    with pytest.raises(GrantRefused, match="cannot be valid"):
        desk.tokens.create(TokenRequest("acme/ci", days, grant=VIEWER))


def test_a_whole_token_can_be_revoked_and_is_not_repeated(desk: AccessDesk) -> None:
    text = desk.token("acme/ci")
    assert desk.tokens.revoke(text).prefix == text[:12]
    for wrong in (text[:11], text[:8] + "%%%%" + text[12:], "fow_", "", text[12:]):
        with pytest.raises(GrantRefused) as refused:
            desk.tokens.revoke(wrong)
        assert text[12:] not in str(refused.value)
    assert [entry.action for entry in desk.log("acme")].count("token revoke") == 1
    desk.tokens.revoke(text)
    assert [entry.action for entry in desk.log("acme")].count("token revoke") == 1


FULL = """
create trigger full before insert on audit_log begin select raise(abort, 'no room'); end
"""


def test_a_change_that_cannot_be_recorded_is_not_made(desk: AccessDesk) -> None:
    """The entry and the change are one transaction, so either is undone with the other."""
    text = desk.token("acme/ci")
    with pytest.raises(FinopsError, match="nothing was done"):
        desk.control.store.write(lambda db: db.exec_driver_sql(FULL))
        desk.tokens.revoke(text)
    assert desk.control.authenticate_token(text).name == "acme/ci"
