"""Damage to values: numbers, times, currencies, empty fields, line ids.

Put here: cells that hold something else than they should, in CSV and in Parquet. Keep out: the
structure of the text (texts.py) and types of Parquet columns (parquet_types.py).
"""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.support.mutations.bill import Delivery, Row, csv_text, table
from tests.support.mutations.verdict import Ingested, Mutation, Verdict, ingested, refused

BAD_NUMBERS = (
    "1,234.5", "NaN", "nan", "inf", "-Infinity", "1_000", "0x10", "１２３", "１.５", "1 000",
    "12,5", "$5", "5 USD", "(5)", "1.2.3", "-", "--5", "1e", "e5", "abc", "null", "None", "N/A",
    "1e30", "100000000000000000000", "5%", "٣", "−5", "1'000", "true", "2026-10-05T00:00:00Z",
    "1\u00a0000", "#REF!", "=1+1", "5-", "+-5", "0b11", "1d",
)  # fmt: skip
"""Not numbers of a bill: underscores, thousands, other digits, other signs, text, too large."""

GOOD_NUMBERS = (
    "1e-7", "1E+3", "1.05e-07", "-0", "+5.5", ".5", "5.", "00012.50", " 7.25 ",
    "0.123456789012345678", "9999999999999999999", "-3e-18", "0.0000000000000000004",
    "0.00000000000000000149", "123456789012.123456789012345678",
)  # fmt: skip
"""Odd spellings of numbers that keep their value (beyond 18 decimals: rounded half up)."""

BAD_TIMES = (
    "2026-02-31T00:00:00Z", "2026-13-01T00:00:00Z", "2026-10-32", "31.10.2026", "10/05/2026",
    "05-Oct-2026", "2026/10/05", "20261005", "1791158400", "yesterday", "epoch", "infinity",
    "2026-10-05T25:00:00Z", "2026-10-05T00:61:00Z", "0000-00-00", "2026-10", "T00:00:00Z",
    "２０２６-10-05", "2026-10-05 (BC)",
)  # fmt: skip
GOOD_TIMES = {
    "2026-10-05": "2026-10-05 00:00:00",
    "2026-10-05 06:07:08": "2026-10-05 06:07:08",
    "2026-10-05T06:07:08.000Z": "2026-10-05 06:07:08",
    "2026-10-05T01:00:00+02:00": "2026-10-04 23:00:00",
    "2026-10-05T01:00:00-0330": "2026-10-05 04:30:00",
    "2026-10-05 06:07:08 UTC": "2026-10-05 06:07:08",
    "2024-02-29T00:00:00Z": "2024-02-29 00:00:00",
    "2031-01-01T00:00:00Z": "2031-01-01 00:00:00",
    "0001-01-01T00:00:00Z": "0001-01-01 00:00:00",
}
"""Times in other spellings, and in other months: a bill may charge for those."""

BAD_PERIODS = ("2026-09-01T00:00:00Z", "0001-01-01T00:00:00Z", "2026-11-01", "2025-10-01", "soon",
               "9999-12-31T23:59:59Z")  # fmt: skip
CURRENCIES = ("EUR", "JPY", "usd", "XXX", "CNY")


def cell(short: str, value: str, lost: int, becomes: str | None = None) -> Callable[..., Verdict]:
    """One cell of the first file holds `value`; the row is lost, or holds that value."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdict:
        rows = delivery.rows(1)
        at = rng.randrange(len(rows))
        rows[at][short] = value
        delivery.write(1, rows)
        good = [row for n, row in enumerate(rows) if n != at or not lost]
        if not lost:
            rows[at][short] = value.strip() if becomes is None else becomes
        return ingested(good + delivery.rows(2), lost)

    return mutate


def column(short: str, value: str, *message_parts: str) -> Callable[..., Verdict]:
    """A column holds `value` in every row of both files; refused with this message, or kept."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdict:
        rows: list[list[Row]] = [[{**r, short: value} for r in delivery.rows(n)] for n in (1, 2)]
        for part in (1, 2):
            delivery.write(part, rows[part - 1])
        return (
            refused("bill-Manifest.json", *message_parts)
            if message_parts
            else ingested(rows[0] + rows[1])
        )

    return mutate


