"""`finops` as a user types it: commands, output formats, exit codes and helpful errors.

Put here: the walk through the commands. Keep out: bad bills (test_bad_input.py), isolation
(test_isolation.py) and the rules of the registry (test_registry.py).
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from tests.conftest import TemporaryInstallation

PIVOT = """
select billing_period, environment, sum(billed_cost) as billed_cost
from monthly_costs group by all order by all
"""


def test_from_nothing_to_an_answer(
    empty: TemporaryInstallation, own_estate: Path, truth: dict[str, Any]
) -> None:
    """The README's walk: apply, ingest, status, query; each tenant sees its own costs."""
    applied = empty.finops("apply", str(own_estate / "tenants.yaml"))
    assert "+ project acme/prod" in applied.stdout
    assert empty.finops("apply", str(own_estate / "tenants.yaml")).stdout == "nothing changed\n"
    ingested = empty.finops("ingest", "--month", "2026-09")
    assert "landed" in ingested.stdout and "refused" not in ingested.stdout
    assert "landing acme/payer 2026-09 landed" in ingested.stderr
    again = empty.finops("ingest", "--month", "2026-09")
    assert re.fullmatch(r"\d+ unchanged\n", again.stdout) and again.stderr == ""
    for tenant in ("acme", "globex"):
        sources = truth["tenants"][tenant]["sources"].values()
        true = sum((Decimal(source["2026-09"]["billed_cost"]) for source in sources), Decimal(0))
        rows = empty.rows(tenant, PIVOT)
        assert {row["billing_period"] for row in rows} == {"2026-09"}
        assert sum((Decimal(row["billed_cost"]) for row in rows), Decimal(0)) == true
    statuses = json.loads(empty.finops("status", "acme", "--format", "json").stdout)
    assert {(row["tenant"], row["source"], row["state"]) for row in statuses} == {
        ("acme", "labs", "reconciled"),
        ("acme", "payer", "reconciled"),
    }


def test_ranges_of_months(fresh: TemporaryInstallation) -> None:
    fresh.finops("ingest", "acme", "--from", "2026-08", "--to", "2026-09")
    months = fresh.rows("acme", "select distinct billing_period as m from costs order by m")
    assert [row["m"] for row in months] == ["2026-08", "2026-09"]
    assert not fresh.folder("globex").exists()
    for options, expected_error in (
        (("--month", "2026-9"), "'2026-9' is not a billing period"),
        (("--month", "2026-09", "--from", "2026-08"), "give --month, or --from and --to"),
        (("--from", "2026-10", "--to", "2026-09"), "is after"),
    ):
        assert expected_error in fresh.finops("ingest", "acme", *options, ok=False).stderr
    missing = fresh.finops("ingest", "globex", "--month", "2020-01", ok=False)
    assert "no source of tenant globex has a delivery for the requested months" in missing.stderr


def test_an_empty_name_is_not_every_tenant(fresh: TemporaryInstallation) -> None:
    for command in (
        ("ingest", ""),
        ("status", ""),
        ("source", "list", ""),
        ("project", "list", ""),
    ):
        assert "tenant name '' cannot be used" in fresh.finops(*command, ok=False).stderr
    assert not fresh.folder("acme").exists()


def test_a_source_keeps_its_location(fresh: TemporaryInstallation) -> None:
    again = fresh.finops("source", "add", "acme/payer", "--format", "legacy-cur")
    assert again.stdout == "nothing changed\n"
    assert "cur-hourly" in fresh.finops("source", "list", "acme").stdout


def test_forms_of_an_answer(built: TemporaryInstallation, tmp_path: Path) -> None:
    query = ("query", "acme", PIVOT, "--format")
    table = built.finops(*query, "table").stdout
    assert "billed_cost" in table and "unassigned" in table
    as_csv = list(csv.DictReader(io.StringIO(built.finops(*query, "csv").stdout)))
    as_json = json.loads(built.finops(*query, "json").stdout, parse_float=Decimal)
    target = tmp_path / "answer.parquet"
    built.finops(*query, "parquet", "--output", str(target))
    as_parquet = pq.read_table(target).to_pylist()
    amounts = [[Decimal(str(row["billed_cost"])) for row in rows]
               for rows in (as_csv, as_json, as_parquet)]  # fmt: skip
    assert amounts[0] == amounts[1] == amounts[2] and len(amounts[0]) >= 12
    piped = subprocess.run(
        [sys.executable, "-m", "finops_pipeline.cli", *query, "parquet"],
        capture_output=True,
        env={**os.environ, "FINOPS_DATA": str(built.data)},
        check=True,
    )
    assert piped.stdout[:4] == b"PAR1" and piped.stderr == b""


def test_a_query_from_a_file_and_a_cut_table(built: TemporaryInstallation, tmp_path: Path) -> None:
    file = tmp_path / "question.sql"
    file.write_text("-- all of it\nselect x_LineItemId from costs")
    result = built.finops("query", "globex", "-f", str(file))
    assert "only the first 1000 rows are shown" in result.stderr
    neither = built.finops("query", "globex", ok=False)
    assert "give SQL" in neither.stderr


def test_a_wrong_query_is_explained_without_a_path(built: TemporaryInstallation) -> None:
    for sql, expected_error in (
        ("selec 1", "syntax error"),
        ("select nope from costs", "nope"),
        ("select * from nope", "nope"),
        ("select 1; select 2", "2 statements"),
        ("delete from monthly_costs", "SELECT"),
    ):
        error = built.finops("query", "acme", sql, ok=False).stderr
        assert error.startswith("finops: ") and expected_error in error
        assert str(built.data) not in error


