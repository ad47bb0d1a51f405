"""Damage to manifests: invalid JSON, wrong types, keys that lead elsewhere, wrong months.

Put here: what a manifest may contain, and files that contradict it. Keep out: what is in the
files (the other families).
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from typing import Any

from tests.support.mutations.bill import BEFORE, Delivery
from tests.support.mutations.verdict import Mutation, Verdict, ingested, refused

Verdicts = Verdict | tuple[Verdict, ...]
Mutate = Callable[[Delivery, random.Random], Verdicts]
NAME = "bill-Manifest.json"


def all_rows(delivery: Delivery) -> Verdict:
    return ingested(delivery.rows(1) + delivery.rows(2))


def raw(change: Callable[[bytes], bytes], *message_parts: str) -> Mutate:
    """The manifest's bytes changed: refused with a message of these parts, or kept."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdict:
        delivery.manifest.write_bytes(change(delivery.manifest.read_bytes()))
        return refused(*message_parts) if message_parts else all_rows(delivery)

    return mutate


def facts(change: Callable[[dict[str, Any]], object], *message_parts: str) -> Mutate:
    """The manifest's content changed: refused with a message of these parts, or kept."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdict:
        delivery.edit_manifest(change)
        return refused(*message_parts) if message_parts else all_rows(delivery)

    return mutate


def fact(name: str, value: Any, *message_parts: str) -> Mutate:
    return facts(lambda content: content.__setitem__(name, value), *message_parts)


def keys(change: Callable[[list[Any], Delivery], Any], *message_parts: str) -> Mutate:
    """The manifest's list of files changed: refused with a message of these parts, or kept."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdict:
        word = delivery.form.list_of_files
        delivery.edit_manifest(lambda content: _set(content, word, change(content[word], delivery)))
        return refused(*message_parts) if message_parts else all_rows(delivery)

    return mutate


def _set(content: dict[str, Any], word: str, value: Any) -> None:
    content[word] = value


def fewer(delivery: Delivery, rng: random.Random) -> Verdict:
    """The manifest does not name the last file: what it names is the delivery."""
    word = delivery.form.list_of_files
    delivery.edit_manifest(lambda content: content[word].pop())
    return ingested(delivery.rows(1))


def absolute(delivery: Delivery, rng: random.Random) -> Verdict:
    """A key is the full path of globex's file: its end matches acme's file, which is read."""
    globex_folder = delivery.root.parents[2] / "globex" / delivery.root.parent.name / "bill"
    own = delivery.file(1).relative_to(delivery.root)
    word = delivery.form.list_of_files
    delivery.edit_manifest(lambda content: _set(content, word, [str(globex_folder / own)]))
    return ingested(delivery.rows(1))


def gone(delivery: Delivery, rng: random.Random) -> Verdict:
    """The last file that the manifest names is not there."""
    delivery.file(2).unlink()
    return refused(delivery.file(2).name, "is not there")


def folder_instead(delivery: Delivery, rng: random.Random) -> Verdict:
    """A folder has the name of a file."""
    delivery.file(2).unlink()
    delivery.file(2).mkdir()
    return refused(delivery.file(2).name, "is not there")


def linked(delivery: Delivery, rng: random.Random) -> Verdict:
    """A file is a link to globex's, of the same name."""
    path = delivery.file(2)
    other = delivery.root.parents[2] / "globex" / delivery.root.parent.name / "bill"
    path.unlink()
    path.symlink_to(other / path.relative_to(delivery.root))
    return refused(path.name, "points outside")


def another(ending: str) -> Mutate:
    """A file has another ending, which the manifest names."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdict:
        path = delivery.file(2)
        new = path.with_name(f"bill-2{ending}")
        path.rename(new)
        word = delivery.form.list_of_files
        delivery.edit_manifest(
            lambda c: _set(c, word, [key.replace(path.name, new.name) for key in c[word]])
        )
        return refused(new.name)

    return mutate


def second_manifest(delivery: Delivery, rng: random.Random) -> Verdict:
    """Another report's manifest beside: the one that is named after the location is taken."""
    shutil.copy(delivery.file(1), delivery.folder / f"other{delivery.form.ending}")
    text = delivery.manifest.read_text().replace("bill-1", "other")
    delivery.manifest.with_name("other-Manifest.json").write_text(text)
    return all_rows(delivery)


