"""Every command that a message or the runbook prints works when it is typed as printed.

Put here: all of them, found by a scan, parsed by the real command line and run on an installation.
Keep out: whether a cure repairs what its error describes (the tests of that error).

Names of tenants, sources, months and files in the texts stand for the user's own; only they are
replaced. A new cure needs nothing here unless it has a new placeholder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from finops_pipeline.cli.command_table import COMMANDS, ROOT
from tests.conftest import LAST_MONTH, TemporaryInstallation
from tests.support.bills import row, write_csv
from tests.support.globex import finops
from tests.support.house_measures import ROOT as CHECKOUT
from tests.support.printed_commands import (
    PrintedCommand,
    code_of_page,
    commands_in,
    commands_of_messages,
    commands_of_page,
    filled,
    is_mention,
    parser_of,
)
from tests.support.published_files import copy_installation

RUNBOOK, README = CHECKOUT / "docs" / "runbook.md", CHECKOUT / "README.md"
MESSAGES = list({c.words: c for c in commands_of_messages(CHECKOUT / "finops_pipeline")}.values())
RUNBOOK_COMMANDS = list({c.words: c for c in commands_of_page(RUNBOOK)}.values())
NOT_RUN = {
    "demo": "it runs Dagster for a minute: `make demo` of .ci/run",
    "serve": "it runs until somebody ends it: tests/test_api_server.py starts and ends it",
}


@dataclass(frozen=True)
class Place:
    """An installation for commands as they are printed, and what their placeholders stand for."""

    made: TemporaryInstallation
    values: dict[str, str] = field(default_factory=dict)
    results: dict[tuple[str, ...], tuple[int, str]] = field(default_factory=dict)
    """Commands that have been run: messages and the runbook often print the same."""

    def run(self, printed: PrintedCommand) -> tuple[int, str]:
        """Run a command with its placeholders filled, unless it has been run."""
        words = tuple(filled(printed, self.values))
        if words[0] == "restore-registry" or words not in self.results:
            with chdir(self.made.data.parent):  # some write a file
                self.results[words] = finops(*words, data=self.made.data)
        return self.results[words]


def _values(folder: Path, made: TemporaryInstallation, estate: Path) -> dict[str, str]:
    bill = folder / "bill.csv"
    write_csv(bill, [row("1", day=f"{LAST_MONTH}-02")])
    (folder / "report").mkdir()
    metrics = folder / "metrics.csv"
    metrics.write_text(f"date,metric,value\n{LAST_MONTH}-02,orders,5\n")
    backups = str(folder / "backups")
    listed = made.finops("history", "acme/payer", LAST_MONTH, "--format", "json").stdout
    delivery = json.loads(listed)[-1]["id"]
    waste = json.loads(made.finops("waste", "list", "acme", "--format", "json").stdout)
    finding = next(row["finding_id"] for row in waste if row["resource_id"])
    declared = str(estate / "tenants.yaml")
    return {
        "TENANT": "acme", "TENANT[/PROJECT]": "acme", "TENANT/SOURCE": "acme/payer",
        "TENANT/PROJECT": "acme/prod", "TENANT/SOURCE MONTH": f"acme/payer {LAST_MONTH}",
        "YYYY-MM": LAST_MONTH, "MONTH": LAST_MONTH, "--month": LAST_MONTH, "--to": "2026-12",
        "--project": "prod", "AMOUNT": "12.50", "ACCOUNT": "111122223333", "TABLE": "costs",
        "FILE": declared, "TENANT|DEST": backups, "--all": backups, "DEST": backups,
        "--location": str(folder / "report"), "--role-arn": "arn:aws:iam::123456789012:role/finops",
        "--region": "eu-west-1", "--from": "2026-08", "SRC": backups,
        "ingest-file TENANT/SOURCE": "acme/hand", "ingest-file FILE…": str(bill),
        "tenant add TENANT": "hooli", "CLAIM": "111122223333", "queries show NAME": "movers",
        "metrics load FILE": str(metrics), "METRIC": "orders",
        "FINDING": finding, "waste list --rule": "A08", "--reason": "standby",
        "--until": "2027-01-31", "--on": f"{LAST_MONTH}-28",
        "initech": "acme", "initech/payer": "acme/payer", "initech/resources": "acme/payer",
        "acme/old": "acme/cloud",
        "s3://BUCKET/PREFIX": "s3://acme-bills/finops/cur", "tenants.yaml": declared,
        "tenant purge --yes": "acme", "source remove --yes": "acme/payer",
        "project remove --yes": "acme/prod",
        "/backups/finops": backups, "8366ebaf99": delivery, "beed2ac633": delivery,
    }  # fmt: skip


@pytest.fixture(scope="module")
def place(
    built: TemporaryInstallation, estate: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A copy of the estate's installation, with a source for files without a manifest."""
    folder = tmp_path_factory.mktemp("cures")
    made = TemporaryInstallation(folder / "data")
    copy_installation(built.data, made.data)
    assert finops("source", "add", "acme/hand", "--format", "legacy-cur", data=made.data)[0] == 0
    yield Place(made, _values(folder, made, estate))


