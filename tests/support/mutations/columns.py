"""Damage to the columns of a delivery: names, order, doubles, gaps, far too many.

Put here: what a header may contain. Keep out: types of Parquet columns (parquet_types.py), values.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.support.mutations.bill import Delivery, csv_text, table
from tests.support.mutations.verdict import Ingested, Mutation, Verdict, ingested, refused

Records = list[list[str]]
Verdicts = Verdict | tuple[Verdict, ...]
Mutate = Callable[[Delivery, random.Random], Verdicts]
NAME = "bill-Manifest.json"
REQUIRED = ("account", "type", "start", "cost", "currency")
FOCUS_REQUIRED = ("cost", "effective", "currency", "period", "type", "start")


def records_of(delivery: Delivery, part: int = 1) -> Records:
    return table(delivery.form, delivery.rows(part))


def write(delivery: Delivery, records: Records, part: int = 1) -> None:
    if delivery.form.is_parquet:
        raise ValueError(delivery.form.name)
    delivery.write_text(part, csv_text(records))


def all_rows(delivery: Delivery) -> Verdict:
    return ingested(delivery.rows(1) + delivery.rows(2))


def without(short: str, files: tuple[int, ...] = (1, 2)) -> Mutate:
    """A column is gone from these files: refused if it is required, else the rows stay."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdict:
        name = delivery.form.names[short]
        needed = FOCUS_REQUIRED if delivery.form.format == "focus" else REQUIRED
        rows = {n: delivery.rows(n) for n in (1, 2)}
        for part in files:
            gone = [{k: v for k, v in row.items() if k != short} for row in rows[part]]
            write(delivery, table(delivery.form, gone), part)
            if short == "words":
                rows[part] = gone
        if short in needed:
            return refused(f"bill-{files[0]}.csv.gz", "lacks the column", name)
        return ingested(rows[1] + rows[2])

    return mutate


def renamed(short: str, spell: Callable[[str], str], verdict: str) -> Mutate:
    """A column of the first file is spelled in another way: kept, refused, or either is right."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdicts:
        records = records_of(delivery)
        name = delivery.form.names[short]
        records[0][records[0].index(name)] = spell(name)
        write(delivery, records)
        no = refused("bill-1.csv.gz", "lacks the column", name)
        return {"kept": all_rows(delivery), "refused": no, "either": (all_rows(delivery), no)}[
            verdict
        ]

    return mutate


def shuffled(delivery: Delivery, rng: random.Random) -> Verdict:
    """Columns in another order in each file."""
    for part in (1, 2):
        records = records_of(delivery, part)
        order = rng.sample(range(len(records[0])), len(records[0]))
        write(delivery, [[record[n] for n in order] for record in records], part)
    return all_rows(delivery)


def swapped_names(first: str, second: str) -> Mutate:
    """Two header names change places: the rows are read as the header names them."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdicts:
        rows = [{**r, first: r[second], second: r[first]} for r in delivery.rows(1)]
        write(delivery, table(delivery.form, rows))
        return ingested(rows + delivery.rows(2))

    return mutate


def twice(short: str, spell: Callable[[str], str], same: bool) -> Mutate:
    """A column stands twice: with the same values it may be taken, with others only refused."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdicts:
        records = records_of(delivery)
        name = delivery.form.names[short]
        at = records[0].index(name)
        records[0].append(spell(name))
        for record in records[1:]:
            record.append(record[at] if same else "1000.5")
        write(delivery, records)
        no = refused("bill-1.csv.gz", "twice", name)
        return (all_rows(delivery), no) if same else no

    return mutate


def more(count: int, name: Callable[[int], str], value: str = "v") -> Mutate:
    """Many more columns, of which each row fills a few."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdict:
        for part in (1, 2):
            records = records_of(delivery, part)
            records[0] += [name(n) for n in range(count)]
            for record in records[1:]:
                cells = [""] * count
                for at in rng.choices(range(count), k=3):
                    cells[at] = value
                record += cells
            write(delivery, records, part)
        return all_rows(delivery)

    return mutate


