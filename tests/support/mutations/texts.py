"""Damage to the text of a CSV: encodings, line ends, quotes, invalid records.

Put here: what a CSV as a whole may look like. Keep out: single values (values.py), header names
(columns.py), compression (packing.py).
"""

from __future__ import annotations

import csv
import random
from collections.abc import Callable

from tests.support.mutations.bill import Delivery, csv_text, table
from tests.support.mutations.verdict import Mutation, Verdict, ingested, refused

Mutate = Callable[[Delivery, random.Random], "Verdict | tuple[Verdict, ...]"]
NAME = "bill-1"


def more_lines(text: str) -> Mutate:
    """Text behind the last row that is not a row: set aside as one."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdict:
        delivery.write_text(1, delivery.text(1) + text)
        return ingested(delivery.rows(1) + delivery.rows(2), 1)

    return mutate


def whole(change: Callable[[str], str | bytes], *message_parts: str) -> Mutate:
    """The first file's text changed: all rows stay, or it is refused with these message parts."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdict:
        delivery.write_text(1, change(delivery.text(1)))
        return (
            refused(*message_parts)
            if message_parts
            else ingested(delivery.rows(1) + delivery.rows(2))
        )

    return mutate


def either(change: Callable[[str], str | bytes], *message_parts: str) -> Mutate:
    """As `whole`, where both keeping all rows and refusing is right."""

    def mutate(delivery: Delivery, rng: random.Random) -> tuple[Verdict, ...]:
        delivery.write_text(1, change(delivery.text(1)))
        return ingested(delivery.rows(1) + delivery.rows(2)), refused(NAME, *message_parts)

    return mutate


def line(change: Callable[[str], str], lost: int = 1, more: tuple[str, ...] = ()) -> Mutate:
    """One line of the first file changed: its row is lost, the others stay.

    Args:
        more: parts of the message of a refusal, where refusing is right, too.
    """

    def mutate(delivery: Delivery, rng: random.Random) -> tuple[Verdict, ...]:
        lines = delivery.text(1).splitlines(keepends=True)
        at = rng.randrange(1, len(lines))
        lines[at] = change(lines[at])
        delivery.write_text(1, "".join(lines))
        good = [r for n, r in enumerate(delivery.rows(1), start=1) if n != at or not lost]
        verdict = ingested(good + delivery.rows(2), lost)
        return (verdict, refused(NAME, *more)) if more else (verdict,)

    return mutate


def descriptions(value: str, quoting: int = 0, newline: str = "\n", lost: int = 0) -> Mutate:
    """Some descriptions hold this text, which is a value like any other."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdict:
        rows = delivery.rows(1)
        chosen = rng.sample(range(len(rows)), 4)
        for at in chosen:
            rows[at]["words"] = value.format(n=at)
        records = table(delivery.form, rows)
        delivery.write_text(1, csv_text(records, newline, quoting))
        if lost:
            rows = [row for n, row in enumerate(rows) if n not in chosen]
        return ingested(rows + delivery.rows(2), 4 if lost else 0)

    return mutate


def open_quote(delivery: Delivery, rng: random.Random, last: bool, quoted: bool) -> Verdict:
    """A quote opens in one row and never closes, or closes in another row's cell."""
    rows = delivery.rows(1)
    at = len(rows) - 1 if last else rng.randrange(2, len(rows) - 4)
    lines = csv_text(table(delivery.form, rows), quoting=1 if quoted else 0).splitlines(True)
    cell = f"line {at} of"
    closing = f'"{cell} part 1"' if quoted else f"{cell} part 1"
    lines[at + 1] = lines[at + 1].replace(closing, f'"{cell} part 1')
    delivery.write_text(1, "".join(lines))
    if last or quoted:  # quoted, the next field's quote ends it: that row alone is no record
        return ingested(rows[:at] + rows[at + 1 :] + delivery.rows(2), 1)
    return refused(NAME, "line", "quote")


def stray_quote(delivery: Delivery, rng: random.Random) -> Verdict:
    """A quote inside a cell that does not begin with one is a character like any other."""
    rows = delivery.rows(1)
    row = rng.choice(rows)
    text = delivery.text(1).replace(f",{row['words']},", f',5"{row["words"]},')
    delivery.write_text(1, text)
    row["words"] = f'5"{row["words"]}'
    return ingested(rows + delivery.rows(2))


