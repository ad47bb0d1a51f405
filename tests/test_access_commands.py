"""The commands for access at the command line: principal, grant, token, audit.

Put here: what users type and read, and the examples of docs/access.md. Keep out: who may do what
(test_access.py, test_access_administration.py), the log (test_audit_log.py).
"""

from __future__ import annotations

import json
import re
import sqlite3
import stat
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from typer.testing import CliRunner

from finops_pipeline.application.lifecycle_changes import Kind, Subject
from finops_pipeline.application.lifecycle_changes import rename as rename_part
from finops_pipeline.cli.app import app
from finops_pipeline.cli.pages import __file__ as PAGES
from finops_pipeline.errors import FinopsError, NotAuthenticated
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.verified_access import Access, Permission
from tests.conftest import TemporaryInstallation
from tests.support.access_tenants import declare_both
from tests.support.printed_commands import code_of_page

DOCUMENT = Path(PAGES).parents[2] / "docs" / "access.md"


@dataclass(frozen=True)
class Place(TemporaryInstallation):
    """An installation whose commands run in this process, because there are many of them."""

    def finops(self, *arguments: str, ok: bool = True) -> CompletedProcess[str]:
        """Run a command; the error of a refused one is on stderr."""
        environment = {"FINOPS_DATA": str(self.data), "COLUMNS": "200"}
        done = CliRunner().invoke(app, list(arguments), env=environment)
        error, code = done.stderr, done.exit_code
        if isinstance(done.exception, FinopsError):
            error, code = f"{error}{done.exception}", 1
        else:
            assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert (code == 0) is ok, f"{arguments}: {done.stdout}\n{error}"
        return CompletedProcess(arguments, code, done.stdout, error)


@pytest.fixture
def two(tmp_path: Path) -> Place:
    """Acme and globex, with the same projects."""
    declare_both(tmp_path / "data")
    return Place(tmp_path / "data")


def authorized(two: Place, token: str, tenant: str) -> Access:
    control = AccessControl(two.installation)
    try:
        return control.authorize(control.authenticate_token(token), tenant, Permission.READ)
    finally:
        control.close()


def listed(two: Place, *arguments: str) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads(two.finops(*arguments, "--format", "json").stdout)
    return loaded


def test_a_token_from_creation_to_revocation(two: Place) -> None:
    created = two.finops("token", "create", "acme/grafana", "--role", "viewer", "--label", "board")
    token = created.stdout.strip()
    assert re.fullmatch(r"fow_[\w-]{43}", token), "only the token is on stdout"
    assert token not in created.stderr and "not shown again" in created.stderr
    assert authorized(two, token, "acme").scope.projects is None
    (row,) = listed(two, "token", "list")
    assert (row["token"], row["principal"], row["label"]) == (token[:12], "acme/grafana", "board")
    assert row["state"] == "active" and row["last_used_at"]
    shown = two.finops("token", "list").stdout + two.finops("token", "list", "acme/grafana").stdout
    assert token[:12] in shown and token[:13] not in shown
    assert "revoked" in two.finops("token", "revoke", token[:12]).stdout
    with pytest.raises(NotAuthenticated, match="is revoked"):
        authorized(two, token, "acme")
    assert "already revoked" in two.finops("token", "revoke", token[:12]).stdout
    assert listed(two, "token", "list")[0]["state"] == "revoked"


def test_a_grant_from_adding_to_removing(two: Place) -> None:
    two.finops("principal", "add", "nightly")
    token = two.finops("token", "create", "nightly").stdout.strip()
    for tenant in ("acme", "globex"):
        two.finops("grant", "add", tenant, "nightly", "--role", "viewer", "--environment", "test")
        assert authorized(two, token, tenant).scope.projects == ("lab",)
    added = two.finops("grant", "add", "acme", "nightly", "--role", "analyst",
                       "--project", "prod", "--project", "lab").stdout  # fmt: skip
    assert added == "+ nightly: analyst of projects prod, lab in acme\n"
    (grant,) = listed(two, "grant", "list", "acme")
    assert (grant["role"], grant["extent"], grant["names"]) == ("analyst", "projects", "prod, lab")
    assert grant["created_by"] == "command line"
    assert authorized(two, token, "acme").scope.projects == ("lab", "prod")
    two.finops("grant", "remove", "acme", "nightly")
    assert listed(two, "grant", "list", "acme") == []
    assert "Nobody has access to acme" in two.finops("grant", "list", "acme").stdout
    assert authorized(two, token, "globex").scope.projects == ("lab",)
    refused = two.finops("grant", "remove", "acme", "nightly", ok=False).stderr
    assert "nightly has no grant in tenant acme" in refused


