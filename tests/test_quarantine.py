"""Unreadable rows are quarantined with reason, file, line and text; all other rows are exact.

Also input that only looks bad: byte order marks, CRLF, line ends and quotes inside fields, numbers
in every spelling, missing columns, unknown line item types. Each case damages a copy of a generated
export (globex: legacy CUR csv.gz, CUR 2.0 Parquet) and ingests it with `finops ingest`; totals are
summed again in this file, in Decimal. Acme is installed too, and must not change by a byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import TemporaryInstallation
from tests.support.globex import (
    ACCOUNT,
    COST,
    ID,
    MONTH,
    PERIOD,
    START,
    TYPE,
    Globex,
    ask,
    billed,
    in_month,
    quarantine,
    summed,
)
from tests.support.tiers import some_every_day

CSV, PARQUET = "cur-legacy-1.csv.gz", "cur2-daily-0000{}.snappy.parquet"
NUMBERS = ("abc", "1,234.5", "NaN", "1_000", "Infinity", "1e30", "$5", "(5)", "1 000", "1.2.3", "-")
TIMES = ("yesterday", "2026-13-01T00:00:00Z", "10/05/2026", "infinity", "epoch", "1791158400")


@pytest.fixture
def globex(
    up_to_date: TemporaryInstallation, census: Callable[[Path], dict[str, tuple[int, int]]]
) -> Iterator[Globex]:
    """globex, whose exports a test may damage; acme must not change."""
    before = census(up_to_date.folder("acme"))
    yield Globex(up_to_date, up_to_date.data.parent / "exports")
    assert census(up_to_date.folder("acme")) == before


def line_of(parts: list[str], position: int) -> int:
    """Line on which a record begins, in a file made of these raw texts."""
    return 1 + sum(part.count("\n") for part in parts[:position])


@pytest.mark.parametrize("newline", some_every_day(["\r\n", "\n"]))
def test_rows_with_unreadable_values_are_quarantined(globex: Globex, newline: str) -> None:
    damages = [(COST, value, f"{COST}: {value} is not a number") for value in NUMBERS]
    damages += [(START, value, f"{START}: {value} is not a time") for value in TIMES]
    damages += [(name, " ", f"{name} is empty") for name in (COST, TYPE, START, ACCOUNT)]
    used = "savingsPlan/UsedCommitment"
    damages += [(used, "many", f"{used}: many is not a number")]
    damages += [(PERIOD, "2026-09-01T00:00:00Z", f"is not in {MONTH}")]
    records = globex.records()
    # Bad rows stand among rows with line ends inside fields, and have such fields themselves.
    at = {5 + 2 * n: damage for n, damage in enumerate(damages)}
    assert any("\n" in cell for n in at for cell in records[n])
    assert any("\n" in cell for n in range(1, max(at)) if n not in at for cell in records[n])
    for position, (column, value, _) in at.items():
        records[position][globex.column(column)] = value
    parts = globex.write(records, newline=newline, mark="\ufeff")

    assert f"({len(at)} rows quarantined)" in globex.ingest()

    status = globex.check_exact("legacy", billed(records, tuple(at)), lost=len(at))
    assert status["rows_read"] == len(records) - 1
    quarantined = quarantine("legacy")
    for row, (position, (_, _, reason)) in zip(quarantined, at.items(), strict=True):
        assert reason in row["reason"]
        assert (row["source_file"], row["line"]) == (CSV, line_of(parts, position))
        assert row["raw_text"] == parts[position].removesuffix(newline)


def test_broken_records_are_quarantined_and_other_rows_have_correct_lines(
    globex: Globex,
) -> None:
    records = globex.records()
    cost = globex.column(COST)
    records[200][cost] = "abc"
    parts = globex.write(records)
    fields = {n: parts[n].split(",") for n in (20, 30, 40)}
    parts[20] = ",".join(fields[20][:10]) + "\n"
    parts[30] = parts[30].rstrip("\n") + ",more,still more\n"
    parts[40] = "end of file\n"
    parts[60] = parts[60].replace('"Amazon Web Services, Inc."', '"Amazon" Web Services, Inc."')
    parts[70] = "\n" + parts[70] + "\n\n"
    parts[80] = parts[80].replace(',"Amazon Web Services, Inc."', ',Amazon 5" Web')
    assert '5"' in parts[80] and '"Amazon" Web' in parts[60]
    globex.write_text("".join(parts))

    globex.ingest()

    lost = (20, 30, 40, 60, 200)
    status = globex.check_exact("legacy", billed(records, lost), lost=len(lost))
    assert status["rows_read"] == len(records) - 1
    quarantined = quarantine("legacy")
    assert [row["line"] for row in quarantined] == [line_of(parts, n) for n in lost]
    assert [row["raw_text"] for row in quarantined] == [parts[n].removesuffix("\n") for n in lost]
    for row in quarantined[:4]:
        assert "Expected Number of Columns" in row["reason"]
    assert quarantined[4]["reason"] == f"{COST}: abc is not a number"


def test_bytes_that_are_not_utf_8_are_quarantined(globex: Globex) -> None:
    records = globex.records()
    parts = globex.write(records)
    parts[60] = parts[60].replace("Amazon Elastic", "Amazon \udcff Elastic")
    assert "\udcff" in parts[60]
    globex.write_text("".join(parts))
    globex.ingest()
    globex.check_exact("legacy", billed(records, (60,)), lost=1)
    assert quarantine("legacy")[0]["line"] == line_of(parts, 60)


def test_a_good_delivery_after_a_bad_delivery_empties_the_quarantine(globex: Globex) -> None:
    good, bad = globex.records(), globex.records()
    bad[3][globex.column(COST)] = "abc"
    globex.write(bad)
    globex.ingest()
    globex.check_exact("legacy", billed(good, (3,)), lost=1)
    globex.write(good)
    globex.ingest()
    globex.check_exact("legacy", billed(good), lost=0)


@pytest.mark.parametrize(
    ("newline", "mark"),
    [
        ("\r\n", "\ufeff"),
        pytest.param("\r\n", "", marks=pytest.mark.torture),
        pytest.param("\n", "\ufeff", marks=pytest.mark.torture),
    ],
)
def test_byte_order_marks_and_crlf_are_no_damage(globex: Globex, newline: str, mark: str) -> None:
    records = globex.records()
    cells = [cell for record in records for cell in record]
    assert any("\n" in cell for cell in cells) and any('"' in cell for cell in cells)
    globex.write(records, newline=newline, mark=mark)
    globex.ingest()
    globex.check_exact("legacy", billed(records), lost=0)
    lines = f"{in_month('legacy', 'x_Source')} and x_RowKind = 'line'"
    charges = ask(f"select x_LineItemId as i, ChargeDescription as d from costs {lines}")
    at, described = globex.column("lineItem/LineItemDescription"), {r["i"]: r["d"] for r in charges}
    assert described == {record[0]: record[at] for record in records[1:]}
    landed = ask(f'select "{ID}" as i from landing_legacy {in_month("legacy")}')
    assert {r["i"] for r in landed} == described.keys()


def test_numbers_in_every_spelling_are_exact(globex: Globex) -> None:
    spelled = ["1.05e-07", "1.05E-7", "1E5", "-3e-18", "+5", ".5", "5.", "-0", "00012"]
    spelled += ["0.12345678901234567", "1234567.123456789012345678", "0.1000000000000000000000"]
    too_long = {"0.00000000000000000149": "1E-18", "-2.5E-18": "-3E-18"}
    records = globex.records()
    assert len({record[0] for record in records}) == len(records)
    expected: dict[str, Decimal] = {}
    for n, value in enumerate([*spelled, *too_long], start=100):
        records[n][globex.column(COST)] = value
        expected[records[n][0]] = Decimal(too_long.get(value, value))
        rounded = Decimal(value).quantize(Decimal("1E-18"), ROUND_HALF_UP)
        assert rounded == expected[records[n][0]]
    globex.write(records)
    for n, value in enumerate(too_long.values(), start=100 + len(spelled)):
        records[n][globex.column(COST)] = value

    globex.ingest()

    status = globex.check_exact("legacy", billed(records), lost=0)
    assert status["values_rounded"] == len(too_long)
    assert f"{len(too_long)} values rounded to 18 decimals" in status["reason"]
    ids = ", ".join(f"'{line_id}'" for line_id in expected)
    charges = ask(
        f"select x_LineItemId as i, BilledCost as b from costs where x_LineItemId in ({ids})"
    )
    assert {row["i"]: Decimal(row["b"]) for row in charges} == expected


def test_times_in_every_spelling_are_utc(globex: Globex) -> None:
    spelled = {
        "2026-10-05T06:07:08Z": "2026-10-05T06:07:08",
        "2026-10-05T06:07:08.000Z": "2026-10-05T06:07:08",
        "2026-10-05 06:07:08": "2026-10-05T06:07:08",
        "2026-10-05": "2026-10-05T00:00:00",
        "2026-10-05T01:00:00+02:00": "2026-10-04T23:00:00",
    }
    records = globex.records()
    expected = {}
    for n, (value, moment) in enumerate(spelled.items(), start=100):
        records[n][globex.column(START)] = value
        expected[records[n][0]] = moment
    globex.write(records)
    globex.ingest()
    globex.check_exact("legacy", billed(records), lost=0)
    ids = ", ".join(f"'{line_id}'" for line_id in expected)
    charges = ask(
        f"select x_LineItemId as i, ChargePeriodStart as s from costs where x_LineItemId in ({ids})"
    )
    assert {row["i"]: row["s"] for row in charges} == expected


def test_columns_that_a_source_lacks_are_typed_nulls(globex: Globex) -> None:
    records = globex.records()
    removed = {"pricing/publicOnDemandCost", "lineItem/UsageEndDate", ID, "product/ProductName"}
    remaining = [n for n, name in enumerate(records[0]) if name not in removed]
    assert len(remaining) == len(records[0]) - len(removed)
    records = [[record[n] for n in remaining] for record in records]
    globex.write(records)
    globex.ingest()
    globex.check_exact("legacy", billed(records), lost=0)
    for column, kind in (
        ("x_PublicOnDemandCost", "DECIMAL(38,18)"),
        ("x_NetUnblendedCost", "DECIMAL(38,18)"),
        ("x_LineItemId", "VARCHAR"),
    ):
        of = f"from costs {in_month('legacy', 'x_Source')}"
        assert ask(f"select distinct typeof({column}) as t, {column} as v {of}") == [
            {"t": kind, "v": None}
        ]


def test_an_unfamiliar_line_item_type_becomes_an_adjustment(globex: Globex) -> None:
    records = globex.records()
    records[7][globex.column(TYPE)] = "QuantumFee"
    globex.write(records)
    globex.ingest()
    status = globex.check_exact("legacy", billed(records), lost=0)
    assert status["unknown_line_items"] == 1
    assert "1 line item of an unknown type kept as Adjustment" in status["reason"]
    row = ask("select ChargeCategory as c, BilledCost as b from costs"
              " where x_LineItemType = 'QuantumFee'")  # fmt: skip
    assert [(r["c"], Decimal(r["b"])) for r in row] == [
        ("Adjustment", Decimal(records[7][globex.column(COST)]))
    ]


def test_bad_rows_of_a_parquet_delivery_are_quarantined(globex: Globex) -> None:
    money, used = "line_item_unblended_cost", "savings_plan_used_commitment"
    damage: dict[int, list[tuple[int, str, Any, str]]] = {
        1: [
            (3, used, "oops", f"{used}: oops is not a number"),
            (5, money, float("nan"), f"{money}: nan is not a number"),
            (7, money, float("inf"), f"{money}: inf is not a number"),
            (9, money, 1e25, f"{money}: 1e+25 is not a number"),
            (11, "line_item_usage_account_id", "  ", "is empty"),
        ],
        2: [
            (0, money, None, f"{money} is empty"),
            (4, "bill_billing_period_start_date", datetime(2026, 9, 1), f"is not in {MONTH}"),  # noqa: DTZ001
        ],
    }
    pairs: list[tuple[str, Decimal]] = []
    expected = []
    for part, changes in damage.items():
        table = pq.read_table(globex.parquet(part))
        assert table.schema.field(used).type == pa.string()
        rows = table.to_pylist()
        for position, column, value, reason in changes:
            assert rows[position]["line_item_line_item_type"] == "Usage"
            rows[position][column] = value
            expected.append((PARQUET.format(part), position + 1, reason))
        lost = {position for position, *_ in changes}
        for n, row in enumerate(rows):
            kind = row["line_item_line_item_type"]
            if n not in lost and not kind.startswith(("SavingsPlanCovered", "SavingsPlanNeg")):
                account = row["line_item_usage_account_id"]
                pairs.append((account, Decimal(repr(row[money]))))
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), globex.parquet(part))

    globex.ingest()

    status = globex.check_exact("payer", summed(pairs), lost=len(expected))
    assert status["rows_read"] == 1354
    quarantined = quarantine("payer")
    for row, (file, line, reason) in zip(quarantined, expected, strict=True):
        assert (row["source_file"], row["line"]) == (file, line)
        assert reason in row["reason"]
        assert '"line_item_line_item_type":"Usage"' in row["raw_text"]