def wider_header(delivery: Delivery, rng: random.Random) -> Verdict:
    """A header cell too many: no row of the file has as many fields, and all are set aside."""
    delivery.write_text(1, "x" * 300_000 + "," + delivery.text(1))
    return ingested(delivery.rows(2), len(delivery.rows(1)))


def both_files(text: Callable[[str], str | bytes], *message_parts: str) -> Mutate:
    """Both files changed alike, and refused."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdict:
        for part in (1, 2):
            delivery.write_text(part, text(delivery.text(part)))
        return refused(*message_parts)

    return mutate


def header_of(text: str) -> str:
    return text.splitlines(keepends=True)[0]


def header_twice(delivery: Delivery, rng: random.Random) -> Verdict:
    """The header stands again between the rows, as in files glued together."""
    lines = delivery.text(1).splitlines(keepends=True)
    lines.insert(rng.randrange(1, len(lines) + 1), lines[0])
    delivery.write_text(1, "".join(lines))
    return ingested(delivery.rows(1) + delivery.rows(2), 1)


def only_header(delivery: Delivery, rng: random.Random) -> Verdict:
    """One of the two files has a header and no rows: the other one's are the month."""
    delivery.write_text(1, header_of(delivery.text(1)))
    return ingested(delivery.rows(2))


def requoted(quoting: int, newline: str = "\n") -> Mutate:
    def mutate(delivery: Delivery, rng: random.Random) -> Verdict:
        records = table(delivery.form, delivery.rows(1))
        delivery.write_text(1, csv_text(records, newline, quoting))
        return ingested(delivery.rows(1) + delivery.rows(2))

    return mutate


