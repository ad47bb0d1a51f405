"""How a failed command ends: a JSON object for `--format json`, a sentence otherwise.

Put here: every command that has `--format json`, crashes, exit codes. Keep out: the shape for each
kind of error (test_error_shape.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from finops_pipeline.cli import app as cli
from finops_pipeline.cli import query
from finops_pipeline.cli.command_table import COMMANDS, ROOT
from finops_pipeline.cli.show import Format
from tests.conftest import TemporaryInstallation
from tests.support.tiers import some_every_day

SHAPE = {"type", "kind", "found", "expected", "cure", "is_transient"}
ARGUMENTS = {
    "status": ["initech"],
    "query": ["initech", "select 1"],
    "costs": ["initech"],
    "history": ["initech/payer", "2026-10"],
    "diff": ["initech/payer", "2026-10"],
    "gaps": ["initech"],
    "check": ["initech"],
    "validate": ["initech"],
    "files": ["initech", "costs"],
    "backup": ["initech", "/nonexistent/backups"],
    "verify": ["initech"],
    "invoice list": ["initech"],
    "metrics list": ["initech"],
    "metrics coverage": ["initech"],
    "metrics estimate": ["initech"],
    "rules list": ["initech"],
    "statements list": ["initech"],
    "rules test": ["initech", "--file", "/nonexistent/tenants.yaml"],
    "rules explain": ["initech", "i-1"],
    "queries run": ["initech", "service_charges"],
    "project preview": ["initech"],
    "principal list": ["initech"],
    "grant list": ["initech"],
    "token list": ["initech/ci"],
    "session list": ["initech/ci"],
    "audit": ["initech"],
    "waste list": ["initech"],
    "budgets": ["initech"],
    "report": ["initech"],
    "alerts list": ["initech"],
    "alerts history": ["initech"],
    "waste explain": ["initech", "A01-1"],
}
"""Every command with `--format json`, and arguments that make it fail with a refusal."""


def commands_with_json() -> Iterator[str]:
    for group, commands in COMMANDS.items():
        for name, entry in commands.items():
            if get_type_hints(entry.load_function()).get("format") is Format:
                yield name if group == ROOT else f"{group} {name}"


def test_every_command_with_json_is_tested() -> None:
    assert set(commands_with_json()) == {*ARGUMENTS, "restore"}


def test_a_refused_restore_has_the_shape(built: TemporaryInstallation) -> None:
    done = built.finops("restore", "/nonexistent/backups", "--format", "json", ok=False)
    assert "/nonexistent/backups" in error_of(done.stderr)["found"]


def error_of(stderr: str) -> dict[str, Any]:
    (line,) = stderr.splitlines()
    body: dict[str, dict[str, Any]] = json.loads(line)
    assert body.keys() == {"error"} and body["error"].keys() == SHAPE
    return body["error"]


@pytest.mark.parametrize("command", some_every_day(ARGUMENTS, every=2))
def test_a_refusal_has_the_shape(built: TemporaryInstallation, command: str) -> None:
    arguments = [*command.split(), *ARGUMENTS[command]]
    for format_options in (["--format", "json"], ["--format=json"]):
        done = built.finops(*arguments, *format_options, ok=False)
        error = error_of(done.stderr)
        assert (done.returncode, done.stdout) == (1, "")
        assert (error["type"], error["kind"]) == ("Unknown", "refused")
        assert "tenant initech is not known" in error["found"]
        assert error["is_transient"] is False
    plain = built.finops(*arguments, ok=False)
    assert plain.stderr.startswith("finops: tenant initech is not known")
    assert len(plain.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", some_every_day(ARGUMENTS, every=4))
def test_wrong_usage_has_the_shape_too(built: TemporaryInstallation, command: str) -> None:
    done = built.finops(*command.split(), "--nope", "--format", "json", ok=False)
    error = error_of(done.stderr)
    assert (done.returncode, error["type"], error["kind"]) == (2, "UsageError", "refused")
    assert "--nope" in error["found"]
    assert "Usage:" in built.finops(*command.split(), "--nope", ok=False).stderr


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_crash_is_reported_as_a_crash(
    built: TemporaryInstallation,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    as_json: bool,
    log_format: str,
) -> None:
    """The log has the traceback of an AttributeError; the last line explains how to report it."""

    def crash(*_: object) -> None:
        raise AttributeError("amount 12.34 of acme")

    monkeypatch.setattr(query, "write_answer", crash)
    monkeypatch.setenv("FINOPS_DATA", str(built.data))
    monkeypatch.setenv("FINOPS_LOG_FORMAT", log_format)
    format_options = ["--format", "json"] if as_json else []
    monkeypatch.setattr("sys.argv", ["finops", "query", "acme", "select 1", *format_options])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    printed = capsys.readouterr()
    *logged, last = printed.err.splitlines()
    if log_format == "json":
        (record,) = (json.loads(line) for line in logged)
        assert "AttributeError" in record["traceback"] and "in crash" in record["traceback"]
    else:
        assert any("Traceback" in line for line in logged)
    if as_json:
        error = error_of(last)
        assert (error["type"], error["kind"]) == ("AttributeError", "crashed")
        assert "report" in error["cure"]
    else:
        assert "defect" in last and "finops version" in last
    assert "12.34" not in last


def test_a_missing_file_is_refused(built: TemporaryInstallation) -> None:
    done = built.finops("query", "acme", "-f", "nowhere.sql", "--format", "json", ok=False)
    error = error_of(done.stderr)
    assert (error["type"], error["kind"]) == ("QueryRefused", "refused")
    assert "nowhere.sql" in error["found"]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select " + "not " * 900 + "true", "nested too deeply"),
        ("select * from (" * 600 + "select 1" + ")" * 600, "nested too deeply"),
        ("select 1 as a, 2 as a", "several columns are named 'a'"),
        ("from 'planted.csv'", "is a file"),
        ('from "/lake/tenant=globex/costs/charges".parquet', "is a file"),
    ],
)
def test_a_query_that_cannot_be_answered_is_refused(
    built: TemporaryInstallation, sql: str, reason: str
) -> None:
    error = error_of(built.finops("query", "acme", sql, "--format", "json", ok=False).stderr)
    assert (error["kind"], reason in error["found"]) == ("refused", True), error


def test_sql_that_is_not_utf_8_is_refused(built: TemporaryInstallation, tmp_path: Path) -> None:
    (tmp_path / "latin-1.sql").write_bytes(b"select 'caf\xe9'")
    words = ("query", "acme", "-f", str(tmp_path / "latin-1.sql"), "--format", "json")
    error = error_of(built.finops(*words, ok=False).stderr)
    assert error["kind"] == "refused" and "not UTF-8 text" in error["found"]


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        (r"select 'a\xFF'::blob as v", "61ff"),
        ("select map {date '2026-01-01': 1.50} as v", {"2026-01-01": "1.50"}),
        ("select [{'cost': 0.1::decimal(38,18)}] as v", [{"cost": "0.100000000000000000"}]),
    ],
)
def test_every_value_has_a_form_in_json(
    built: TemporaryInstallation, sql: str, value: object
) -> None:
    assert built.rows("acme", sql) == [{"v": value}]


@pytest.mark.parametrize("text", ["tenants: 2026-13-99", "[" * 3000])
def test_yaml_that_cannot_be_read_is_refused(
    empty: TemporaryInstallation, tmp_path: Path, text: str
) -> None:
    (tmp_path / "tenants.yaml").write_text(text)
    done = empty.finops("apply", str(tmp_path / "tenants.yaml"), ok=False)
    assert "is not YAML" in done.stderr
