"""Who may see what: tokens, grants, limits and lifecycles, at the doorway of every request.

Put here: authentication and authorization in Python. Keep out: who may give access
(test_access_administration.py), the commands (test_access_commands.py), the log itself
(test_audit_log.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from finops_pipeline import clock
from finops_pipeline.application.lifecycle_changes import Kind, Subject, disable, enable, remove
from finops_pipeline.errors import (
    FinopsError,
    GrantRefused,
    NotAuthenticated,
    NotGranted,
    PermissionMissing,
)
from finops_pipeline.serve.access.grants import Limits, NewGrant
from finops_pipeline.serve.access.principals import Identity, PrincipalState
from finops_pipeline.serve.access.token_administration import TokenRequest
from finops_pipeline.serve.access.verified_access import Permission, Role
from finops_pipeline.serve.data_scope import DataScope
from finops_pipeline.tenants.lifecycle import Lifecycle
from tests.support.access_tenants import AccessDesk, declare, environments, open_desk, projects

READ, QUERY, ADMINISTER = Permission.READ, Permission.QUERY, Permission.ADMINISTER


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[AccessDesk]:
    opened = open_desk(tmp_path / "data")
    yield opened
    opened.control.close()


def refusal(desk: AccessDesk, text: object) -> NotAuthenticated:
    with pytest.raises(NotAuthenticated) as refused:
        desk.control.authenticate_token(text)  # type: ignore[arg-type]
    return refused.value


# ---- tokens


def test_a_token_has_256_random_bits_and_only_its_hash_is_stored(desk: AccessDesk) -> None:
    texts = {desk.token("acme/grafana") for _ in range(5)}
    assert len(texts) == 5
    for text in texts:
        assert text.startswith("fow_") and len(text) == 4 + 43
    for path in desk.installation.settings.data_folder.iterdir():
        if path.is_file():
            content = path.read_bytes()
            assert not [text for text in texts if text[4:].encode() in content], path
            assert not [text for text in texts if text[12:].encode() in content], path


def test_only_the_whole_token_is_a_token(desk: AccessDesk) -> None:
    text = desk.token("acme/grafana")
    other = desk.token("globex/grafana")
    assert desk.control.authenticate_token(text).name == "acme/grafana"
    wrong = [text[:12], text[:-1], f"{text}A", f" {text}", f"{text}\n", text.swapcase(),
             text.lower(), text[:12] + other[12:], "fow_" + "A" * 43, "", "fow_", "Bearer " + text,
             text.replace("fow_", "FOW_"), "fow_" + "é" * 43, "fow_" + "\ud800" * 43, "x" * 10**6,
             None, 7, text.encode(), "fow_" + "%" * 43, "fow_" + "_" * 43]  # fmt: skip
    texts = {str(refusal(desk, attempt)) for attempt in wrong if attempt != text}
    assert len(texts) == 1, "each is refused with the same words"
    assert desk.control.authenticate_token(text).name == "acme/grafana"


def test_an_expired_token_is_refused_from_its_second_on(
    desk: AccessDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = desk.tokens.create(TokenRequest("acme/ci", 1, grant=NewGrant(Role.VIEWER))).text
    created = clock.now()
    monkeypatch.setattr(clock, "now", lambda: created + timedelta(hours=23, minutes=59))
    assert desk.control.authenticate_token(text).name == "acme/ci"
    monkeypatch.setattr(clock, "now", lambda: created + timedelta(days=1, seconds=2))
    assert "is expired" in refusal(desk, text).found
    assert (desk.log()[-1].action, desk.log()[-1].outcome) == ("authenticate", "refused")
    assert desk.log()[-1].principal == "acme/ci"


def test_a_revoked_token_is_refused_by_the_next_request_and_others_work(desk: AccessDesk) -> None:
    first, second = desk.token("acme/ci"), desk.token("acme/ci")
    assert desk.control.authenticate_token(first)
    desk.tokens.revoke(first[:12])
    assert "is revoked" in refusal(desk, first).found
    assert desk.control.authenticate_token(second).name == "acme/ci"


def test_a_disabled_principal_has_no_access_with_any_token(desk: AccessDesk) -> None:
    text, other = desk.token("acme/ci"), desk.token("globex/ci")
    caller = desk.control.authenticate_token(text)
    desk.managed.set_state("acme/ci", PrincipalState.DISABLED)
    assert "acme/ci is disabled" in refusal(desk, text).found
    with pytest.raises(NotAuthenticated):  # also for a request that was authenticated before
        desk.control.authorize(caller, "acme", READ)
    assert desk.control.tenants_of(caller) == []
    assert desk.control.authenticate_token(other).name == "globex/ci"
    with pytest.raises(GrantRefused, match="is disabled"):
        desk.tokens.create(TokenRequest("acme/ci"))
    desk.managed.set_state("acme/ci", PrincipalState.ACTIVE)
    assert desk.control.authorize(desk.control.authenticate_token(text), "acme", READ)


def test_the_last_use_is_noted_at_most_once_a_minute(
    desk: AccessDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = desk.token("acme/ci")
    start = clock.now()
    seen = []
    for seconds in (0, 30, 61, 90):
        monkeypatch.setattr(clock, "now", lambda at=start + timedelta(seconds=seconds): at)
        desk.control.authenticate_token(text)
        (token,) = desk.tokens.tokens("acme/ci")
        seen.append(token.last_used_at)
    assert seen == [start.isoformat()] * 2 + [(start + timedelta(seconds=61)).isoformat()] * 2


# ---- tenants


def test_a_foreign_tenant_and_an_unknown_one_are_refused_alike(desk: AccessDesk) -> None:
    caller = desk.caller("acme/ci", Role.ADMIN)
    for permission in Permission:
        errors = {}
        for tenant in ("globex", "initech"):
            with pytest.raises(FinopsError) as refused:
                desk.control.authorize(caller, tenant, permission)
            errors[tenant] = refused.value
        assert type(errors["globex"]) is type(errors["initech"]) is NotGranted
        foreign, unknown = (errors[t].as_dict() for t in ("globex", "initech"))
        assert {k: str(v).replace("globex", "initech") for k, v in foreign.items()} == {
            k: str(v) for k, v in unknown.items()
        }


@pytest.mark.parametrize(
    "tenant",
    ["", None, "ACME", "acme ", "acme\n", "../acme", "acme/../globex", "%", "*", "a" * 10**5,
     "acme\0", "\ud800", b"acme", 0, True, [], "-", "null", "None"],
    ids=ascii,
)  # fmt: skip
def test_no_name_means_all_tenants_or_another_one(desk: AccessDesk, tenant: object) -> None:
    caller = desk.caller("acme/ci", Role.ADMIN)
    with pytest.raises(NotGranted) as refused:
        desk.control.authorize(caller, tenant, READ)  # type: ignore[arg-type]
    assert len(str(refused.value)) < 400
    assert desk.log()[-1].outcome == "refused"


def test_a_role_permits_what_it_says(desk: AccessDesk) -> None:
    permitted = {Role.VIEWER: {READ}, Role.ANALYST: {READ, QUERY},
                 Role.ADMIN: {READ, QUERY, ADMINISTER}}  # fmt: skip
    for role, permissions in permitted.items():
        caller = desk.caller(f"acme/{role}", role)
        for permission in Permission:
            if permission in permissions:
                access = desk.control.authorize(caller, "acme", permission)
                assert (access.role, access.scope) == (role, DataScope("acme"))
                continue
            with pytest.raises(PermissionMissing):
                desk.control.authorize(caller, "acme", permission)
            assert desk.log("acme")[-1].action == f"authorize {permission}"
            assert desk.log("acme")[-1].outcome == "refused"


def test_an_operator_sees_no_costs_without_a_grant_that_is_recorded(desk: AccessDesk) -> None:
    desk.managed.add_principal("root", is_operator=True)
    caller = desk.control.authenticate_token(desk.tokens.create(TokenRequest("root")).text)
    desk.control.require_operator(caller)
    assert desk.control.tenants_of(caller) == []
    for permission in Permission:
        with pytest.raises(NotGranted):
            desk.control.authorize(caller, "acme", permission)
    desk.managed.give("acme", "root", NewGrant(Role.VIEWER))
    assert desk.control.authorize(caller, "acme", READ).role is Role.VIEWER
    assert (desk.log("acme")[-1].action, desk.log("acme")[-1].detail) == (
        "grant add",
        "root: viewer of the whole tenant",
    )
    with pytest.raises(PermissionMissing):
        desk.control.require_operator(desk.caller("acme/ci", Role.ADMIN))


def test_tenants_of_lists_own_tenants_only(desk: AccessDesk) -> None:
    desk.managed.add_principal("both")
    desk.managed.give("acme", "both", NewGrant(Role.VIEWER, projects("lab")))
    desk.managed.give("globex", "both", NewGrant(Role.ADMIN))
    caller = desk.control.authenticate_token(desk.tokens.create(TokenRequest("both")).text)
    listed = [(a.role, a.tenant, a.scope.projects) for a in desk.control.tenants_of(caller)]
    assert listed == [(Role.VIEWER, "acme", ("lab",)), (Role.ADMIN, "globex", None)]
    assert [a.tenant for a in desk.control.tenants_of(desk.caller("acme/ci"))] == ["acme"]
    desk.managed.take("acme", "both")
    assert [a.tenant for a in desk.control.tenants_of(caller)] == ["globex"]
    with pytest.raises(NotGranted):
        desk.control.authorize(caller, "acme", READ)


# ---- limits


def scope(desk: AccessDesk, limits: Limits) -> tuple[str, ...] | None:
    caller = desk.caller("acme/limited", Role.ANALYST, limits)
    return desk.control.authorize(caller, "acme", READ).scope.projects


def test_limits_are_the_projects_that_they_name(desk: AccessDesk) -> None:
    assert scope(desk, Limits()) is None
    assert scope(desk, projects("prod")) == ("prod",)
    assert scope(desk, projects("shop", "prod")) == ("prod", "shop")
    assert scope(desk, projects("unassigned")) == ("unassigned",)
    assert scope(desk, environments("production")) == ("prod", "shop")
    assert scope(desk, environments("test", "unassigned")) == ("lab", "unassigned")


def test_limits_follow_the_registry_and_never_become_everything(desk: AccessDesk) -> None:
    by_environment = desk.caller("acme/tester", Role.VIEWER, environments("test"))
    by_project = desk.caller("acme/labs", Role.VIEWER, projects("lab"))
    registry = desk.installation.registry
    acme = registry.tenant("acme")
    moved = [replace_environment(p, "test") if p.name == "shop" else p for p in acme.projects]
    registry.save(acme.model_copy(update={"projects": tuple(moved)}))
    assert authorized(desk, by_environment) == ("lab", "shop")
    registry.save(acme.model_copy(update={"projects": acme.projects[:0]}))
    assert authorized(desk, by_environment) == ()
    assert authorized(desk, by_project) == ()


def replace_environment(project: object, environment: str) -> object:
    return project.model_copy(update={"environment": environment})  # type: ignore[attr-defined]


def authorized(desk: AccessDesk, caller: object) -> tuple[str, ...] | None:
    return desk.control.authorize(caller, "acme", READ).scope.projects  # type: ignore[arg-type]


@pytest.mark.parametrize("column", ["names", "project_ids"])
@pytest.mark.parametrize("lost", ["null", "[]", '""', "{}", '["nothing", "else"]'])
def test_names_that_were_lost_show_nothing(desk: AccessDesk, column: str, lost: str) -> None:
    caller = desk.caller("acme/limited", Role.VIEWER, projects("prod"))
    with closing(sqlite3.connect(desk.control.store.path)) as db, db:
        db.execute(f"update grants set {column} = ?", (lost,))
    assert authorized(desk, caller) == ()


# ---- lifecycles


def test_a_disabled_tenant_is_shown_and_a_removed_one_is_not(desk: AccessDesk) -> None:
    caller, subject = desk.caller("acme/ci"), Subject(Kind.TENANT, "acme")
    (desk.installation.settings.data_folder / "lake/tenant=acme/x").mkdir(parents=True)
    disable(desk.installation, subject)
    assert desk.control.authorize(caller, "acme", READ)
    enable(desk.installation, subject)
    identity = desk.installation.registry.tenant("acme")
    desk.installation.registry.save(identity.model_copy(update={"state": Lifecycle.REMOVED}))
    with pytest.raises(NotGranted):
        desk.control.authorize(caller, "acme", READ)
    assert desk.control.tenants_of(caller) == []
    with pytest.raises(GrantRefused, match="was removed"):
        desk.managed.give("acme", "acme/ci", NewGrant(Role.VIEWER))
    enable(desk.installation, subject)
    assert [a.tenant for a in desk.control.tenants_of(caller)] == ["acme"]


def test_a_tenant_declared_again_under_its_name_is_another_tenant(
    desk: AccessDesk, tmp_path: Path
) -> None:
    text = desk.token("acme/ci", Role.ADMIN)
    caller = desk.control.authenticate_token(text)
    old = desk.log("acme")
    remove(desk.installation, Subject(Kind.TENANT, "acme"), "acme")
    with pytest.raises(NotGranted):
        desk.control.authorize(caller, "acme", READ)
    declare(tmp_path / "data", "acme")
    for again in (caller, desk.control.authenticate_token(text)):
        with pytest.raises(NotGranted):
            desk.control.authorize(again, "acme", READ)
        assert desk.control.tenants_of(again) == []
    assert desk.managed.grants("acme") == [] and desk.log("acme") == []
    assert len(old) == 3
    new = desk.caller("acme/ci")  # the name is free in the new tenant
    assert desk.control.authorize(new, "acme", READ).tenant_id != ""
    with pytest.raises(NotGranted):
        desk.control.authorize(caller, "acme", READ)


def test_a_tenant_without_an_external_id_has_no_grants(desk: AccessDesk) -> None:
    caller = desk.caller("acme/ci")
    with closing(sqlite3.connect(desk.control.store.path)) as db, db:
        db.execute("update grants set tenant_id = ''")
    registry = desk.installation.settings.data_folder / "registry.sqlite"
    with closing(sqlite3.connect(registry)) as db, db:
        db.execute("update tenants set external_id = '' where tenant = 'acme'")
    with pytest.raises(NotGranted):
        desk.control.authorize(caller, "acme", READ)
    assert desk.control.tenants_of(caller) == []


# ---- people


def test_a_person_has_one_principal(desk: AccessDesk) -> None:
    alice = Identity("https://login.example", "s-1", "alice@acme.example")
    added = desk.managed.add_principal("alice", alice)
    assert added.identity == alice
    for again in (replace(alice, email=""), replace(alice, subject="")):
        with pytest.raises(GrantRefused, match="already the principal alice"):
            desk.managed.add_principal("alice-2", again)
    desk.managed.add_principal("alice-2", replace(alice, issuer="https://other.example"))
    for incomplete in (Identity("", "s-1"), Identity("https://login.example")):
        with pytest.raises(GrantRefused, match="a person was given"):
            desk.managed.add_principal("bob", incomplete)
