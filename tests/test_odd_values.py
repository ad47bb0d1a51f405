"""Values of SQL that few answers have: exact in JSON and CSV, and never more than JSON permits.

Put here: what a user reads at `POST …/sql` and `finops query`. Keep out: amounts (test_forms.py),
exports of whole tables (test_api_answers.py).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import TemporaryInstallation
from tests.support.published_files import copy_installation
from tests.support.served_tenants import TENANTS, ServedTenants, serve_tenants

_UUID = "c0ffee00-0000-4000-8000-000000000001"
_LONG = "99999999999999999999.999999999999999999"
VALUES = [
    ("interval '1 month 2 days 3.5 seconds'", "1 month 2 days 00:00:03.5", None),
    ("interval '-1 month'", "-1 month", "'-1 month"),
    ("[{'a': interval '1 month', 'b': 'x'::blob}]", [{"a": "1 month", "b": "78"}], None),
    ("map {'a': interval '1 year'}", {"a": "1 year"}, None),
    ("array_value(interval '1 month')", ["1 month"], None),
    ("row(1, interval '1 month')", "(1, 1 month)", None),
    ("timestamp_ns '2026-01-01 00:00:00.123456789'", "2026-01-01 00:00:00.123456789", None),
    ("date '12000-01-01'", "12000-01-01", None),
    ("timestamptz '2026-01-02 03:04:05.5+05'", "2026-01-01T22:04:05.500000+00:00",
     "2026-01-01 22:04:05.500000+00:00"),
    ("timetz '12:34:56+05:30'", "12:34:56+05:30", None),
    ("time '24:00:00'", "24:00:00", None),
    ("'nan'::double", None, "nan"),
    ("'-infinity'::float", None, "-inf"),
    ("['nan'::double, 1]", [None, 1.0], None),
    ("-0.0::double", -0.0, "-0.0"),
    (f"{_LONG}::decimal(38,18)", _LONG, _LONG),
    ("-0.000000000000000001::decimal(38,18)", "-0.000000000000000001", "-0.000000000000000001"),
    ("170141183460469231731687303715884105727::hugeint", 2**127 - 1, str(2**127 - 1)),
    ("340282366920938463463374607431768211455::uhugeint", 2**128 - 1, str(2**128 - 1)),
    (r"'\x00\xFFa'::blob", "00ff61", "00ff61"),
    ("'101'::bit", "101", "101"),
    (f"'{_UUID}'::uuid", _UUID, _UUID),
    ("{'a': 1.50::decimal(4,2), 'b': null}", {"a": "1.5", "b": None}, None),
    ("map {date '2026-01-01': 1}", {"2026-01-01": 1}, None),
    ("map {true: 1}", {"true": 1}, None),
    ("map {'x'::blob: 1}", {"78": 1}, None),
    ("map {'nan'::double: 1}", {"nan": 1}, None),
    ("union_value(n := 2)", 2, "2"),
    ("'a'::enum('a', 'b')", "a", "a"),
    ("'[1.10]'::json", "[1.10]", "[1.10]"),
    ("['=1+1']", ["=1+1"], None),
    ("'=1+1'", "=1+1", "'=1+1"),
    ("''", "", None),
    ("chr(1) || chr(0) || chr(8232)", "\x01\x00\u2028", "\x01\x00\u2028"),
]  # fmt: skip
"""SQL, what the API answers, what CSV has. None: text as it is, lists and maps as their JSON."""
NAMES = [f"c{number}" for number in range(len(VALUES))]
QUERY = "select " + ", ".join(
    f"{sql} as {name}" for name, (sql, _, _) in zip(NAMES, VALUES, strict=True)
)


@pytest.fixture(scope="module")
def served(
    built: TemporaryInstallation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedTenants]:
    """Both tenants, served by one process."""
    data = tmp_path_factory.mktemp("odd") / "data"
    copy_installation(built.data, data)
    with serve_tenants(data) as served:
        yield served


def read_strictly(text: str) -> Any:
    """Read JSON that has only what RFC 8259 permits."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse, parse_float=Decimal)


def as_numbers(amounts: Any) -> Any:
    """Return an answer of the API as the command line has it, where amounts are numbers."""
    if isinstance(amounts, dict):
        return {name: as_numbers(amount) for name, amount in amounts.items()}
    return None if amounts is None else Decimal(amounts)