def same_ids(delivery: Delivery, rng: random.Random) -> Ingested:
    """Every line has the same id: a bill may repeat ids, and no row may be taken for another."""
    rows = [[{**row, "id": "same"} for row in delivery.rows(n)] for n in (1, 2)]
    for part in (1, 2):
        delivery.write(part, rows[part - 1])
    return ingested(rows[0] + rows[1])


def same_rows(delivery: Delivery, rng: random.Random) -> Ingested:
    """A row appears twice, identically: both are billed."""
    rows = delivery.rows(1)
    rows += [dict(rng.choice(rows))]
    delivery.write(1, rows)
    return ingested(rows + delivery.rows(2))


def many_bad(delivery: Delivery, rng: random.Random) -> Ingested:
    """Several rows are bad, each for a reason of its own, and some for two."""
    rows = delivery.rows(1)
    bad = rng.sample(range(len(rows)), 6)
    damage = (
        ("cost", "x"),
        ("start", "x"),
        ("start", ""),
        ("type", ""),
        ("currency", ""),
        (
            "period",
            "x",
        ),
    )
    for at, (short, value) in zip(bad, damage, strict=True):
        rows[at] = {**rows[at], short: value, "amount": rng.choice(("1", "one"))}
    delivery.write(1, rows)
    good = [row for n, row in enumerate(rows) if n not in bad]
    return ingested(good + delivery.rows(2), 6)


def swapped_values(delivery: Delivery, rng: random.Random) -> Verdict:
    """Cost and start stand in each other's column, in the first file."""
    rows = [{**r, "cost": r["start"], "start": r["cost"]} for r in delivery.rows(1)]
    delivery.write_text(1, csv_text(table(delivery.form, rows)))
    return ingested(delivery.rows(2), len(rows))


CSV_FORMS = ("legacy", "focuscsv")


def mutations() -> list[Mutation]:
    """This family."""
    made = []

    def add(name: str, form: str, mutate: Callable[..., Verdict]) -> None:
        made.append(Mutation("values", name, form, mutate))

    for n, value in enumerate(BAD_NUMBERS):
        form = CSV_FORMS[n % 2]
        add(f"number {value!a}", form, cell("cost", value, 1))
    for n, value in enumerate(GOOD_NUMBERS):
        add(f"odd number {value!a}", CSV_FORMS[n % 2], cell("cost", value, 0))
    for n, value in enumerate(BAD_TIMES):
        add(f"time {value!a}", CSV_FORMS[n % 2], cell("start", value, 1))
    for n, (value, becomes) in enumerate(GOOD_TIMES.items()):
        add(f"odd time {value!a}", CSV_FORMS[n % 2], cell("start", value, 0, becomes))
    for value in BAD_PERIODS:
        add(f"period {value!a}", "legacy", cell("period", value, 1))
        add(f"every period {value!a}", "focuscsv",
            column("period", value, "none of which can be read", value[:10]))  # fmt: skip
    for value in CURRENCIES:
        add(f"currency {value}", "legacy", cell("currency", value, 0))
        add(f"every currency {value}", "focuscsv", column("currency", value))
    for short in ("cost", "type", "start", "currency", "account"):
        add(f"empty {short}", "legacy", cell(short, "", 1))
        add(f"blank {short}", "legacy", cell(short, "  ", 1))
        add(
            f"every {short} empty",
            "legacy",
            column(short, "", "40 rows, none of which", "is empty"),
        )
    for short in ("amount", "list"):
        add(f"words in {short}", "legacy", cell(short, "many", 0, ""))
        add(f"words in {short}, FOCUS", "focuscsv", cell(short, "many", 0, ""))
        add(f"empty {short}", "focuscsv", cell(short, "", 0, ""))
    add("words in every cost", "legacy", column("cost", "free", "40 rows, none of which", "free"))
    for form in ("legacy", "cur2", "focus", "focuscsv"):
        add(f"same id everywhere, {form}", form, same_ids)
        add(f"a row twice, {form}", form, same_rows)
    for form in CSV_FORMS:
        add(f"many bad rows, {form}", form, many_bad)
        add(f"cost and start swapped, {form}", form, swapped_values)
    return made