def test_principals_are_listed_disabled_and_enabled(two: Place) -> None:
    two.finops("principal", "add", "alice", "--issuer", "https://login.example", "--subject", "s1",
               "--email", "alice@acme.example")  # fmt: skip
    two.finops("principal", "add", "root", "--operator")
    two.finops("token", "create", "acme/ci", "--role", "admin")
    rows = {row["name"]: row for row in listed(two, "principal", "list")}
    assert {name: row["kind"] for name, row in rows.items()} == {
        "alice": "person", "root": "service", "acme/ci": "service"}  # fmt: skip
    assert rows["alice"]["issuer"] == "https://login.example" and rows["alice"]["subject"] == "s1"
    assert [name for name, row in rows.items() if row["is_operator"]] == ["root"]
    assert [row["name"] for row in listed(two, "principal", "list", "acme")] == ["acme/ci"]
    assert "disabled" in two.finops("principal", "disable", "acme/ci").stdout
    assert "disabled" in two.finops("principal", "list").stdout
    assert listed(two, "grant", "list", "acme") == []
    two.finops("principal", "enable", "acme/ci")
    assert len(listed(two, "grant", "list", "acme")) == 1


@pytest.mark.parametrize(
    ("arguments", "text", "code"),
    [
        ("token create acme/ci --role owner", "owner", 2),
        ("token create acme/ci --role viewer --project prd", "Did you mean prod", 1),
        ("token create acme/ci --role viewer --environment prod", "one of: production, test", 1),
        ("token create acme/ci --role viewer --project prod --environment test", "not both", 2),
        ("token create acme/ci --role admin --project prod", "manages the whole tenant", 1),
        ("token create acme/ci --project prod", "give --role, too", 2),
        ("token create acme/ci", "there is no principal acme/ci", 1),
        ("token create ci --role viewer", "no tenant's service", 1),
        ("token create acme/ci --role viewer --days 0", "cannot be valid for 0 days", 1),
        ("token create initech/ci --role viewer", "tenant initech is not known", 1),
        ("token revoke nothing", "there is no token 'nothing'", 1),
        ("grant add acme nobody --role viewer", "there is no principal nobody", 1),
        ("grant add acme nobody", "--role", 2),
        ("grant add acmee nobody --role viewer", "tenant acmee is not known", 1),
        ("principal add x --issuer https://login.example", "a person was given", 1),
        ("principal add acme/x --operator", "Use the name x", 1),
        ("principal disable nobody", "there is no principal nobody", 1),
        ("audit initech", "tenant initech is not known", 1),
        ("audit acme --from yesterday", "YYYY-MM-DD", 2),
        ("audit acme --format parquet", "give table, csv or json", 2),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(
    two: Place, arguments: str, text: str, code: int
) -> None:
    done = two.finops(*arguments.split(), ok=False)
    assert (done.returncode, text in " ".join(done.stderr.replace("│", " ").split())) == (
        code,
        True,
    )
    assert listed(two, "token", "list") == listed(two, "principal", "list") == []
    assert listed(two, "audit") == listed(two, "audit", "acme") == []


def test_the_audit_log_at_the_command_line(two: Place) -> None:
    token = two.finops("token", "create", "acme/ci", "--role", "viewer").stdout.strip()
    two.finops("token", "create", "globex/ci", "--role", "viewer")
    two.finops("principal", "add", "nightly")
    entries = listed(two, "audit", "acme")
    assert [entry["action"] for entry in entries] == ["principal add", "grant add", "token create"]
    assert {entry["principal"] for entry in entries} == {"command line"}
    assert "globex" not in json.dumps(entries)
    assert [entry["detail"] for entry in listed(two, "audit")] == ["service nightly"]
    csv = two.finops("audit", "acme", "--format", "csv").stdout.splitlines()
    assert len(csv) == 4 and csv[0].startswith("tenant_id,number,at,principal_id,principal,token")
    shown = two.finops("audit", "acme").stdout
    assert "command line" in shown and token[:12] in shown and token not in shown
    day = entries[0]["at"][:10]
    assert len(listed(two, "audit", "acme", "--from", day, "--to", day)) == 3
    assert listed(two, "audit", "acme", "--to", "2020-01-01") == []
    assert listed(two, "audit", "acme", "--from", "2999-01-01") == []
    assert listed(two, "audit", entries[0]["tenant_id"]) == entries


def test_an_altered_log_is_reported(two: Place) -> None:
    two.finops("token", "create", "acme/ci", "--role", "viewer")
    two.finops("principal", "add", "nightly")
    verified = two.finops("audit", "--verify")
    assert "4 entries: nothing was altered" in verified.stderr
    chains = listed(two, "audit", "--verify")
    assert [(c["tenant"], c["entries"], c["problem"]) for c in chains] == [
        ("", 1, ""),
        ("acme", 3, ""),
    ]
    assert all(len(chain["last_hash"]) == 64 for chain in chains)
    with closing(sqlite3.connect(two.data / "access.sqlite")) as db, db:
        db.executescript("drop trigger audit_log_no_update; update audit_log set detail = ''")
    done = two.finops("audit", "--verify", ok=False)
    assert "the log of acme was altered: the entry with number 1 was changed" in done.stderr
    assert "the log of the installation was altered" in done.stderr
    assert "altered" in two.finops("audit", "acme", "--verify", ok=False).stderr


def test_grants_follow_the_new_name_of_a_project(two: Place) -> None:
    token = two.finops("token", "create", "acme/ci", "--role", "viewer", "--project", "lab").stdout
    other = two.finops(
        "token", "create", "globex/ci", "--role", "viewer", "--project", "lab"
    ).stdout
    two.finops("project", "rename", "acme/lab", "research")
    assert authorized(two, token.strip(), "acme").scope.projects == ("research",)
    assert authorized(two, other.strip(), "globex").scope.projects == ("lab",)
    assert listed(two, "audit", "acme")[-1]["detail"] == "project lab is now research"
    rename_part(
        two.installation, Subject(Kind.PROJECT, "acme", "research"), "lab"
    )  # a kill between
    assert authorized(two, token.strip(), "acme").scope.projects == ("lab",)


def test_a_grant_does_not_pass_to_the_next_project_of_a_name(two: Place) -> None:
    asked = ("token", "create", "acme/ci", "--role", "viewer", "--project", "lab")
    token = two.finops(*asked).stdout.strip()
    two.finops("project", "remove", "acme/lab")
    two.finops("project", "add", "acme/lab", "--account", "999900001111", "--source", "payer")
    assert authorized(two, token, "acme").scope.projects == ()
    assert listed(two, "audit", "acme")[-1]["detail"] == "project lab was removed"


def test_the_files_are_private(two: Place) -> None:
    two.finops("token", "create", "acme/ci", "--role", "viewer")
    control = AccessControl(two.installation)
    with control.store.reading():
        paths = [path for path in two.data.iterdir() if "access" in path.name]
        modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in paths}
    control.close()
    assert "access.sqlite" in modes and set(modes.values()) == {"0o600"}


def test_the_setting_names_another_file(
    two: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "elsewhere" / "access.sqlite"
    monkeypatch.setenv("FINOPS_ACCESS_URL", f"sqlite:///{path}")
    two.finops("token", "create", "acme/ci", "--role", "viewer")
    assert path.exists() and not (two.data / "access.sqlite").exists()
    monkeypatch.setenv("FINOPS_ACCESS_URL", "postgresql://db/access")
    assert "a SQLite file" in two.finops("token", "list", ok=False).stderr


def test_the_examples_of_the_page_work_from_top_to_bottom(two: Place) -> None:
    """Only the token that the page revokes has to be one that exists."""
    token = ""
    ran = 0
    for language, code in code_of_page(DOCUMENT):
        for line in code.splitlines() if language == "sh" else []:
            words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line)]
            assert words[0] == "finops"
            done = two.finops(*[token if word == "fow_1A2b3C4d" else word for word in words[1:]])
            if words[1:3] == ["token", "create"]:
                token = done.stdout.strip()[:12]
            ran += 1
    assert ran > 15
