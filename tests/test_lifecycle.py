"""Disabling, enabling, renaming, removing and purging tenants, sources and projects.

acme has two bills and two projects. globex has the same names and accounts, and never changes.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.ledger.alert_records import read_alerts, read_messages
from finops_pipeline.ledger.waste_decisions import read_decisions
from finops_pipeline.orchestration.partitions import partitions
from tests.conftest import TemporaryInstallation
from tests.support.beside_globex import Census, rows
from tests.support.bills import deliver, row
from tests.support.globex import ask, finops
from tests.support.polled_tenants import look
from tests.support.rewound_folder import rewound_by
from tests.support.source_traces import plant_traces

PROD, DEV, NEW = "111122223333", "444455556666", "777788889999"
MONTHS = ("2026-08", "2026-09")
DECLARED = """
- name: {name}
  display_name: {name} Ltd
  sources:
  - {{name: payer, format: legacy-cur, location: {folder}/{name}/payer}}
  - {{name: old-payer, format: legacy-cur, location: {folder}/{name}/old}}
  projects:
  - {{name: prod, accounts: ["111122223333"]}}
  - {{name: dev, accounts: ["444455556666"]}}
"""


def make_both(folder: Path) -> None:
    """Both tenants, ingested."""
    made = TemporaryInstallation(folder / "data")
    text = "tenants:"
    for name, factor in (("acme", 1), ("globex", 100)):
        text += DECLARED.format(name=name, folder=folder)
        for month in MONTHS:
            lines = [(PROD, 10), (DEV, 20), (NEW, 40)]
            bill = [row(str(c * factor), account=a, day=f"{month}-05") for a, c in lines]
            deliver(folder / name / "payer", bill, month)
        old = [row(str(3 * factor), account="222233334444", day="2026-08-07")]
        deliver(folder / name / "old", old, "2026-08")
    (folder / "tenants.yaml").write_text(text)
    made.apply(folder / "tenants.yaml")
    for name in ("acme", "globex"):
        assert not made.ingest(name).failed


pristine, tmp_path = rewound_by(make_both)


@pytest.fixture
def made(empty: TemporaryInstallation) -> TemporaryInstallation:
    """Both tenants as `make_both` made them."""
    return empty


def costs(made: TemporaryInstallation, month: str = "2026-09") -> dict[str, Decimal]:
    """acme's billed cost per project, from the charges; the marts must agree."""
    sql = "select {} as p, sum({}) from {} where {} = '{}' group by all order by all"
    charges = dict(
        rows(made, sql.format("project", "BilledCost", "costs", "billing_period", month))
    )
    marts = dict(
        rows(made, sql.format("project", "billed_cost", "monthly_costs", "billing_period", month))
    )
    assert marts == charges
    return charges


def states(made: TemporaryInstallation, tenant: str = "acme") -> set[str]:
    return {str(status.state) for status in made.installation.status(tenant)}


def done(*arguments: str) -> str:
    code, output = finops(*arguments)
    assert code == 0, output
    return output


def refused(*arguments: str) -> str:
    code, output = finops(*arguments)
    assert code == 1, output
    return output


def test_a_mistyped_source_no_longer_fails_every_run(
    made: TemporaryInstallation, tmp_path: Path
) -> None:
    done("source", "add", "acme/typo", "--format", "cur-2.0", "--location", f"{tmp_path}/nowhere")
    assert "no such folder" in refused("ingest", "acme")
    assert "typo" in done("gaps", "acme")
    assert "enable acme/typo" in done("source", "disable", "acme/typo")
    done("ingest", "acme")
    assert "typo" not in finops("gaps", "acme")[1]
    assert "source acme/typo is disabled" in done("status", "acme")
    assert "disabled" in done("source", "list", "acme")
    code, output = finops("ingest-file", "acme/typo", str(tmp_path / "x.csv"))
    assert code == 1 and "finops source enable acme/typo" in output
    done("source", "enable", "acme/typo")
    assert "no such folder" in refused("ingest", "acme")
    assert "nothing had landed" in done("source", "remove", "acme/typo")
    done("ingest", "acme")
    assert "typo" not in done("status", "acme") + done("source", "list", "acme")


def test_refusals_of_a_removed_source_disappear_from_the_status(
    made: TemporaryInstallation, tmp_path: Path
) -> None:
    deliver(tmp_path / "wrong", [row("x")])
    done("source", "add", "acme/wrong", "--format", "legacy-cur", "--location", f"{tmp_path}/wrong")
    refused("ingest", "acme")
    assert "refused" in states(made)
    done("source", "remove", "acme/wrong")
    assert states(made) == {"reconciled"}