def test_open_prints_the_line_that_opens_the_file(
    built: TemporaryInstallation, tmp_path: Path
) -> None:
    line = built.finops("open", "acme").stdout.splitlines()
    assert len(line) == 1
    (name,) = re.fullmatch(r"duckdb -readonly (\S+)", line[0]).groups()  # type: ignore[union-attr]
    answer = subprocess.run(
        [sys.executable, "-c", "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True)"
         "; print(c.sql('select count(*) from costs').fetchall()[0][0])", name],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(answer.stdout) == int(built.rows("acme", "select count(*) as n from costs")[0]["n"])


def test_older_clients_can_read_the_file(built: TemporaryInstallation) -> None:
    """DuckDB's header names the storage version: 1.4 reads what 1.4 wrote."""
    with duckdb.connect() as connection:
        file = built.folder("acme") / "acme.duckdb"
        connection.execute(f"attach '{file}' as w (read_only)")
        query = "select tags from duckdb_databases() where database_name = 'w'"
        tags = connection.sql(query).fetchall()[0][0]
    assert tags["storage_version"].startswith("v1.4.0")


def test_files_without_a_manifest(empty: TemporaryInstallation, tmp_path: Path) -> None:
    """A bill imported as a file replaces its months; importing it again changes nothing."""
    bill = tmp_path / "bill.csv"
    bill.write_text(
        "lineItem/UsageAccountId,lineItem/LineItemType,lineItem/UsageStartDate,"
        "lineItem/UnblendedCost,lineItem/CurrencyCode,bill/BillingPeriodStartDate\n"
        "001122334455,Usage,2026-09-03T00:00:00Z,1.05e-07,USD,2026-09-01T00:00:00Z\n"
        "001122334455,Usage,2026-09-30T23:00:00Z,0.00000000000000001,USD,2026-09-01T00:00:00Z\n"
        "111122223333,Usage,2026-10-01T00:00:00Z,2.5,EUR,2026-10-01T00:00:00Z\n"
    )
    for tenant in ("acme", "globex"):
        empty.finops("tenant", "add", tenant)
        empty.finops("source", "add", f"{tenant}/hand", "--format", "legacy-cur")
    empty.finops("project", "add", "acme/prod", "--account", "001122334455")
    empty.finops("ingest-file", "acme/hand", str(bill))
    sql = (
        "select project, billing_currency as c, sum(billed_cost) as b from monthly_costs"
        " group by all order by all"
    )
    assert empty.rows("acme", sql) == [
        {"project": "prod", "c": "USD", "b": "0.000000105000000010"},
        {"project": "unassigned", "c": "EUR", "b": "2.500000000000000000"},
    ]
    assert "unchanged" in empty.finops("ingest-file", "acme/hand", str(bill)).stdout
    nothing = empty.finops("query", "globex", "select 1", ok=False)
    assert "no warehouse yet" in nothing.stderr
    wrong = empty.finops("ingest-file", "acme/nope", str(bill), ok=False)
    assert "source acme/nope is not known" in wrong.stderr


def test_interrupting_keeps_published_months(fresh: TemporaryInstallation) -> None:
    """Ctrl-C ends the command with exit code 130; the next run completes and reconciles."""
    command = [sys.executable, "-m", "finops_pipeline.cli", "ingest", "acme"]
    environment = {**os.environ, "FINOPS_DATA": str(fresh.data)}
    running = subprocess.Popen(
        command,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        # Children inherit ignoring Ctrl-C from a parent that ignores it (nohup, a CI runner).
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert running.stderr is not None
    assert "landing" in running.stderr.readline()
    running.send_signal(signal.SIGINT)
    _, error = running.communicate(timeout=60)
    assert running.returncode == 130 and "Interrupted" in error, error
    fresh.finops("ingest", "acme")
    assert {status.state for status in fresh.installation.status("acme")} == {"reconciled"}


def test_the_version_is_an_option_too(empty: TemporaryInstallation) -> None:
    assert empty.finops("--version").stdout == empty.finops("version").stdout


def test_a_query_names_a_file_that_it_cannot_use(
    built: TemporaryInstallation, tmp_path: Path
) -> None:
    missing, folder = tmp_path / "missing.sql", tmp_path / "not there"
    cases = [
        (("-f", str(missing)), f"{missing} cannot be read (No such file or directory)"),
        (("-f", str(tmp_path)), f"{tmp_path} cannot be read (Is a directory)"),
        (
            ("select 1", "-o", str(folder / "a.csv"), "--format", "csv"),
            f"{folder / 'a.csv'} cannot be written (No such file or directory)",
        ),
        (("select 1", "-o", str(tmp_path), "--format", "json"), "cannot be written"),
        (("select 1", "-o", str(tmp_path / "a.txt")), "Add --format csv"),
    ]
    for arguments, message in cases:
        refused = built.finops("query", "acme", *arguments, ok=False).stderr
        assert message in refused, arguments
        assert refused.count("\n") == 1, arguments
    assert not list(tmp_path.iterdir())


def test_a_query_that_fails_leaves_the_earlier_answer(
    built: TemporaryInstallation, tmp_path: Path
) -> None:
    """Globex's answer, written to the same file before, stays whole too."""
    path, other = tmp_path / "answer.csv", tmp_path / "answer.csv.part"
    other.write_text("the user's own")
    for tenant in ("globex", "acme"):
        sql = "select distinct project from monthly_costs order by 1"
        built.finops("query", tenant, sql, "--format", "csv", "-o", str(path))
        before = path.read_bytes()
        assert before.startswith(b"project\r\n")
        bad = "select project, case when project > 'a' then error('no') end from monthly_costs"
        built.finops("query", tenant, bad, "--format", "csv", "-o", str(path), ok=False)
        assert path.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [path, other]
    assert other.read_text() == "the user's own"
