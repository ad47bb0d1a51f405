"""Removing and purging while something else happens: a run lands, or a process waits or dies.

acme and globex have a bill each; globex never changes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline.application import lifecycle_changes, purge
from finops_pipeline.application.files_by_hand import FilesByHand
from finops_pipeline.application.ingest import ingest_files
from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import RegistryError
from finops_pipeline.lake import tenant_purge
from finops_pipeline.orchestration.partitions import PartitionRequest, TenantRequest
from finops_pipeline.orchestration.run_work import land_part
from finops_pipeline.orchestration.tenant_parts import TenantPart
from tests.conftest import TemporaryInstallation
from tests.support.beside_globex import MONTH, built_globex, two
from tests.support.bills import deliver, row
from tests.support.globex import ask, finops

__all__ = ["built_globex", "two"]

PURGE = ("tenant", "purge", "acme", "--yes", "acme")
TOTAL = "select sum(billed_cost) as total from monthly_costs"


class Killed(BaseException):
    """Raised in place of killing the process in the middle of its work."""


def after(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, then: Callable[[], Any]) -> None:
    """Call `then` once, right after a function of a module has returned."""
    real, pending = getattr(module, name), [then]

    def wrapped(*arguments: Any, **options: Any) -> Any:
        returned = real(*arguments, **options)
        if pending:
            pending.pop()()
        return returned

    monkeypatch.setattr(module, name, wrapped)


@pytest.fixture
def made(two: TemporaryInstallation) -> TemporaryInstallation:
    deliver(two.data.parent / "acme/cur", [row("7.50")])
    return two


def test_a_source_that_lands_while_it_is_removed_is_kept(
    made: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    after(monkeypatch, lifecycle_changes, "_dependents", lambda: made.ingest("acme"))
    code, output = finops("source", "remove", "acme/payer")
    assert (code, "data of source acme/payer has just landed" in output) == (1, True), output
    assert "--yes acme/payer" in output
    assert finops("source", "remove", "acme/payer", "--yes", "acme/payer")[0] == 0
    assert finops("source", "purge", "acme/payer", "--yes", "acme/payer")[0] == 0
    assert not list(made.folder("acme").rglob(".store/landing/source=payer"))


def test_a_tenant_that_lands_while_it_is_removed_keeps_its_name(
    made: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    after(monkeypatch, lifecycle_changes, "_dependents", lambda: made.ingest("acme"))
    code, output = finops("tenant", "remove", "acme")
    assert (code, "now has data" in output) == (1, True), output
    assert ask(TOTAL, "acme") == [{"total": "7.500000000000000000"}]
    assert "acme" in made.installation.registry.names()


def test_removing_what_has_no_data_leaves_no_folder(made: TemporaryInstallation) -> None:
    assert finops("source", "remove", "acme/payer")[0] in (0, 1)
    assert finops("project", "remove", "acme/prod")[0] == 0
    finops("source", "remove", "acme/payer")
    assert finops("tenant", "remove", "acme")[0] == 0
    assert not list((made.data / "lake").rglob("*acme*"))


def test_a_command_that_waited_for_a_purge_leaves_nothing_for_the_next_tenant_of_that_name(
    made: TemporaryInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.ingest("acme")
    assert finops("tenant", "remove", "acme", "--yes", "acme")[0] == 0
    # The folder is gone, but the name is not free yet: a rebuild that waited makes a folder.
    after(monkeypatch, purge, "delete_folder", lambda: finops("rebuild", "acme"))
    assert finops(*PURGE)[0] == 0
    assert finops("tenant", "add", "acme")[0] == 0
    assert not made.folder("acme").exists()
    assert "no warehouse yet" in finops("query", "acme", "select * from projects")[1]


def test_files_by_hand_that_waited_are_not_landed_for_a_disabled_tenant_or_source(
    made: TemporaryInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bill = next((made.data.parent / "acme/cur").rglob("*.csv.gz"))
    imported = FilesByHand("acme", "payer", [bill])
    for kind, name in (("source", "acme/payer"), ("tenant", "acme")):
        with monkeypatch.context() as patch:
            disabled = (kind, "disable", name)
            after(patch, Installation, "check_files", lambda d=disabled: finops(*d))
            with pytest.raises(RegistryError, match="is disabled"):
                ingest_files(made.installation, imported)
        assert finops(kind, "enable", name)[0] == 0
    assert made.installation.status("acme") == []


def test_dagster_lands_nothing_for_a_tenant_that_was_disabled_since_the_run_was_queued(
    made: TemporaryInstallation,
) -> None:
    request = TenantRequest("acme", (PartitionRequest(f"{MONTH}|acme/payer", "payer", MONTH),))
    for command, undo in (("disable", "enable"), ("remove", "enable")):
        made.ingest("acme")
        confirmed = ("--yes", "acme") if command == "remove" else ()
        assert finops("tenant", command, "acme", *confirmed)[0] == 0
        with pytest.raises(RegistryError, match="tenant acme is"):
            list(land_part(TenantPart(made.installation, request)))
        assert finops("tenant", undo, "acme")[0] == 0


def test_files_that_a_killed_purge_left_behind_still_count_as_data(
    made: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.ingest("acme")
    assert finops("tenant", "remove", "acme", "--yes", "acme")[0] == 0
    real, calls = tenant_purge._delete, list[Path]()

    def die_at_second(folder: Path) -> None:
        calls.append(folder)
        if len(calls) == 2:
            raise Killed
        real(folder)

    with monkeypatch.context() as patch:
        patch.setattr(tenant_purge, "_delete", die_at_second)
        with pytest.raises(Killed):
            finops(*PURGE)
    assert list((made.data / "lake").rglob("*acme*"))
    assert finops("tenant", "enable", "acme")[0] == 0
    assert "--yes acme" in finops("tenant", "remove", "acme")[1]
    assert finops("tenant", "remove", "acme", "--yes", "acme")[0] == 0
    assert finops(*PURGE)[0] == 0
    assert not list((made.data / "lake").rglob("*acme*"))


def rename(before: str, name: str) -> None:
    code, output = finops("project", "rename", f"acme/{before}", name)
    assert code == 0, output


def history() -> dict[tuple[str, bool], str]:
    """The billed cost of each project in the published delivery and in earlier ones."""
    sql = (
        "select project, is_current, sum(billed_cost) as billed from delivery_history"
        " where billed_cost <> 0 group by all"
    )
    return {(r["project"], r["is_current"]): r["billed"][:4] for r in ask(sql, "acme")}


def test_a_renamed_project_loses_no_history(
    made: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even if the command is killed halfway, or an earlier project had the new name."""

    def kill(*_: object) -> None:
        raise Killed

    assert not made.ingest("acme").failed
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(lifecycle_changes, "_with_name", kill)
        installation = made.installation
        subject = lifecycle_changes.Subject(lifecycle_changes.Kind.PROJECT, "acme", "prod")
        lifecycle_changes.rename(installation, subject, "main")
    rename("prod", "main")
    assert not made.ingest("acme").failed
    assert history() == {("main", True): "7.50"}

    for arguments in (
        ("project", "remove", "acme/main", "--yes", "acme/main"),
        ("project", "add", "acme/shop", "--account", "111122223333"),
    ):
        assert finops(*arguments)[0] == 0
    deliver(made.data.parent / "acme/cur", [row("8.25")], MONTH, "two")
    assert not made.ingest("acme").failed
    before = history()
    rename("shop", "main")
    assert not made.ingest("acme").failed
    of_earlier = {key: billed for key, billed in before.items() if not key[1]}
    assert history() == {**of_earlier, ("main", True): "8.25"}
    assert of_earlier == {("main", False): "7.50"}