def test_a_removed_source_keeps_its_charges_until_it_is_purged(made: TemporaryInstallation) -> None:
    assert "1 month (2026-08 to 2026-08)" in refused("source", "remove", "acme/old-payer")
    assert "Remove it first" in refused(
        "source", "purge", "acme/old-payer", "--yes", "acme/old-payer"
    )
    done("source", "remove", "acme/old-payer", "--yes", "acme/old-payer")
    done("ingest", "acme")
    done("rebuild", "acme", "--month", "2026-08")
    assert costs(made, "2026-08")["unassigned"] == 43
    assert states(made) == {"reconciled"}
    assert "old-payer is removed" in done("status", "acme")
    assert "cannot be undone" in refused("source", "purge", "acme/old-payer")
    for source in ("old-payer", "payer"):
        plant_traces(made, source)
    assert list(made.folder("acme").rglob("source=old-payer"))
    output = done("source", "purge", "acme/old-payer", "--yes", "acme/old-payer")
    assert "1 month" in output and "deleted" in output
    ledger = open_ledger(made.installation.folder("acme"))
    assert [decision.finding_id for decision in read_decisions(ledger)] == ["w-payer"]
    assert [alert.alert_id for alert in read_alerts(ledger)] == ["a-payer"]
    assert [message.alert_id for message in read_messages(ledger, ["sent"])] == ["a-payer"]
    assert costs(made, "2026-08")["unassigned"] == 40
    assert states(made) == {"reconciled"}
    assert not [path for path in made.folder("acme").rglob("source=old-payer") if path.is_dir()
                and ".folders" not in path.parts]  # fmt: skip
    for name in ("ledger.sqlite", ".ledger-copy.sqlite", "acme.duckdb"):
        assert b"old-payer" not in (made.folder("acme") / name).read_bytes()
    assert "is not known" in refused("history", "acme/old-payer", "2026-08")
    done("ingest", "acme")
    assert costs(made, "2026-08")["unassigned"] == 40
    done("verify", "acme")


def test_a_file_declares_a_removed_source_again_and_deletes_nothing(
    made: TemporaryInstallation, tmp_path: Path
) -> None:
    declared = tmp_path / "tenants.yaml"
    done("source", "remove", "acme/old-payer", "--yes", "acme/old-payer")
    shorter = tmp_path / "shorter.yaml"
    shorter.write_text("\n".join(x for x in declared.read_text().splitlines() if "old" not in x))
    assert done("apply", str(shorter)) == "nothing changed\n"
    output = done("apply", str(declared))
    assert output == "+ source acme/old-payer, which was removed; its data is still there\n"
    done("source", "disable", "acme/old-payer")
    assert done("apply", str(declared)) == "nothing changed\n"
    assert "state: disabled" in done("tenant", "export")


def test_a_removed_source_keeps_its_place(made: TemporaryInstallation, tmp_path: Path) -> None:
    """Otherwise another tenant could read the export whose charges are still in acme's file."""
    (source,) = (s for s in made.installation.registry.tenant("acme").sources if s.name == "payer")
    add = (
        "source",
        "add",
        "globex/stolen",
        "--format",
        "legacy-cur",
        "--location",
        source.location,
    )
    done("source", "remove", "acme/payer", "--yes", "acme/payer")
    assert "belongs to another tenant" in refused(*add)
    done("source", "purge", "acme/payer", "--yes", "acme/payer")
    done(*add)


def test_a_disabled_tenant_is_left_out(
    made: TemporaryInstallation,
) -> None:
    done("tenant", "disable", "acme")
    assert "tenant acme is disabled and is left out" in done("ingest")
    for command in (("ingest", "acme"), ("gaps", "acme")):
        assert "finops tenant enable acme" in refused(*command)
    assert "acme" not in finops("gaps")[1]
    assert "tenant acme is disabled" in done("status")
    assert ask("select sum(BilledCost) as c from costs where billing_period = '2026-09'", "acme")
    due = look(made)
    assert due.examined == 1
    parts = partitions(made.installation.registry.tenants(), "2026-08")
    for definition in (parts.landing, parts.costs, parts.warehouse):
        assert not [key for key in definition.get_partition_keys() if "acme" in key]
    done("tenant", "enable", "acme")
    done("ingest", "acme")


def test_a_purged_tenant_leaves_nothing_to_whoever_has_its_name_next(
    made: TemporaryInstallation, tmp_path: Path, census: Census
) -> None:
    before = census(made.folder("globex"))
    done("backup", "acme", str(tmp_path / "backup"))
    first_id = made.installation.registry.tenant("acme").external_id
    assert "2 months (2026-08 to 2026-09)" in refused("tenant", "remove", "acme")
    done("tenant", "remove", "acme", "--yes", "acme")
    assert "removed" in refused("ingest", "acme")
    assert ask("select count(*) as n from costs", "acme")[0]["n"] == 7
    assert "finops tenant purge acme --yes acme" in refused("tenant", "add", "acme")
    assert "its name as confirmation" in refused("tenant", "purge", "acme", "--yes", "globex")
    assert made.folder("acme").exists()
    assert "deleted" in done("tenant", "purge", "acme", "--yes", "acme")
    assert not list((made.data / "lake").rglob("*acme*"))
    assert b"acme Ltd" not in (made.data / "registry.sqlite").read_bytes()
    assert "is not known" in refused("query", "acme", "select 1")
    done("tenant", "add", "acme", "--display-name", "Another Acme")
    assert made.installation.registry.tenant("acme").external_id != first_id
    assert made.installation.status("acme") == []
    assert not made.folder("acme").exists() or not list(made.folder("acme").rglob("*.parquet"))
    for option in ((), ("--replace",)):
        output = refused("restore", str(tmp_path / "backup"), "acme", *option)
        assert "was purged" in output
    assert census(made.folder("globex")) == before