def too_wide(delivery: Delivery, rng: random.Random) -> Verdicts:
    """As many tag columns as a bill may have at most: kept where memory allows, or refused."""
    whole = more(20_000, lambda n: f"resourceTags/user:tag-{n}")(delivery, rng)
    assert isinstance(whole, Ingested)
    return whole, refused(NAME, "20013 columns", "FINOPS_MEMORY_LIMIT")


def other_columns(delivery: Delivery, rng: random.Random) -> Verdict:
    """The two files have different sets of columns, as when a tag appears within a month."""
    records = records_of(delivery)
    records[0] += ["resourceTags/user:new", "lineItem/NewThing"]
    for record in records[1:]:
        record += [rng.choice(("x", "")), "y"]
    write(delivery, records)
    second = [{k: v for k, v in row.items() if k != "tag"} for row in delivery.rows(2)]
    write(delivery, table(delivery.form, second), 2)
    return all_rows(delivery)


def mutations() -> list[Mutation]:
    """This family."""
    made = []

    def add(name: str, form: str, mutate: Mutate) -> None:
        made.append(Mutation("columns", name, form, mutate))

    for short in (*REQUIRED, "period", "id", "end", "service", "list", "tag", "words"):
        add(f"no {short}", "legacy", without(short))
    for short in (*FOCUS_REQUIRED, "account", "service", "tag"):
        if short != "account":
            add(f"no {short}, FOCUS", "focuscsv", without(short))
    for short in ("cost", "currency", "list"):
        add(f"no {short} in the second file", "legacy", without(short, (2,)))
    spellings: dict[str, tuple[Callable[[str], str], str]] = {
        "in small letters": (str.lower, "either"),
        "in capitals": (str.upper, "either"),
        "with spaces around": (lambda n: f"  {n} ", "kept"),
        "with a no-break space": (lambda n: f"{n}\u00a0", "either"),
        "with an underscore more": (lambda n: f"{n}_", "either"),
        "with an s more": (lambda n: f"{n}s", "refused"),
        "with a zero-width space": (lambda n: f"{n[:4]}\u200b{n[4:]}", "either"),
        "with a Cyrillic letter": (lambda n: n.replace("o", "о"), "refused"),
        "cut off": (lambda n: n[:-2], "refused"),
        "empty": (lambda n: "", "refused"),
        "with a quote": (lambda n: f'{n}"', "either"),
    }
    for spelling, (spell, verdict) in spellings.items():
        add(f"cost {spelling}", "legacy", renamed("cost", spell, verdict))
        add(f"cost {spelling}, FOCUS", "focuscsv", renamed("cost", spell, verdict))
    add("list price renamed", "legacy", renamed("list", lambda n: "my price", "kept"))
    for form in ("legacy", "focuscsv"):
        add(f"columns in another order, {form}", form, shuffled)
        add(f"cost and amount change names, {form}", form, swapped_names("cost", "amount"))
        for short in ("cost", "currency", "start"):
            add(f"{short} twice, the same, {form}", form, twice(short, str, True))
            add(f"{short} twice, others, {form}", form, twice(short, str, False))
        add(f"cost twice by case, others, {form}", form, twice("cost", str.swapcase, False))
    add(
        "tags by case",
        "legacy",
        more(2, lambda n: ("resourceTags/user:Team", "resourcetags/user:TEAM")[n]),
    )
    add("empty names", "legacy", more(5, lambda n: ""))
    add("the same new name five times", "focuscsv", more(5, lambda n: "new"))
    add("names with quotes and commas", "legacy", more(3, lambda n: f'a "{n}", b; drop table x --'))
    add("names with line ends", "legacy", more(3, lambda n: f"a\n{n}"))
    add(
        "names like ours",
        "legacy",
        more(5, lambda n: ("x_problem", "x_n", "project", "source", "x_SourceFile")[n]),
    )
    add("a name of 60,000 signs", "legacy", more(1, lambda n: "n" * 60_000))
    add(
        "tags in many scripts",
        "legacy",
        more(4, lambda n: "resourceTags/user:" + ("组", "ñ", "🦆", "a:b/c")[n]),
    )
    add("1,500 tag columns", "focuscsv", more(1_500, lambda n: f"x_tag_{n}"))
    add("20,000 tag columns", "legacy", too_wide)
    add("other columns in each file", "legacy", other_columns)
    return made
