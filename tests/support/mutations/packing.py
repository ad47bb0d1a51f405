"""Damage to compressed files: bits, cuts, members, checksums, several files in a zip.

Put here: what happens around the text, in .gz and .zip. Keep out: the text itself (texts.py) and
Parquet (parquet_bytes.py).
"""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Callable

from tests.support.mutations.bill import Delivery, packed, zipped
from tests.support.mutations.verdict import Mutation, Verdict, ingested, refused

Verdicts = Verdict | tuple[Verdict, ...]
Mutate = Callable[[Delivery, random.Random], Verdicts]
FLIPS, CUTS = 24, 8
DAMAGED = "is damaged"


def all_rows(delivery: Delivery) -> Verdict:
    return ingested(delivery.rows(1) + delivery.rows(2))


def gz_flip(delivery: Delivery, rng: random.Random) -> Verdicts:
    """A bit flips somewhere: Python's gzip decides whether the text is intact."""
    path, text = delivery.file(1), delivery.text(1).encode()
    raw = bytearray(path.read_bytes())
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(raw))
    try:
        whole = gzip.decompress(bytes(raw)) == text
    except (OSError, EOFError, zlib.error):
        whole = False
    damaged = refused(path.name, DAMAGED)
    # A flip in the header's time or name is harmless; refusing it is right as well.
    return (all_rows(delivery), damaged) if whole else damaged


def many_flips(delivery: Delivery, rng: random.Random) -> Verdict:
    """A block of bytes in the deflated part is overwritten."""
    path = delivery.file(1)
    raw = bytearray(path.read_bytes())
    at = rng.randrange(20, len(raw) - 40)
    raw[at : at + 16] = rng.randbytes(16)
    path.write_bytes(bytes(raw))
    return refused(path.name, DAMAGED)


def gz_cut(delivery: Delivery, rng: random.Random) -> Verdict:
    path = delivery.file(1)
    raw = path.read_bytes()
    path.write_bytes(raw[: rng.randrange(1, len(raw))])
    return refused(path.name, DAMAGED)


