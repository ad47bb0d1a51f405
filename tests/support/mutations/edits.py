"""One character of a CSV's text changed at random: removed, inserted or replaced.

Put here: random edits and the plain reading of lines and commas that says what is right. Keep out:
damage that was designed (the other families).
"""

from __future__ import annotations

import random
import re
from decimal import Decimal

from tests.support.mutations.bill import MONTH, Delivery, Row
from tests.support.mutations.verdict import Mutation, Verdict, ingested, refused

EDITS = 18
CHARACTERS = ",\n0123456789.-+eExX _\t;'Ω"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
_TIME = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2\d|3[01])T\d\d:00:00Z", re.ASCII)
_REQUIRED = ("account", "type", "start", "cost", "currency")


def _changed(text: str, rng: random.Random) -> str:
    """The text with one edit behind its header, outside of times: those have many spellings."""
    begin = text.index("\n") + 1
    times = [match.span() for match in re.finditer(r"\d{4}-\d\d-\d\dT[\d:]+Z", text)]
    while True:
        at = rng.randrange(begin, len(text))
        if not any(start <= at <= end for start, end in times):
            break
    kind = rng.choice(("strike", "put", "replace"))
    character = "" if kind == "strike" else rng.choice(CHARACTERS)
    return text[:at] + character + text[at + (kind != "put") :]


def _rows(delivery: Delivery, text: str) -> tuple[list[Row], int]:
    """Good rows and the number of bad ones of a text without quotes."""
    lines = [line for line in text.split("\n")[1:] if line]
    shorts = list(delivery.form.names)
    good = []
    for line in lines:
        cells = line.split(",")
        row = dict(zip(shorts, cells, strict=False))
        if len(cells) == len(shorts) and _is_good(row):
            good.append({**row, **{n: row[n].strip() for n in ("cost", "account", "currency")}})
    return good, len(lines) - len(good)


def _is_good(row: Row) -> bool:
    """Whether a row is kept. Values that billed cost does not need become null if unreadable."""
    if not all(row[short].strip() for short in _REQUIRED):
        return False
    if not all(_TIME.fullmatch(row[short]) for short in ("start", "period")):
        return False
    if not row["period"].startswith(MONTH):
        return False
    cost = row["cost"].strip()
    return bool(_NUMBER.fullmatch(cost)) and abs(Decimal(cost)) < 10**19


def edit(delivery: Delivery, rng: random.Random) -> Verdict:
    """One edit in the first file."""
    text = _changed(delivery.text(1), rng)
    assert '"' not in text
    delivery.write_text(1, text)
    good, bad = _rows(delivery, text)
    return ingested(good + delivery.rows(2), bad)


def quote(delivery: Delivery, rng: random.Random) -> tuple[Verdict, ...]:
    """A quote inserted anywhere: part of its cell, or that row is lost, or the file is refused."""
    text = delivery.text(1)
    at = rng.randrange(text.index("\n") + 1, len(text))
    number = text.count("\n", 0, at) - 1
    delivery.write_text(1, text[:at] + '"' + text[at:])
    rows = delivery.rows(1)
    other_rows = rows[:number] + rows[number + 1 :] + delivery.rows(2)
    verdicts: list[Verdict] = [ingested(other_rows, 1), refused("bill-1")]
    good, bad = _rows(delivery, text[:at] + '"' + text[at:])
    if not bad:
        verdicts.append(ingested(good + delivery.rows(2)))
    return tuple(verdicts)


def mutations(edits: int = EDITS) -> list[Mutation]:
    """This family; `edits` deliveries with a random edit, and a third as many with a quote."""
    made = [Mutation("edits", f"an edit, {n}", "legacy", edit) for n in range(edits)]
    made += [Mutation("edits", f"a quote, {n}", "legacy", quote) for n in range(edits // 3)]
    return made
