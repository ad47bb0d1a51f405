"""Reading the fields of a section of tenants.yaml, with errors that name the place.

Put here: fields, numbers, texts and names as any section may have them. Keep out: what a section
means (budgets.py, alert_settings.py, statement_terms.py).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from decimal import Decimal
from typing import Any, NoReturn

from finops_pipeline.errors import RegistryError, did_you_mean
from finops_pipeline.money import plain, read_amount

_CURRENCY = re.compile(r"[A-Z]{3}")
_LABEL = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_MOST_TEXTS, _LONGEST_LABEL, _LONGEST_TEXT = 100, 40, 1000


def read_fields(raw: object, place: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the fields of a section that have a value.

    Raises:
        RegistryError: it is not a section, or has a field that does not exist.
    """
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        refuse_value(place, raw, f"fields, of which there are: {', '.join(names)}")
    for name in raw:
        if name not in names:
            raise RegistryError(
                f"{place}.{name}: there is no such field",
                f"one of: {', '.join(names)}",
                did_you_mean(str(name), names) + "Correct its name or leave it out",
            )
    return {name: value for name, value in raw.items() if value is not None}


def read_entries(raw: object, place: str, most: int) -> list[object]:
    """Return a section that is a list.

    Raises:
        RegistryError: it is not, or is too long.
    """
    entries = () if raw is None else raw
    if not isinstance(entries, list | tuple):
        refuse_value(place, raw, "a list of entries, each of which begins with - name:")
    if len(entries) > most:
        raise RegistryError(f"{place}: {len(entries):,} entries", f"up to {most}")
    return list(entries)


def read_number(raw: object, place: str, expected: str) -> Decimal:
    """Read a number that is not negative; YAML gives decimals as floats of few digits.

    Raises:
        RegistryError: it is not one.
    """
    if isinstance(raw, bool) or not isinstance(raw, int | float | Decimal | str):
        refuse_value(place, raw, expected)
    text = format(raw, "f") if isinstance(raw, Decimal) else str(raw)
    amount = read_amount(text)
    if amount is None or amount[1] or amount[0] < 0:
        refuse_value(place, raw, expected)
    return Decimal(plain(amount[0]))


def read_currency(raw: object, place: str) -> str:
    """Read the code of a currency.

    Raises:
        RegistryError: it is not one.
    """
    if not isinstance(raw, str) or not _CURRENCY.fullmatch(raw):
        refuse_value(place, raw, "the code of a currency, such as USD")
    return str(raw)


def read_label(raw: object, place: str) -> str:
    """Read the name of an entry, which messages and tables show.

    Raises:
        RegistryError: it has the wrong syntax.
    """
    if not isinstance(raw, str) or not _LABEL.fullmatch(raw) or len(raw) > _LONGEST_LABEL:
        refuse_value(
            place,
            raw,
            f"up to {_LONGEST_LABEL} characters from a-z and 0-9, beginning with a letter, and"
            " single '-' or '_' between them",
        )
    return str(raw)


def read_choice(raw: object, place: str, choices: Collection[str]) -> str:
    """Read one of several words.

    Raises:
        RegistryError: it is none of them.
    """
    if not isinstance(raw, str) or raw not in set(choices):
        expected = f"one of: {', '.join(choices)}"
        raise RegistryError(
            f"{place} is {raw!r:.200}", expected, did_you_mean(str(raw), choices).strip()
        )
    return str(raw)


def read_texts(raw: object, place: str) -> tuple[str, ...]:
    """Read a list of texts, or a single one.

    Raises:
        RegistryError: it is neither, or a text is empty, too long or has control characters.
    """
    texts = [raw] if isinstance(raw, str) else raw
    if not isinstance(texts, list | tuple) or len(texts) > _MOST_TEXTS:
        refuse_value(place, raw, f"a list of up to {_MOST_TEXTS} texts")
    for text in texts:
        is_plain = isinstance(text, str) and text.isprintable() and bool(text.strip())
        if not is_plain or len(text) > _LONGEST_TEXT:
            refuse_value(place, text, f"texts of 1 to {_LONGEST_TEXT} printable characters")
    return tuple(texts)


def require_fields(fields: Iterable[str], place: str, needed: Iterable[str]) -> None:
    """Check that a section has some fields.

    Raises:
        RegistryError: it lacks one.
    """
    present = set(fields)
    for name in needed:
        if name not in present:
            raise RegistryError(f"{place}.{name} is missing", f"the field {name}")


def require_unique(names: Iterable[str], place: str) -> None:
    """Check that no name is declared twice.

    Raises:
        RegistryError: one is.
    """
    seen = set[str]()
    for name in names:
        if name in seen:
            raise RegistryError(f"{place}: {name} is declared twice", "each name once")
        seen.add(name)


def refuse_value(place: str, raw: object, expected: str) -> NoReturn:
    """Refuse a value.

    Raises:
        RegistryError: always.
    """
    raise RegistryError(f"{place} is {raw!r:.200}", expected)
