"""Sums of a bill and of Cost Explorer, judged: together, by account, by account and service.

Put here: tolerance, which details can be compared, what excuses a difference. Keep out: reading
either side (versus_explorer.py), the reasons' words (contracts/known_differences.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeVar

from finops_pipeline.contracts.known_differences import (
    DIFFERENCE_REASONS,
    DIGITS_OF_API,
    ESTIMATED,
    NO_SUCH_SERVICE,
    OTHER_SERVICE,
)
from finops_pipeline.money import exact_sum
from finops_pipeline.reconciliation.comparisons import (
    AGREES,
    DIFFERS,
    EXPLAINED,
    NOT_CHECKED,
    Comparison,
)

T = TypeVar("T")
LISTED = 50
"""Details that do not agree and are listed, the largest first."""

Key = tuple[str, str]
"""(account, service key); '' where the side does not say."""


@dataclass(frozen=True)
class Sum:
    """How many values were added, and to what."""

    values: int = 0
    cost: Decimal = Decimal(0)


Cut = dict[Key, Sum]


@dataclass(frozen=True)
class Sides:
    """Both sides of one comparison, in one currency and cost basis.

    `digits`: decimals that Cost Explorer's values were rounded to; `excused`: whether AWS may
    still change them; `scope`: which days and accounts, in words; `names`: service key -> name.
    """

    ours: Cut
    theirs: Cut
    digits: int
    excused: bool
    scope: str
    names: dict[str, str]

    @property
    def both(self) -> tuple[Cut, Cut]:
        """Ours, theirs."""
        return self.ours, self.theirs


def compare_cuts(said: Comparison, sides: Sides) -> list[Comparison]:
    """The row of the whole, then the accounts and services that do not agree.

    Args:
        said: source, month, currency, counterpart and cost basis of all rows.
    """
    ours, theirs = (_summed(cut, lambda key: "").get("", Sum()) for cut in sides.both)
    whole = _judged(said, sides, ours, theirs)
    by_account = bool(sides.theirs) and all(account for account, _ in sides.theirs)
    by_service = bool(sides.theirs) and all(service for _, service in sides.theirs)
    accounts = _accounts(said, sides) if by_account else []
    services = list(_services(said, sides, accounts, whole)) if by_service else []
    agree = [sum(one.state == AGREES for one in some) for some in (accounts, services)]
    counted = [
        f"{count} of {len(some)} {words} agree"
        for count, some, words in zip(
            agree, (accounts, services), ("accounts", "services of accounts"), strict=True
        )
        if some
    ]
    notes = [sides.scope, *counted, DIFFERENCE_REASONS[ESTIMATED] * (whole.state == EXPLAINED)]
    shown = [replace(whole, note="; ".join(filter(None, notes)))]
    for some in (accounts, services):
        off = [one for one in some if one.state != AGREES]
        shown += sorted(off, key=_size, reverse=True)[:LISTED]
    return shown


def _size(one: Comparison) -> Decimal:
    return abs(one.difference or Decimal(0))


def _judged(said: Comparison, sides: Sides, ours: Sum, theirs: Sum) -> Comparison:
    """One comparison of a sum of both sides."""
    rounding = tolerance(ours.values, theirs.values, sides.digits)
    found = said.judged(ours.cost, theirs.cost, rounding)
    if found.state == DIFFERS and sides.excused:
        return replace(found, state=EXPLAINED, note=DIFFERENCE_REASONS[ESTIMATED])
    return found


def _summed(cut: Cut, part: Callable[[Key], T]) -> dict[T, Sum]:
    """A cut's sums by a part of their keys."""
    groups: dict[T, list[Sum]] = {}
    for key, amount in cut.items():
        groups.setdefault(part(key), []).append(amount)
    return {
        name: Sum(sum(one.values for one in some), exact_sum(one.cost for one in some))
        for name, some in groups.items()
    }


def tolerance(ours: int, theirs: int, digits: int) -> Decimal:
    """What rounding can come to: half of the last decimal for each value that is summed.

    AWS states a bill's amounts and the API's answers with 10 decimals.
    """
    half = Decimal(5).scaleb(-DIGITS_OF_API - 1)
    return half * ours + Decimal(5).scaleb(-digits - 1) * theirs


def _accounts(said: Comparison, sides: Sides) -> list[Comparison]:
    ours, theirs = (_summed(cut, lambda key: key[0]) for cut in sides.both)
    return [
        _judged(
            replace(said, sub_account_id=name),
            sides,
            ours.get(name, Sum()),
            theirs.get(name, Sum()),
        )
        for name in sorted({*ours, *theirs})
    ]


def _services(
    said: Comparison, sides: Sides, accounts: list[Comparison], whole: Comparison
) -> Iterator[Comparison]:
    """Services by account, or of the whole where Cost Explorer says no accounts.

    A difference between services of an account that agrees is one of names, and a service that
    only one side has a name for cannot be compared: neither is a difference of money.
    """
    around = {one.sub_account_id or "": one.state for one in accounts}
    ours = sides.ours if accounts else _summed(sides.ours, lambda key: ("", key[1]))
    for account, service in sorted({*ours, *sides.theirs}):
        here = replace(
            said,
            service_name=sides.names.get(service, service),
            sub_account_id=account or None,
        )
        key = (account, service)
        one = _judged(here, sides, ours.get(key, Sum()), sides.theirs.get(key, Sum()))
        if one.state == AGREES:
            yield one
        elif around.get(account, whole.state) == AGREES:
            yield replace(one, state=EXPLAINED, note=DIFFERENCE_REASONS[OTHER_SERVICE])
        elif not (key in ours and key in sides.theirs):
            yield replace(one, state=NOT_CHECKED, note=DIFFERENCE_REASONS[NO_SUCH_SERVICE])
        else:
            yield one
