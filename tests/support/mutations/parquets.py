"""Damage to Parquet files: bits, cuts, footers; columns of other types, missing, doubled, empty.

Put here: everything that is particular to Parquet. Keep out: values that any form may hold
(values.py), names of CSV columns (columns.py).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.mutations.bill import Delivery, Row, arrow, packed, write_parquet
from tests.support.mutations.verdict import Mutation, Verdict, ingested, refused

Verdicts = Verdict | tuple[Verdict, ...]
Mutate = Callable[[Delivery, random.Random], Verdicts]
FLIPS = 30
COMPRESSIONS = ("snappy", "none", "gzip", "zstd")
FIRST_FILE = "bill-1.parquet"


def all_rows(delivery: Delivery) -> Verdict:
    return ingested(delivery.rows(1) + delivery.rows(2))


def flip(compression: str, **options: Any) -> Mutate:
    """A bit flips anywhere: with checksums on the pages no other amount may come of it.

    In the footer, which has none, it may make a column another one: then every row of the file is
    set aside, counted, and the month's state is `differs`.
    """

    def mutate(delivery: Delivery, rng: random.Random) -> Verdicts:
        delivery.write(1, delivery.rows(1), compression=compression, **options)
        path = delivery.file(1)
        raw = bytearray(path.read_bytes())
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(raw))
        aside = ingested(delivery.rows(2), lost=len(delivery.rows(1)))
        return all_rows(delivery), aside, refused("bill-")

    return mutate


def flip_in_cost(compression: str) -> Mutate:
    """A bit flips in a page of the cost column: only refusing is right."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdict:
        delivery.write(1, delivery.rows(1), compression=compression, use_dictionary=False)
        path = delivery.file(1)
        group = pq.ParquetFile(path).metadata.row_group(0)
        cost = delivery.form.names["cost"]
        at = next(n for n in range(group.num_columns) if group.column(n).path_in_schema == cost)
        chunk = group.column(at)
        end = chunk.data_page_offset + chunk.total_compressed_size
        raw = bytearray(path.read_bytes())
        raw[rng.randrange(end - 30, end)] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(raw))
        return refused(FIRST_FILE, delivery.form.names["cost"], "checksum")

    return mutate


def harmless(change: Callable[[bytes], bytes]) -> Mutate:
    """Bytes that nobody has to read changed: kept or refused."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdicts:
        path = delivery.file(1)
        path.write_bytes(change(path.read_bytes()))
        return all_rows(delivery), refused(FIRST_FILE)

    return mutate


def raw_bytes(change: Callable[[bytes], bytes], *message_parts: str) -> Mutate:
    """The file's bytes changed, and refused."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdict:
        path = delivery.file(1)
        path.write_bytes(change(path.read_bytes()))
        return refused(FIRST_FILE, *message_parts)

    return mutate


def cut(delivery: Delivery, rng: random.Random) -> Verdict:
    path = delivery.file(1)
    raw = path.read_bytes()
    path.write_bytes(raw[: rng.randrange(1, len(raw))])
    return refused(FIRST_FILE, "cannot be read")


def typed(short: str, kind: Any, value: Callable[[int], str] | None = None) -> Mutate:
    """A column of the first file has another type that holds the same values."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdict:
        rows = delivery.rows(1)
        for number, row in enumerate(rows):
            row[short] = value(number) if value else row[short]
        write_parquet(delivery.file(1), arrow(delivery.form, rows, {short: kind}))
        return ingested(rows + delivery.rows(2))

    return mutate


def replaced(
    short: str, make: Callable[[list[Row]], Any], *message_parts: str, lost: bool = False
) -> Mutate:
    """A column of the first file is another array: kept, or refused, or its rows are lost."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdict:
        rows = delivery.rows(1)
        table = arrow(delivery.form, rows)
        name = delivery.form.names[short]
        at = table.column_names.index(name)
        write_parquet(delivery.file(1), table.set_column(at, name, make(rows)))
        if message_parts:
            return refused(*message_parts)
        return ingested(delivery.rows(2), len(rows)) if lost else all_rows(delivery)

    return mutate


def table_of(change: Callable[[pa.Table], pa.Table], *message_parts: str, **options: Any) -> Mutate:
    """The first file's table changed: kept, or refused with a message of these parts."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdict:
        table = change(arrow(delivery.form, delivery.rows(1)))
        write_parquet(delivery.file(1), table, **options)
        return refused(*message_parts) if message_parts else all_rows(delivery)

    return mutate


def cells(short: str, values: list[Any], kind: Any) -> Mutate:
    """Some cells hold invalid values: these rows are lost."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdict:
        rows = delivery.rows(1)
        table = arrow(delivery.form, rows)
        name = delivery.form.names[short]
        column = table.column(name).to_pylist()
        chosen = rng.sample(range(len(rows)), len(values))
        for at, value in zip(chosen, values, strict=True):
            column[at] = value
        at = table.column_names.index(name)
        write_parquet(delivery.file(1), table.set_column(at, name, pa.array(column, kind)))
        good = [row for n, row in enumerate(rows) if n not in chosen]
        return ingested(good + delivery.rows(2), len(values))

    return mutate