def test_a_backup_of_a_purged_tenant_can_be_restored_while_its_name_is_free(
    made: TemporaryInstallation, tmp_path: Path
) -> None:
    done("backup", "acme", str(tmp_path / "backup"))
    done("tenant", "remove", "acme", "--yes", "acme")
    done("tenant", "purge", "acme", "--yes", "acme")
    done("restore", str(tmp_path / "backup"), "acme")
    assert costs(made) == {"prod": 10, "dev": 20, "unassigned": 40}
    done("ingest", "acme")


@pytest.mark.parametrize("how", ["disable", "remove"])
def test_charges_of_a_project_that_is_not_in_use_are_unassigned(
    made: TemporaryInstallation, how: str
) -> None:
    if how == "remove":
        assert "its charges for 2 months move to unassigned" in refused(
            "project", "remove", "acme/dev"
        )
        done("project", "remove", "acme/dev", "--yes", "acme/dev")
    else:
        done("project", "disable", "acme/dev")
        assert "its charges are in unassigned" in done("status", "acme")
        assert "finops project enable acme/dev" in refused("ingest", "acme/dev")
    assert "incomplete" in states(made)
    done("ingest", "acme/prod")
    assert costs(made) == {"prod": 10, "unassigned": 60}
    assert states(made) == {"reconciled"}
    assert not rows(made, "select * from projects where project = 'dev'")
    done("verify", "acme")
    if how == "disable":
        done("project", "enable", "acme/dev")
        done("ingest", "acme")
        assert costs(made) == {"prod": 10, "dev": 20, "unassigned": 40}


def test_a_renamed_project_keeps_its_charges_and_its_history(made: TemporaryInstallation) -> None:
    assert "already exists" in refused("project", "rename", "acme/dev", "prod")
    assert "built in" in refused("project", "rename", "acme/unassigned", "rest")
    done("project", "rename", "acme/dev", "development")
    # Who may see only prod must not see dev's charges, which have this name until the next ingest.
    assert "still have this name" in refused("project", "rename", "acme/prod", "dev")
    done("ingest", "acme")
    assert costs(made) == {"prod": 10, "development": 20, "unassigned": 40}
    assert states(made) == {"reconciled"}
    history = rows(made, "select distinct project from delivery_history order by 1")
    assert history == [("development",), ("prod",), ("unassigned",)]
    done("verify", "acme")


def test_names_of_folders_are_not_renamed(made: TemporaryInstallation, tmp_path: Path) -> None:
    output = done("tenant", "rename", "acme", "Acme Group")
    assert "Its name stays acme" in output
    assert made.installation.registry.tenant("acme").display_name == "Acme Group"
    assert "has data for 2 months" in refused("source", "rename", "acme/payer", "main")
    done("source", "add", "acme/typo", "--format", "cur-2.0")
    done("project", "add", "acme/late", "--source", "typo")
    done("source", "rename", "acme/typo", "late-payer")
    tenant = made.installation.registry.tenant("acme")
    assert tenant.project("late").sources == ("late-payer",)
    assert "project remove acme/late" in refused("source", "remove", "acme/late-payer", "--yes",
                                                 "acme/late-payer")  # fmt: skip


def test_a_run_for_one_project_never_publishes_less_than_the_bill(
    made: TemporaryInstallation,
) -> None:
    """Part of an account's charges went missing until the next full run."""
    done("project", "release", "acme/dev", DEV)
    done("project", "add", "acme/search", "--account", DEV)
    done("ingest", "acme/dev")
    assert costs(made) == {"prod": 10, "search": 20, "unassigned": 40}
    assert states(made) == {"reconciled"}


def test_a_newer_delivery_is_built_for_every_project(
    made: TemporaryInstallation, tmp_path: Path
) -> None:
    bill = [row("11", account=PROD), row("22", account=DEV)]
    deliver(tmp_path / "new", bill, assembly="two")
    done("source", "add", "acme/payer", "--location", str(tmp_path / "new"))
    done("ingest", "acme/prod")
    assert costs(made) == {"prod": 11, "dev": 22}
    assert states(made) == {"reconciled"}


def test_claims_have_days_and_a_refused_one_names_the_project_that_has_it(
    made: TemporaryInstallation,
) -> None:
    output = refused("project", "add", "acme/a-new-one", "--account", DEV)
    command = f"finops project release acme/dev {DEV}"
    assert command in output
    assert command in refused("project", "release", "acme/prod", DEV)
    done("project", "add", "acme/dev", "--account", DEV, "--to", "2026-09-01")
    done("project", "add", "acme/a-new-one", "--account", DEV, "--from", "2026-09-01")
    done("ingest", "acme")
    assert costs(made, "2026-08")["dev"] == 20
    assert costs(made)["a-new-one"] == 20
    done(*command.split()[1:])