def two_manifests(delivery: Delivery, rng: random.Random) -> Verdict:
    """Two manifests in the month's folder, of which none has the location's name."""
    shutil.copy(delivery.manifest, delivery.manifest.with_name("other-Manifest.json"))
    delivery.manifest.rename(delivery.manifest.with_name("one-Manifest.json"))
    return refused("2 manifests", "other-Manifest.json", "one-Manifest.json")


def no_manifest(delivery: Delivery, rng: random.Random) -> Verdict:
    delivery.manifest.unlink()
    return refused("has no manifest", "copy the manifest")


def more_files(delivery: Delivery, rng: random.Random) -> Verdict:
    """Files that no manifest names lie about: another version's, or still arriving."""
    for name in ("bill-3", "bill-1 (copy)", ".bill-1", "bill-1.tmp"):
        shutil.copy(delivery.file(1), delivery.folder / f"{name}{delivery.form.ending}")
    return all_rows(delivery)


def crossed(delivery: Delivery, rng: random.Random) -> Verdict:
    """The month's folder holds last month's files, whole, manifest and all."""
    month = Delivery(delivery.form, delivery.root, BEFORE)
    for part in (1, 2):
        shutil.copy(month.file(part), delivery.file(part))
    if delivery.form.format == "legacy-cur":
        shutil.copy(month.manifest, delivery.manifest)
    return refused(NAME)


def deep(raw: bytes) -> bytes:
    return b'{"reportKeys": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