def no_rows(files: tuple[int, ...]) -> Mutate:
    """Files with columns and no rows."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdict:
        for part in files:
            write_parquet(delivery.file(part), arrow(delivery.form, []))
        if len(files) == 2:
            return refused("bill-Manifest.json", "no rows")
        return ingested(delivery.rows(2))

    return mutate


def moments(rows: list[Row]) -> list[datetime]:
    return [datetime.fromisoformat(row["start"].replace("Z", "+00:00")) for row in rows]


def encrypted(raw: bytes) -> bytes:
    """As files with an encrypted footer end (and begin)."""
    return b"PARE" + raw[4:-4] + b"PARE"


def wide(table: pa.Table, count: int) -> pa.Table:
    for number in range(count):
        table = table.append_column(f"x_new_{number}", pa.nulls(table.num_rows, pa.string()))
    return table


def doubled(table: pa.Table) -> pa.Table:
    """The cost column twice under one name, with other values."""
    name = next(n for n in table.column_names if n in ("line_item_unblended_cost", "BilledCost"))
    column = table.column(name)
    return table.append_column(name, pa.array([Decimal(1)] * table.num_rows).cast(column.type))


EAST = pa.timestamp("us", tz="+09:00")
TYPES: dict[str, Mutate] = {
    "cost as text": typed("cost", pa.string()),
    "cost as large text": typed("cost", pa.large_string()),
    "cost as decimal(38,18)": typed("cost", pa.decimal128(38, 18)),
    "cost as decimal(20,10)": typed("cost", pa.decimal128(20, 10)),
    "cost as whole number": typed("cost", pa.int64(), lambda n: str(n * 1_000_000_007)),
    "cost as small number": typed("cost", pa.int8(), lambda n: str(n - 9)),
    "cost as single float": typed("cost", pa.float32(), lambda n: f"{n}.25"),
    "cost as double, tiny": typed("cost", pa.float64(), lambda n: f"{n + 1}e-12"),
    "cost as dictionary": replaced(
        "cost", lambda rows: pa.array([r["cost"] for r in rows]).dictionary_encode()
    ),
    "start as text": typed("start", pa.string()),
    "start in nanoseconds": typed("start", pa.timestamp("ns")),
    "start in seconds": typed("start", pa.timestamp("s")),
    "start with a zone": replaced("start", lambda rows: pa.array(moments(rows), EAST)),
    "start as a day": replaced("start", lambda rows: pa.array([m.date() for m in moments(rows)])),
    "account as number": typed("account", pa.int64()),
    "amount as text": typed("amount", pa.string()),
    "period as text": typed("period", pa.string()),
    "type as dictionary": replaced(
        "type", lambda rows: pa.array([r["type"] for r in rows]).dictionary_encode()
    ),
    "words as bytes": replaced("words", lambda rows: pa.array([r["words"].encode() for r in rows])),
    "tags all null": replaced("tag", lambda rows: pa.nulls(len(rows), pa.string())),
    "tags as struct": replaced("tag", lambda rows: pa.array([{"team": r["tag"]} for r in rows])),
    "tags as list": replaced("tag", lambda rows: pa.array([[r["tag"]] for r in rows])),
    "tags as JSON text": replaced(
        "tag", lambda rows: pa.array([f'{{"team": "{r["tag"]}"}}' for r in rows])
    ),
}
LOST: dict[str, tuple[str, Callable[[list[Row]], Any]]] = {
    "cost as flag": ("cost", lambda rows: pa.array([True] * len(rows))),
    "cost as time": ("cost", lambda rows: pa.array(moments(rows), pa.timestamp("us"))),
    "cost as bytes": ("cost", lambda rows: pa.array([b"\xff\x00"] * len(rows))),
    "cost all null": ("cost", lambda rows: pa.nulls(len(rows), pa.float64())),
    "cost without a type": ("cost", lambda rows: pa.nulls(len(rows))),
    "cost as struct": ("cost", lambda rows: pa.array([{"usd": 1}] * len(rows))),
    "cost as list": ("cost", lambda rows: pa.array([[1, 2]] * len(rows))),
    "start as number": ("start", lambda rows: pa.array([1791158400] * len(rows))),
    "start as time of day": ("start", lambda rows: pa.array([m.time() for m in moments(rows)])),
    "start as duration": ("start", lambda rows: pa.array([timedelta(days=1)] * len(rows))),
    "currency all null": ("currency", lambda rows: pa.nulls(len(rows), pa.string())),
    "period of September": (
        "period",
        lambda rows: pa.array([datetime(2026, 9, 1, tzinfo=UTC)] * len(rows)),
    ),
}
BYTES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "zero bytes": (lambda raw: b"", "cannot be read"),
    "four bytes": (lambda raw: raw[:4], "cannot be read"),
    "no footer": (lambda raw: raw[:-8], "cannot be read"),
    "an encrypted footer": (encrypted, "cannot be read"),
    "another end": (lambda raw: raw[:-4] + b"PAR2", "cannot be read"),
    "a footer of 4 GB": (lambda raw: raw[:-8] + b"\xff\xff\xff\xff" + raw[-4:], "cannot be read"),
    "a footer of no length": (lambda raw: raw[:-8] + b"\0\0\0\0" + raw[-4:], "cannot be read"),
    "bytes behind": (lambda raw: raw + b"\0" * 16, "cannot be read"),
    "bytes before": (lambda raw: b"HTTP/1.1 200 OK\r\n" + raw, ""),
    "a CSV named Parquet": (lambda raw: b"a,b\n1,2\n", "cannot be read"),
    "packed as gz": (packed, "cannot be read"),
    "an ORC": (lambda raw: b"ORC" + b"\0" * 100, "cannot be read"),
}


def mutations(flips: int = FLIPS) -> list[Mutation]:
    """This family; `flips` deliveries with a random bit flipped."""
    made = []

    def add(name: str, form: str, mutate: Mutate) -> None:
        made.append(Mutation("parquets", f"{name}, {form}", form, mutate))

    for number in range(flips):
        form, compression = ("cur2", "focus")[number % 2], COMPRESSIONS[number // 2 % 4]
        add(f"a bit flips in {compression}, {number}", form, flip(compression))
        if number % 3 == 0:
            add(f"a bit flips in cost, {compression}, {number}", form, flip_in_cost(compression))
            add(f"cut, {number}", form, cut)
            v2 = flip(compression, data_page_version="2.0")
            add(f"a bit flips in pages of version 2, {compression}, {number}", form, v2)
    for number, (name, mutate) in enumerate(TYPES.items()):
        add(name, ("cur2", "focus")[number % 2], mutate)
    for number, (name, (short, make)) in enumerate(LOST.items()):
        add(name, ("cur2", "focus")[number % 2], replaced(short, make, lost=True))
    for number, (name, (change, message_parts)) in enumerate(BYTES.items()):
        add(name, ("cur2", "focus")[number % 2], raw_bytes(change, message_parts))
    nothing = [float("nan"), float("inf"), 1e25, None]
    add("costs that are none", "cur2", cells("cost", nothing, pa.float64()))
    add("costs that are null", "focus", cells("cost", [None, None], pa.decimal128(38, 18)))
    late = [datetime(2026, 9, 1), None, datetime(1, 1, 1)]  # noqa: DTZ001
    add("periods that are others", "cur2", cells("period", late[:1] + late[2:], pa.timestamp("us")))
    add("starts that are null", "focus", cells("start", [None], pa.timestamp("us")))
    for form in ("cur2", "focus"):
        add("another beginning", form, harmless(lambda raw: b"PAR2" + raw[4:]))
        add("twice in one file", form, harmless(lambda raw: raw[:-200] + raw))
        add("no rows in one file", form, no_rows((1,)))
        add("no rows", form, no_rows((1, 2)))
        add("cost twice", form, table_of(doubled, FIRST_FILE))
        add("columns in another order", form, table_of(lambda t: t.select(t.column_names[::-1])))
        add("many row groups", form, table_of(lambda t: t, row_group_size=3))
        add("400 more columns", form, table_of(lambda t: wide(t, 400)))
        add("without checksums", form, table_of(lambda t: t, write_page_checksum=False))
    cost = "line_item_unblended_cost"
    add(
        "no cost",
        "cur2",
        table_of(lambda t: t.drop_columns([cost]), FIRST_FILE, "lacks the column"),
    )
    add("no service", "focus", table_of(lambda t: t.drop_columns(["ServiceName"])))
    capitals = table_of(lambda t: t.rename_columns([name.upper() for name in t.column_names]))
    add("names in capitals", "cur2", capitals)
    add("no columns", "cur2", table_of(lambda t: t.select([]), FIRST_FILE))
    add("cost as decimal(76,18)", "cur2", replaced("cost", lambda rows: pa.array(
        [Decimal(r["cost"]) for r in rows], pa.decimal256(76, 18)), FIRST_FILE))  # fmt: skip
    return made