@pytest.mark.parametrize("tenant", TENANTS)
def test_the_api_answers_every_value_exactly(served: ServedTenants, tenant: str) -> None:
    for number, (sql, expected, _) in enumerate(VALUES):
        comment = " order by 1 -- the end" if number % 2 else ""
        asked = {"sql": f"select 7 as same, {sql} as same{comment}"}
        answer = read_strictly(served.post(f"/tenants/{tenant}/sql", tenant, json=asked).text)
        assert answer["rows"] == [[7, expected]], sql
        assert [column["name"] for column in answer["columns"]] == ["same", "same"]
    kinds = {"sql": "select interval '1 month' as i, [interval '1 day'] as l"}
    columns = served.post(f"/tenants/{tenant}/sql", tenant, json=kinds).json()["columns"]
    assert [column["type"] for column in columns] == ["INTERVAL", "INTERVAL[]"]
    zero = served.post(f"/tenants/{tenant}/sql", tenant, json={"sql": "select -0.0::double"})
    assert '"rows":[[-0.0]]' in zero.text


def test_the_rows_of_a_spelled_answer_keep_their_order_and_parameters(
    served: ServedTenants,
) -> None:
    sql = "select range as n, to_months(range::int) as i from range(5000) where range <> $left_out"
    asked = {"sql": f"{sql} order by n desc", "values": {"left_out": 4998}, "limit": 3}
    answer = served.post("/tenants/acme/sql", json=asked).json()
    assert answer["rows"] == [
        [4999, "416 years 7 months"], [4997, "416 years 5 months"], [4996, "416 years 4 months"],
    ]  # fmt: skip
    assert answer["truncated"] is True


@pytest.mark.parametrize("tenant", TENANTS)
def test_the_command_line_writes_every_value_exactly(
    built: TemporaryInstallation, tenant: str
) -> None:
    (row,) = read_strictly(built.finops("query", tenant, QUERY, "--format", "json").stdout)
    for name, (sql, expected, _) in zip(NAMES, VALUES, strict=True):
        assert row[name] == (as_numbers(expected) if "decimal" in sql else expected), sql
    text = built.finops("query", tenant, QUERY, "--format", "csv").stdout
    (cells,) = csv.DictReader(io.StringIO(text, newline=""))
    for name, (sql, expected, cell) in zip(NAMES, VALUES, strict=True):
        if cell is not None:
            assert cells[name] == cell, sql
        elif isinstance(expected, list | dict):
            assert read_strictly(cells[name]) == expected, sql
        else:
            assert cells[name] == expected, sql


def test_names_of_columns_are_neutralised_as_values_are(
    built: TemporaryInstallation, served: ServedTenants
) -> None:
    sql = 'select 1 as "=cmd", 2 as "a\x01b", 3 as "a\tb"'
    out = built.finops("query", "globex", sql, "--format", "csv").stdout
    assert next(csv.reader(io.StringIO(out, newline=""))) == ["'=cmd", "a\x01b", "a\tb"]
    answer = read_strictly(served.post("/tenants/acme/sql", json={"sql": sql}).text)
    assert [column["name"] for column in answer["columns"]] == ["=cmd", "a\x01b", "a\tb"]
    twice = built.finops(
        "query", "acme", "select 1 as a, 2 as a", "--format", "json", ok=False
    ).stderr
    assert "several columns are named 'a'" in twice


@pytest.mark.parametrize("tenant", TENANTS)
def test_a_value_in_an_error_is_for_its_caller_only(
    served: ServedTenants, tenant: str, caplog: pytest.LogCaptureFixture
) -> None:
    """DuckDB names what it could not convert; neither the log nor the audit log repeats it."""
    caplog.set_level("INFO", "finops_pipeline")
    value = f"planted-{tenant}"
    asked = {"sql": "select $text::int", "values": {"text": value}}
    refused = served.post(f"/tenants/{tenant}/sql", tenant, json=asked)
    assert refused.status_code == 422 and value in refused.json()["found"]
    log = served.get(f"/tenants/{tenant}/audit?page_size=1000", f"{tenant}-admin")
    assert "query-refused" in log.text
    assert value not in log.text
    assert refused.json()["request_id"] in caplog.text
    assert value not in caplog.text