def by_text(commands: list[PrintedCommand]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("printed", commands, ids=str)


@by_text([*MESSAGES, *RUNBOOK_COMMANDS, *commands_of_page(README)])
def test_the_command_line_understands_what_is_printed(
    printed: PrintedCommand, place: Place
) -> None:
    if is_mention(printed):
        return
    command, _ = parser_of(printed.words)
    words = filled(printed, place.values)
    _, rest = parser_of(tuple(words))
    with command.make_context(words[0], list(rest)) as context:
        assert context.params is not None


def prepare(printed: PrintedCommand, place: Place) -> Place:
    """Bring about the situation in which a command is for."""
    name = printed.words[0]
    if name in ("statements", "metrics"):
        return prepare_statements_and_metrics(printed, place)
    folder = place.made.data.parent
    elsewhere = Place(
        TemporaryInstallation(folder / f"elsewhere-{len(list(folder.iterdir()))}"),
        {**place.values, "source add TENANT/SOURCE": "acme/cloud"},
    )
    if name == "restore" and "--replace" not in printed.words:
        return elsewhere
    if printed.words[1:2] in (("remove",), ("purge",), ("enable",)):
        copy_installation(place.made.data, elsewhere.made.data)
        if printed.words[1:2] == ("purge",):
            assert (
                finops("tenant", "remove", "acme", "--yes", "acme", data=elsewhere.made.data)[0]
                == 0
            )
        return elsewhere
    if printed.words[:2] == ("alerts", "test"):
        channel = "{name: pager, kind: command, command: [/usr/bin/true]}"
        declared = folder / "channels.yaml"
        declared.write_text(f"tenants: [{{name: acme, alerts: {{channels: [{channel}]}}}}]")
        copy_installation(place.made.data, elsewhere.made.data)
        elsewhere.made.apply(declared)
        return elsewhere
    if printed.words[:2] == ("source", "add"):
        data = elsewhere.made.data
        finops("tenant", "add", "acme", data=data)
        location = ("--location", "s3://acme-bills/finops/cur")
        assert finops("source", "add", "acme/cloud", "--format", "cur-2.0", *location,
                      data=data)[0] == 0  # fmt: skip
        return elsewhere
    if name == "restore-registry":
        (place.made.data / "registry.sqlite").unlink()
    if name == "ingest-file":  # a registry that was restored from a file may lack the source
        finops("source", "add", "acme/hand", "--format", "legacy-cur", data=place.made.data)
    if printed.words[:2] == ("project", "release"):
        assert finops("project", "add", "acme/prod", "--account", "111122223333",
                      data=place.made.data)[0] == 0  # fmt: skip
    return place


def prepare_statements_and_metrics(printed: PrintedCommand, place: Place) -> Place:
    """Load a metric that can be listed or removed, or close a month that can be shown."""
    if printed.words[1] in ("load", "remove"):
        project = ["--project", "prod"] if "--project" in printed.words else []
        finops("metrics", "load", "acme", place.values["metrics load FILE"], *project,
               data=place.made.data)  # fmt: skip
    if printed.words[1] in ("show", "adjust"):
        finops("statements", "close", "acme", "--month", LAST_MONTH, data=place.made.data)
    if printed.words[1] != "close":
        return place
    number = len(list(place.made.data.parent.iterdir()))
    elsewhere = Place(TemporaryInstallation(place.made.data.parent / f"open-{number}"),
                      place.values)  # fmt: skip
    copy_installation(place.made.data, elsewhere.made.data)
    return elsewhere


def run(printed: PrintedCommand, place: Place) -> None:
    if is_mention(printed) or printed.words[0] in NOT_RUN:
        return
    code, output = prepare(printed, place).run(printed)
    assert code == 0, output


@by_text(RUNBOOK_COMMANDS)
def test_the_runbook_from_top_to_bottom(printed: PrintedCommand, place: Place) -> None:
    run(printed, place)


@by_text(MESSAGES)
def test_the_cure_of_every_message(printed: PrintedCommand, place: Place) -> None:
    run(printed, place)


QUESTIONS = [code for language, code in code_of_page(RUNBOOK) if language == "sql"]


@pytest.mark.parametrize("sql", QUESTIONS, ids=range(len(QUESTIONS)))
def test_the_queries_of_the_runbook(built: TemporaryInstallation, sql: str) -> None:
    for tenant in ("acme", "globex"):
        code, output = finops("query", tenant, sql, data=built.data)
        assert code == 0, output


def test_the_scan_sees_commands_and_not_sentences() -> None:
    texts = {
        "Build it again: finops rebuild {value}{value} --month {value}": "rebuild {value} --month"
        " {value}",
        "run finops ingest {value} on or after {value}": "ingest {value}",
        "finops apply FILE or finops tenant add NAME": "apply FILE",
        "see finops status TENANT.": "status TENANT",
        "a file that finops never writes": "",
        'finops query {value} "show tables" shows': 'query {value} "show tables"',
    }
    for text, expected in texts.items():
        printed = [str(command) for command in commands_in(text, "")]
        assert printed[:1] == ([expected] if expected else []), text
    assert len(MESSAGES) > 40 and len(RUNBOOK_COMMANDS) > 40


def test_a_cure_that_cannot_be_typed_is_found(place: Place) -> None:
    (wrong,) = commands_in("Build it again: finops rebuild {value} --tenant {value}", "")
    command, _ = parser_of(wrong.words)
    with pytest.raises(Exception, match="No such option"):
        command.make_context("rebuild", filled(wrong, place.values)[1:])


def test_every_command_is_in_the_runbook_or_the_readme() -> None:
    text = RUNBOOK.read_text(encoding="utf-8") + README.read_text(encoding="utf-8")
    absent = [
        f"{group} {name}"
        for group, commands in COMMANDS.items()
        for name in commands
        if not re.search(rf"`?{'' if group == ROOT else group + ' '}{name}\b", text)
    ]
    assert absent == []