def gz_bytes(change: Callable[[bytes], bytes], *message_parts: str, whole: bool = False) -> Mutate:
    """The gz file's bytes changed: refused with this message, or kept, or (`whole`) either."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdicts:
        path = delivery.file(1)
        path.write_bytes(change(path.read_bytes()))
        verdicts: list[Verdict] = [all_rows(delivery)] if whole else []
        return (
            (*verdicts, refused(path.name, *message_parts)) if message_parts else all_rows(delivery)
        )

    return mutate


def members(delivery: Delivery, rng: random.Random) -> Verdict:
    """The text in several gz members, one after the other, cut anywhere: a valid file."""
    text = delivery.text(1).encode()
    a, b = sorted(rng.sample(range(1, len(text)), 2))
    parts = (text[:a], b"", text[a:b], text[b:])
    delivery.file(1).write_bytes(b"".join(map(packed, parts)))
    return all_rows(delivery)


def half_member(delivery: Delivery, rng: random.Random) -> Verdict:
    """The second of two members is cut short."""
    text = delivery.text(1).encode()
    at = text.index(b"\n", len(text) // 2) + 1
    delivery.file(1).write_bytes(packed(text[:at]) + packed(text[at:])[: -rng.randrange(1, 30)])
    return refused("bill-1.csv.gz", DAMAGED)


def zip_of(make: Callable[[bytes], dict[str, bytes]], *message_parts: str) -> Mutate:
    """The zip holds these members."""

    def mutate(delivery: Delivery, rng: random.Random) -> Verdict:
        delivery.file(1).write_bytes(zipped(make(delivery.text(1).encode())))
        return refused("bill-1.csv.zip", *message_parts) if message_parts else all_rows(delivery)

    return mutate


def zip_flip(delivery: Delivery, rng: random.Random) -> Verdicts:
    """A bit flips in a zip: the text is checked, the names and times of its directory are not."""
    path = delivery.file(1)
    raw = bytearray(path.read_bytes())
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(raw))
    return all_rows(delivery), refused(path.name)


def bomb(delivery: Delivery, rng: random.Random) -> Verdict:
    """A small file that inflates to a very large one."""
    path = delivery.file(1)
    zeros = b"0" * (1 << 27)
    path.write_bytes(zipped({"bill.csv": zeros}) if path.suffix == ".zip" else packed(zeros))
    return refused(path.name, "decompresses")


def mutations(flips: int = FLIPS) -> list[Mutation]:
    """This family; `flips` deliveries with a random bit flipped."""
    made = []

    def add(name: str, form: str, mutate: Mutate) -> None:
        made.append(Mutation("packing", name, form, mutate))

    for number in range(flips):
        add(f"a bit flips, {number}", ("legacy", "focuscsv")[number % 2], gz_flip)
    for number in range(flips // 3):
        add(f"cut, {number}", "legacy", gz_cut)
        add(f"a bit flips in a zip, {number}", "zip", zip_flip)
        add(f"bytes overwritten, {number}", "focuscsv", many_flips)
        add(f"several members, {number}", "legacy", members)
    for count in (1, 4, 8, 9):
        add(f"{count} bytes missing", "legacy", gz_bytes(lambda r, n=count: r[:-n], DAMAGED))
    for count in (1, 9, 10, 11):
        add(f"only {count} bytes", "legacy", gz_bytes(lambda r, n=count: r[:n], DAMAGED))
    add("zero bytes", "legacy", gz_bytes(lambda r: b"", "is empty"))
    add("zero bytes, FOCUS", "focuscsv", gz_bytes(lambda r: b"", "is empty"))
    add("a cut second member", "legacy", half_member)
    add("zeros behind", "legacy", gz_bytes(lambda r: r + b"\0" * 512, DAMAGED, whole=True))
    add("text behind", "legacy", gz_bytes(lambda r: r + b"end of file\n", DAMAGED, whole=True))
    add("half a gz header behind", "legacy", gz_bytes(lambda r: r + r[:6], DAMAGED, whole=True))
    add("text before", "legacy", gz_bytes(lambda r: b"HTTP/1.1 200 OK\r\n\r\n" + r, DAMAGED))
    add("wrong CRC", "legacy", gz_bytes(lambda r: r[:-8] + b"\1\2\3\4" + r[-4:], DAMAGED))
    add("wrong length", "legacy", gz_bytes(lambda r: r[:-1] + bytes([r[-1] ^ 1]), DAMAGED))
    add("not packed at all", "legacy", gz_bytes(lambda r: gzip.decompress(r), DAMAGED, whole=True))
    add("packed twice", "legacy", gz_bytes(lambda r: packed(r), "lacks the column", whole=True))
    add(
        "a zip named gz",
        "legacy",
        gz_bytes(lambda r: zipped({"a.csv": gzip.decompress(r)}), DAMAGED),
    )
    add("a gz named zip", "zip", gz_bytes(lambda r: packed(b"a,b\n1,2\n"), DAMAGED))
    add("a Parquet's first bytes", "legacy", gz_bytes(lambda r: b"PAR1" + r, DAMAGED))
    add("zip with two files", "zip", zip_of(lambda t: {"a.csv": t, "b.csv": t}, "2 files"))
    add("zip with no file", "zip", zip_of(lambda t: {}, "0 files"))
    add("zip with only a folder", "zip", zip_of(lambda t: {"a/": b""}, "0 files"))
    add("zip with a folder", "zip", zip_of(lambda t: {"a/": b"", "a/bill.csv": t}))
    add("zip whose file leads out", "zip", zip_of(lambda t: {"../../evil.csv": t}))
    add("zip whose file is absolute", "zip", zip_of(lambda t: {"/etc/passwd": t}))
    nested = zip_of(lambda t: {"a.zip": zipped({"a.csv": t})}, "lacks the column")
    add("zip in a zip", "zip", nested)
    add("zip with an empty file", "zip", zip_of(lambda t: {"a.csv": b""}, "is empty"))
    add("zip cut", "zip", gz_bytes(lambda r: r[: len(r) // 2], DAMAGED))
    add("zip with a wrong CRC", "zip", gz_bytes(_wrong_zip_crc, DAMAGED))
    add("zip with a password", "zip", gz_bytes(_locked, "password"))
    for form in ("legacy", "zip"):
        add(f"inflates beyond measure, {form}", form, bomb)
    return made


def _wrong_zip_crc(raw: bytes) -> bytes:
    at = raw.rindex(b"PK\1\2") + 16
    changed = bytes(byte ^ 255 for byte in raw[at : at + 4])
    return raw[:14] + changed + raw[18:at] + changed + raw[at + 4 :]


def _locked(raw: bytes) -> bytes:
    at = raw.rindex(b"PK\1\2") + 8
    return raw[:6] + bytes([raw[6] | 1]) + raw[7:at] + bytes([raw[at] | 1]) + raw[at + 1 :]
