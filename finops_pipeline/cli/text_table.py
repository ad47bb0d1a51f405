"""Rows as text for people: no wider than the terminal, amounts rounded to cents.

Put here: widths, rounding, what happens to an answer that is too wide. Keep out: obtaining rows,
formats for programs (show.py).

A table that does not fit is made narrower in this order: columns that the caller calls dispensable
are left out, text is wrapped between words, and finally each row becomes a record with one field
per line. A line below says what was left out or rounded, and how to see it.
"""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice, product
from typing import Any

from rich.cells import cell_len

from finops_pipeline.errors import one_line
from finops_pipeline.money import in_cents, plain

Row = Sequence[Any]

USUAL_WIDTH = 80
"""Width where there is no terminal and COLUMNS is not set."""
RECORDS = 50
"""Rows of an answer to a query that are shown as records; a list is always complete."""

_GAP = "  "
_NARROWEST_TEXT = 12
"""The least number of characters to which a column of text may be narrowed."""
_NOT_MONEY = {"quantity", "price", "rate", "percent", "usage", "hours", "units", "rows"}


@dataclass(frozen=True)
class Layout:
    """How rows are shown.

    Args:
        title: a line above the table.
        is_exact: show every digit of amounts.
        dispensable: columns that may be left out if the table is too wide, the first one first.
        if_empty: what to print if there are no rows: why, and what to type next.
        all_columns: how to see what was left out.
        limit: rows to show; a line says that there are more.
    """

    title: str = ""
    is_exact: bool = False
    dispensable: tuple[str, ...] = ()
    if_empty: str = "No rows."
    all_columns: str = "--format csv shows them"
    limit: int | None = None


def cell(value: Any) -> str:
    """Return a value for people on one line: amounts without trailing zeros, nothing for null."""
    if value is None:
        return ""
    # The value of a tag must not control the terminal that it is printed on.
    return plain(value) if isinstance(value, Decimal) else one_line(value)


def screen_width() -> int:
    """Return the width to print for: COLUMNS, else the terminal's, else 80."""
    return max(shutil.get_terminal_size((USUAL_WIDTH, 24)).columns, 20)


@dataclass(frozen=True)
class ShownTable:
    """A table as lines, and how many of its rows they show."""

    lines: Sequence[str]
    rows: int
    has_more: bool = False


def lay_out(names: Sequence[str], rows: Iterable[Row], layout: Layout, width: int) -> ShownTable:
    """Lay out rows as a table, or as records if no table fits."""
    source = iter(rows)
    values = list(source if layout.limit is None else islice(source, layout.limit))
    if not values:
        return ShownTable([layout.if_empty], 0)
    grid = _Grid(names, values, layout)
    lines = grid.as_table(width)
    if lines is None:
        count = len(values) if layout.limit is None else min(len(values), RECORDS)
        lines = grid.as_records(count, width)
    else:
        count = len(values)
    has_more = count < len(values) or next(source, None) is not None
    title = [one_line(layout.title)] if layout.title else []
    return ShownTable([*title, *lines, *grid.notes(width)], count, has_more)