HUGE = "9" * 6000
RAW: dict[str, tuple[Callable[[bytes], bytes], tuple[str, ...]]] = {
    "zero bytes": (lambda r: b"", (NAME, "not readable JSON")),
    "cut": (lambda r: r[: len(r) // 2], (NAME, "not readable JSON")),
    "text behind": (lambda r: r + b"x", (NAME, "not readable JSON")),
    "twice": (lambda r: r + r, (NAME, "not readable JSON")),
    "byte order mark": (lambda r: b"\xef\xbb\xbf" + r, ()),
    "UTF-16": (lambda r: r.decode().encode("utf-16"), (NAME, "not readable JSON")),
    "no UTF-8": (lambda r: r.replace(b"bill", b"b\xffll", 1), (NAME, "not readable JSON")),
    "a list": (lambda r: b"[" + r + b"]", (NAME, "is JSON, but not an object")),
    "a number": (lambda r: b"5", (NAME, "is JSON, but not an object")),
    "null": (lambda r: b"null", (NAME, "is JSON, but not an object")),
    "an error page": (lambda r: b"<html></html>", (NAME, "not readable JSON")),
    "nested deep": (deep, (NAME,)),
    "a number of 6,000 digits": (lambda r: r[:-1] + f', "n": {HUGE}}}'.encode(), (NAME,)),
    "NaN": (lambda r: r[:-1] + b', "n": NaN, "m": -Infinity, "o": 1e999}', ()),
    "an empty object": (lambda r: b"{}", (NAME, "neither")),
    "5 MB of spaces": (lambda r: r + b" " * 5_000_000, ()),
    "keys twice": (lambda r: r[:-1] + b', "reportKeys": ["x/bill-1.csv.gz"]}', (NAME, "twice")),
}
KEYS: dict[str, tuple[Callable[[list[Any], Delivery], Any], tuple[str, ...]]] = {
    "none": (lambda k, d: [], (NAME, "lists files")),
    "null": (lambda k, d: None, (NAME, "lists files")),
    "one text": (lambda k, d: k[0], (NAME, "lists files")),
    "an object": (lambda k, d: {"0": k[0]}, (NAME, "lists files")),
    "numbers": (lambda k, d: [*k, 5], (NAME, "lists files")),
    "an empty one": (lambda k, d: [*k, ""], (NAME, "lists files")),
    "null in between": (lambda k, d: [k[0], None], (NAME, "lists files")),
    "lists": (lambda k, d: [k], (NAME, "lists files")),
    "one twice": (lambda k, d: [*k, k[0]], (NAME, "2 times")),
    "one in two spellings": (lambda k, d: [*k, k[0].replace("/bill-", "//bill-")], (NAME, "twice")),
    "one with a dot": (lambda k, d: [*k, k[0].replace("/bill-", "/./bill-")], (NAME, "twice")),
    "leading up": (lambda k, d: [k[0], k[1].replace("exports", "../..")], ("points outside",)),
    "leading up inside": (
        lambda k, d: [k[0], k[1].replace("bill-", "../bill-")],
        ("points outside",),
    ),
    "absolute": (lambda k, d: [k[0], "/etc/passwd"], (NAME, "is not there")),
    "escaped dots": (lambda k, d: [k[0], k[1].replace("bill-", "%2e%2e/bill-")], ("is not there",)),
    "backslashes": (lambda k, d: [k[0], "..\\..\\bill-2.csv.gz"], ("is not there",)),
    "of a home": (lambda k, d: [k[0], "~/.aws/credentials"], ("is not there",)),
    "a pattern": (lambda k, d: [k[0].replace("bill-1", "bill-*")], ("is not there",)),
    "a folder": (lambda k, d: [k[0], k[0].rpartition("/")[0] + "/"], ("is not there",)),
    "of last month": (
        lambda k, d: [key.replace(d.form.folder(d.month), d.form.folder(BEFORE)) for key in k],
        (NAME,),
    ),
    "with a NUL": (lambda k, d: [*k, "a\0b.csv.gz"], (NAME,)),
    "with a line end": (lambda k, d: [*k, "a\nb.csv.gz"], (NAME,)),
    "of half a letter": (lambda k, d: [*k, "\ud800.csv.gz"], (NAME,)),
    "of 5,000 signs": (lambda k, d: [*k, "x" * 5000 + ".csv.gz"], ("xxx",)),
    "in other order": (lambda k, d: k[::-1], ()),
    "of another bucket": (lambda k, d: [f"other/{k[0]}", f"x/y/z/{k[1]}"], ()),
}


ARRANGED: tuple[Mutate, ...] = (
    fewer,
    absolute,
    gone,
    folder_instead,
    linked,
    second_manifest,
    two_manifests,
    no_manifest,
    more_files,
    crossed,
)


def mutations() -> list[Mutation]:
    """This family."""
    made = []

    def add(name: str, form: str, mutate: Mutate) -> None:
        made.append(Mutation("manifests", f"{name}, {form}", form, mutate))

    for name, (change, message_parts) in RAW.items():
        add(name, "legacy", raw(change, *message_parts))
    for number, (name, (change_keys, message_parts)) in enumerate(KEYS.items()):
        add(f"keys: {name}", ("legacy", "cur2")[number % 2], keys(change_keys, *message_parts))
    for form in ("legacy", "cur2", "focus"):
        for mutate in ARRANGED:
            add(mutate.__name__.replace("_", " "), form, mutate)
    for ending in (".txt", "", ".csv.gz.part", ".orc", ".parquet"):
        add(f"ending {ending!r}", "legacy", another(ending))
    for ending in (".csv.gz", ".parquet.gz", ".csv"):
        add(f"ending {ending!r}", "focus", another(ending))
    other = {"start": "20260901T000000.000Z"}
    add("period of another month", "legacy", fact("billingPeriod", other, NAME, "20260901"))
    for name, value in {"period as list": [1], "period as text": "2026-10", "period as null": None,
                        "start as number": {"start": 20261001}}.items():  # fmt: skip
        add(name, "legacy", fact("billingPeriod", value))
    for value in (5, ["a"], {"a": 1}, "\x1b[31m" * 50, None, "x" * 100_000):
        add(f"assembly {json.dumps(value)[:20]}", "legacy", fact("assemblyId", value))
    for value in (5, "all", [5, None, {"name": 5}], [{"category": 5, "name": ["x"]}], {"a": 1}):
        add(f"columns {json.dumps(value)[:40]}", "legacy", fact("columns", value))
    return made
