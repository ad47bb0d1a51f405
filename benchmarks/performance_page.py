"""A part of docs/performance.md that a benchmark writes: what it prints, between two marks.

Put here: the page and the table of targets. Keep out: measuring.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from measure import say
from targets import Target, Values, list_targets, verdict

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


class Page:
    """The lines of the tables, which are printed and written into the page.

    Args:
        mark: name of the part of docs/performance.md.
    """

    def __init__(self, mark: str) -> None:
        self._start, self._end = (f"<!-- {mark}: {side} -->\n" for side in ("start", "end"))
        self.lines: list[str] = []

    def say(self, line: str = "") -> None:
        """Print a line and keep it."""
        say(line)
        self.lines.append(line)

    def write(self) -> None:
        """Replace the part of docs/performance.md between its two marks."""
        page = PAGE.read_text(encoding="utf-8")
        before, _, rest = page.partition(self._start)
        _, _, after = rest.partition(self._end)
        lines = "\n".join(self.lines)
        PAGE.write_text(f"{before}{self._start}{lines}\n{self._end}{after}", encoding="utf-8")


def print_targets(page: Page, of: Iterable[Target], values: Values) -> None:
    """Print those targets that were measured."""
    page.say("\n| target | | measured | result |")
    page.say("|---|---|---|---|")
    for target in list_targets(of, values):
        value = values[target]
        bound = "at least" if target.is_least else "at most"
        result = "reached" if verdict(target, value) == "reached" else "**missed**"
        most, shown = _with_unit(target, target.most), _with_unit(target, value)
        page.say(f"| {target.name} | {bound} {most} | {shown} | {result} |")


def _with_unit(target: Target, value: float) -> str:
    return f"{value:,.0f} {target.unit}" if value >= 100 else f"{value:.1f} {target.unit}"