class _Grid:
    """The cells of a table as text, and what was done to them."""

    def __init__(self, names: Sequence[str], rows: Sequence[Row], layout: Layout) -> None:
        self._layout = layout
        self._names = [one_line(name) for name in names]
        self._has_rounded = False
        self._left_out: list[str] = []
        columns = [[row[index] for row in rows] for index in range(len(names))]
        self._numeric = [any(isinstance(v, int | Decimal) for v in column) for column in columns]
        self._cells = [
            self._column_cells(name, column)
            for name, column in zip(self._names, columns, strict=True)
        ]

    def _column_cells(self, name: str, column: Sequence[Any]) -> list[str]:
        if self._layout.is_exact or not _is_money(name, column):
            return [cell(value) for value in column]
        cells = [in_cents(v) if isinstance(v, Decimal) else cell(v) for v in column]
        for value, text in zip(column, cells, strict=True):
            if isinstance(value, Decimal) and (text[:1] in "<>" or Decimal(text) != value):
                self._has_rounded = True
        return cells

    def as_table(self, width: int) -> list[str] | None:
        """Return the lines of a table; None if none is narrow enough."""
        everything = list(range(len(self._names)))
        dispensable = [name for name in self._layout.dispensable if name in self._names]
        chosen, widths = everything, None
        # Leaving out a column is better than wrapping every row.
        for is_wrapping, count in product((False, True), range(len(dispensable) + 1)):
            self._left_out = dispensable[:count]
            chosen = [i for i in everything if self._names[i] not in self._left_out]
            widths = self._fit(chosen, width, is_wrapping)
            if widths is not None:
                break
        if widths is None:
            return None
        columns = [self._cells[index] for index in chosen]
        names = [self._names[index] for index in chosen]
        is_right = [self._numeric[index] for index in chosen]
        wrapped = [_wrap_name(name, size) for name, size in zip(names, widths, strict=True)]
        head = _join_lines(wrapped, widths, is_right)
        rule = _GAP.join("─" * column_width for column_width in widths)
        body = [
            line for row in zip(*columns, strict=True) for line in _row_lines(row, widths, is_right)
        ]
        return [*head, rule, *body]

    def _fit(self, chosen: Sequence[int], width: int, is_wrapping: bool) -> list[int] | None:
        """Return the width of each column so that all fit; None if they cannot."""
        natural = [
            max(map(cell_len, [self._names[index], *self._cells[index]])) for index in chosen
        ]
        least = [self._least_width(index, is_wrapping) for index in chosen]
        spare = width - sum(least) - len(_GAP) * (len(chosen) - 1)
        if spare < 0:
            return None
        widths = list(least)
        # The rest goes first to the columns that need the least more, so that few are wrapped.
        for position in sorted(range(len(chosen)), key=lambda i: natural[i] - least[i]):
            given = min(spare, natural[position] - widths[position])
            widths[position] += given
            spare -= given
        return widths

    def _least_width(self, index: int, is_wrapping: bool) -> int:
        """Return the width that a column needs if its name is wrapped, and perhaps its text."""
        cells = self._cells[index]
        of_name = max(map(cell_len, _parts(self._names[index])))
        is_whole = self._numeric[index] or not is_wrapping
        of_cells = max(map(cell_len, cells)) if is_whole else _narrowest(cells)
        return max(of_name, of_cells)

    def as_records(self, count: int, width: int) -> list[str]:
        """Return the first rows with one field per line."""
        self._left_out = []
        label_width = max(map(cell_len, self._names))
        lines = []
        for position in range(count):
            lines.append(f"── {position + 1} ".ljust(min(width, 40), "─"))
            for name, column in zip(self._names, self._cells, strict=True):
                label = name + " " * (label_width - cell_len(name)) + _GAP
                room = max(width - label_width - len(_GAP), _NARROWEST_TEXT)
                parts = _wrap(column[position], room)
                lines.append((label + parts[0]).rstrip())
                lines += [" " * cell_len(label) + part for part in parts[1:]]
        return lines

    def notes(self, width: int) -> Iterator[str]:
        """Yield what was left out or rounded, and how to see it."""
        if self._left_out:
            names = ", ".join(self._left_out)
            text = (
                f"These columns do not fit and are left out: {names}; {self._layout.all_columns}."
            )
            yield from _wrap(text, width)
        if self._has_rounded:
            yield "Amounts are rounded to cents; --exact shows every digit."


def _is_money(name: str, column: Sequence[Any]) -> bool:
    """Return whether a column holds amounts: decimals with places, not named as something else."""
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    decimals = [value for value in column if isinstance(value, Decimal)]
    has_places = any(value.as_tuple().exponent != 0 for value in decimals)
    is_other = not _NOT_MONEY.isdisjoint(part.lower() for part in parts)
    # the parts of a change in cost, such as usage_change, are money, too
    return has_places and (not is_other or name.endswith("_change"))


def _narrowest(cells: Sequence[str]) -> int:
    """Return the width to which text can be wrapped without breaking a word."""
    longest_word = max(cell_len(word) for text in cells for word in text.split(" "))
    return max(longest_word, min(_NARROWEST_TEXT, max(map(cell_len, cells))))


def _wrap(text: str, width: int) -> list[str]:
    if cell_len(text) <= width:
        return [text]
    parts = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return parts or [""]


def _parts(name: str) -> list[str]:
    """Return the parts of a column's name, between which it may be wrapped."""
    return re.findall(r"[^_ ]+_?|_", name) or [name]


def _wrap_name(name: str, width: int) -> list[str]:
    """Wrap a column's name after underscores and between words."""
    if cell_len(name) <= width:
        return [name]
    lines = [""]
    for part in _parts(name):
        gap = "" if not lines[-1] or lines[-1].endswith("_") else " "
        if lines[-1] and cell_len(lines[-1] + gap + part) > width:
            lines.append(part)
        else:
            lines[-1] += gap + part
    return lines


def _row_lines(row: Sequence[str], widths: Sequence[int], is_right: Sequence[bool]) -> list[str]:
    """Return one row as lines: several where text is wrapped."""
    wrapped = [_wrap(text, width) for text, width in zip(row, widths, strict=True)]
    return _join_lines(wrapped, widths, is_right)


def _join_lines(
    wrapped: Sequence[Sequence[str]], widths: Sequence[int], is_right: Sequence[bool]
) -> list[str]:
    lines = []
    for number in range(max(map(len, wrapped))):
        parts = []
        for cell_lines, width, right in zip(wrapped, widths, is_right, strict=True):
            text = cell_lines[number] if number < len(cell_lines) else ""
            padding = " " * (width - cell_len(text))
            parts.append(padding + text if right else text + padding)
        lines.append(_GAP.join(parts).rstrip())
    return lines
