"""`finops queries`: listing, showing and running the library's queries from the command line.

Put here: months, output formats and parameters of the command, and what it refuses. Keep out: what
the queries answer (test_queries.py).
"""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from finops_pipeline.marts.use_cases import use_case, use_cases
from tests.conftest import TemporaryInstallation
from tests.support.globex import finops
from tests.test_queries import B, ask


def test_months_are_those_asked_for(built: TemporaryInstallation) -> None:
    words = ("queries", "run", "acme", "cash_and_amortized", "--format", "csv")
    whole = ask(built, "acme", "cash_and_amortized")
    for span, months in (
        (("--from", "2026-09"), ["2026-09", "2026-10"]),
        (("--to", "2026-09"), ["2026-08", "2026-09"]),
        (("--from", "2026-09", "--to", "2026-09"), ["2026-09"]),
        (("--from", "2027-01"), []),
    ):
        code, out = finops(*words, *span, data=built.data)
        assert code == 0
        told = list(csv.DictReader(io.StringIO(out)))
        assert [row["billing_period"] for row in told] == months
        wanted = {row["billing_period"]: row[B] for row in whole}
        assert all(Decimal(row[B]) == wanted[row["billing_period"]] for row in told)


def test_the_library_from_the_command_line(built: TemporaryInstallation, tmp_path: Path) -> None:
    listed = finops("queries")[1]
    for query in use_cases():
        assert query.name in listed
    code, sql = finops("queries", "show", "credits")
    assert (code, sql) == (0, use_case("credits").sql)
    run = ("queries", "run", "acme", "credits")
    shown = built.finops(*run).stdout
    assert "Promotional credit" in shown
    told = json.loads(built.finops(*run, "--format", "json").stdout, parse_float=str)
    file = tmp_path / "credits.parquet"
    assert finops(*run, "--format", "parquet", "-o", str(file), data=built.data)[0] == 0
    amounts = pq.read_table(file)["billed_cost"].to_pylist()
    assert amounts == [Decimal(row["billed_cost"]) for row in told] != []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("acme", "nothing"), "query 'nothing' is not in the library"),
        (("acme", "../sql/daily_costs"), "is not in the library"),
        (("acme", "credits", "--set", "tag=x"), "has no parameter 'tag'"),
        (("acme", "credits", "--set", "tag"), "is not NAME=VALUE"),
        (("acme", "credits", "--from", "2026-13"), "is not a billing period"),
        (("acme", "credits", "--from", "2026-10", "--to", "2026-09"), "is after"),
        (("acme", "anomalous_days", "--set", "times=many"), "many"),
        (("umbrella", "credits"), "tenant umbrella is not known"),
    ],
)
def test_what_cannot_be_asked(
    built: TemporaryInstallation, words: tuple[str, ...], said: str
) -> None:
    code, told = finops("queries", "run", *words, data=built.data)
    assert code != 0
    assert said in " ".join(told.replace("│", " ").split())