def bad_bytes(raw: bytes, into: str) -> Mutate:
    """Bytes that are no UTF-8 in one cell of one row: the row is lost."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdict:
        rows = delivery.rows(1)
        at = rng.randrange(len(rows))
        changed = [dict(row) for row in rows]
        changed[at][into] += raw.decode("utf-8", "surrogateescape")
        delivery.write_text(1, csv_text(table(delivery.form, changed)))
        return ingested(rows[:at] + rows[at + 1 :] + delivery.rows(2), 1)

    return mutate


WHOLE: dict[str, Callable[[str], str | bytes]] = {
    "byte order mark": lambda t: "\ufeff" + t,
    "CRLF": lambda t: t.replace("\n", "\r\n"),
    "byte order mark and CRLF": lambda t: "\ufeff" + t.replace("\n", "\r\n"),
    "no line end at the end": lambda t: t.rstrip("\n"),
    "no CRLF at the end": lambda t: t.replace("\n", "\r\n").rstrip("\r\n"),
    "empty lines at the end": lambda t: t + "\n\n\n",
    "empty lines between": lambda t: t.replace("\n", "\n\n"),
    "empty CRLF lines between": lambda t: t.replace("\n", "\r\n\r\n"),
}
EITHER: dict[str, Callable[[str], str | bytes]] = {
    "CR alone": lambda t: t.replace("\n", "\r"),
    "CRLF and LF mixed": lambda t: t.replace("\n", "\r\n", 7),
    "empty line first": lambda t: "\n" + t,
    "comma at the end of each line": lambda t: t.replace("\n", ",\n"),
}
NO_BILL: dict[str, tuple[Callable[[str], str | bytes], str]] = {
    "UTF-16": (lambda t: t.encode("utf-16"), "lacks the column"),
    "UTF-32 without mark": (lambda t: t.encode("utf-32-le"), "lacks the column"),
    "tabs between": (lambda t: t.replace(",", "\t"), "lacks the column"),
    "semicolons between": (lambda t: t.replace(",", ";"), "lacks the column"),
    "no header": (lambda t: t.partition("\n")[2], "lacks the column"),
    "a remark before the header": (lambda t: "# exported 2026\n" + t, "lacks the column"),
    "sep= before the header": (lambda t: "sep=,\n" + t, "lacks the column"),
    "an error page": (lambda t: "<html><body>503</body></html>\n", "lacks the column"),
    "an error as JSON": (lambda t: '{"error": "AccessDenied", "code": 403}', "lacks the column"),
    "zeros": (lambda t: b"\0" * 4096, "lacks the column"),
    "nothing": (lambda t: "", "is empty"),
    "a line end": (lambda t: "\n", "is empty"),
    "a byte order mark alone": (lambda t: "\ufeff", "is empty"),
    "a quote": (lambda t: '"', "lacks the column"),
    "a header of 9 MB": (lambda t: "x" * 9_000_000 + "," + t, "lacks the column"),
}
DESCRIPTIONS = {
    "line ends": "a\nb {n}\n\nc",
    "CRLF inside": "a\r\nb {n}",
    "quotes": 'a "quoted" {n} ""twice""',
    "commas": "a, b, {n}, c",
    "a record inside": "x\n1,2,3,4,5,6,7,8,9,10,11,12,13\n{n}",
    "backslashes and quotes": 'C:\\"{n}\\',
    "emoji": "🦆 ünï {n} 漢字",
    "right to left": "\u202e{n} abc",
    "a long cell": "{n}" + "y" * 200_000,
    "formulas": "=cmd|' /C calc'!{n}",
    "SQL": "'; drop table costs; -- {n}",
    "control signs": "\x01\x07\x1b[31m {n}",
    "zero width": "a\u200b{n}\ufeff",
    "only a quote": '"',
}


NO_UTF_8 = (b"\xff", b"\xe9t\xe9", b"\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80")


def mutations() -> list[Mutation]:
    """This family."""
    made = []

    def add(name: str, form: str, mutate: Mutate) -> None:
        made.append(Mutation("texts", name, form, mutate))

    for name, change in WHOLE.items():
        for form in ("legacy", "focuscsv"):
            add(f"{name}, {form}", form, whole(change))
    for name, change in EITHER.items():
        add(name, "legacy", either(change))
    for name, (change, message) in NO_BILL.items():
        add(name, "legacy", whole(change, NAME, message))
    for name, value in DESCRIPTIONS.items():
        form = ("legacy", "focuscsv", "zip")[len(made) % 3]
        add(f"words with {name}", form, descriptions(value))
    add("words with a NUL", "legacy", descriptions("a\0b {n}"))
    crlf = descriptions("a\nb {n}", csv.QUOTE_ALL, "\r\n")
    add("words with line ends in CRLF, all quoted", "legacy", crlf)
    add("every cell quoted", "legacy", requoted(csv.QUOTE_ALL))
    add("every cell quoted, CRLF", "focuscsv", requoted(csv.QUOTE_ALL, "\r\n"))
    for number, raw in enumerate(NO_UTF_8):
        add(f"bytes {raw!r} in words", "legacy", bad_bytes(raw, "words"))
        add(f"bytes {raw!r} in cost", ("legacy", "focuscsv")[number % 2], bad_bytes(raw, "cost"))
    add("too few fields", "legacy", line(lambda t: ",".join(t.split(",")[:7]) + "\n"))
    add("too many fields", "legacy", line(lambda t: t.rstrip("\n") + ",more,still\n"))
    add("one field", "focuscsv", line(lambda t: "end of file\n"))
    add("a NUL in the cost", "legacy", line(lambda t: t.replace("USD,", "USD,\0")))
    add("a space as separator", "legacy", line(lambda t: t.replace(",", " ")))
    add("half a row at the end", "legacy", line(lambda t: t[: len(t) // 3] + "\n"))
    huge = line(lambda t: t.replace("line ", "z" * 9_000_000), 1, ("cannot be read",))
    add("a cell of 9 MB", "legacy", huge)
    add("words with a quote inside, unquoted", "legacy", stray_quote)
    add("a line of spaces at the end", "legacy", more_lines("   \n"))
    add("control-Z at the end", "legacy", more_lines("\x1a"))
    add("a total line at the end", "focuscsv", more_lines("Total,,,123.45\n"))
    add("a wider header", "legacy", wider_header)
    for quoted in (False, True):
        quoting = "all quoted" if quoted else "few quoted"
        add(f"a quote left open, {quoting}", "legacy",
            lambda d, r, q=quoted: open_quote(d, r, False, q))  # fmt: skip
        add(f"a quote left open in the last row, {quoting}", "legacy",
            lambda d, r, q=quoted: open_quote(d, r, True, q))  # fmt: skip
    for form in ("legacy", "focuscsv"):
        add(f"header twice, {form}", form, header_twice)
        add(f"only a header in one file, {form}", form, only_header)
        add(f"only headers, {form}", form, both_files(header_of, "bill-Manifest.json", "no rows"))
    return made
