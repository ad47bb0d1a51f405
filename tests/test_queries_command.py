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


def test_a_span_selects_its_months(built: TemporaryInstallation) -> None:
    command = ("queries", "run", "acme", "cash_and_amortized", "--format", "csv")
    unrestricted = ask(built, "acme", "cash_and_amortized")
    for span, months in (
        (("--from", "2026-09"), ["2026-09", "2026-10"]),
        (("--to", "2026-09"), ["2026-08", "2026-09"]),
        (("--from", "2026-09", "--to", "2026-09"), ["2026-09"]),
        (("--from", "2027-01"), []),
    ):
        code, out = finops(*command, *span, data=built.data)
        assert code == 0
        rows = list(csv.DictReader(io.StringIO(out)))
        assert [row["billing_period"] for row in rows] == months
        expected = {row["billing_period"]: row[B] for row in unrestricted}
        assert all(Decimal(row[B]) == expected[row["billing_period"]] for row in rows)


def test_the_library_from_the_command_line(built: TemporaryInstallation, tmp_path: Path) -> None:
    listed = finops("queries")[1]
    for query in use_cases():
        assert query.name in listed
    code, sql = finops("queries", "show", "credits")
    assert (code, sql) == (0, use_case("credits").sql)
    run = ("queries", "run", "acme", "credits")
    table = built.finops(*run).stdout
    assert "Promotional credit" in table
    rows = json.loads(built.finops(*run, "--format", "json").stdout, parse_float=str)
    file = tmp_path / "credits.parquet"
    assert finops(*run, "--format", "parquet", "-o", str(file), data=built.data)[0] == 0
    amounts = pq.read_table(file)["billed_cost"].to_pylist()
    assert amounts == [Decimal(row["billed_cost"]) for row in rows] != []


@pytest.mark.parametrize(
    ("arguments", "message"),
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
def test_an_invalid_request_is_refused(
    built: TemporaryInstallation, arguments: tuple[str, ...], message: str
) -> None:
    code, output = finops("queries", "run", *arguments, data=built.data)
    assert code != 0
    assert message in " ".join(output.replace("│", " ").split())
