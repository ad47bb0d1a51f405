"""Deciding by claims to which project each kind of charge belongs.

Put here: matching claims with the values of charges, priorities, and claims that contradict each
other. Keep out: reading the values (claim_columns.py), SQL that assigns rows (assigned_rows.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from finops_pipeline.errors import RegistryError
from finops_pipeline.ledger.claims import OwnedClaim
from finops_pipeline.tenants.claim import Claim
from finops_pipeline.tenants.model import UNASSIGNED


@dataclass(frozen=True)
class ChargeValues:
    """The values of a charge that claims compare; None where the charge has none.

    `services` are the name and the code of its service; `tags` and `cost_categories` have the keys
    that claims name. `day` is the first of the days on which the same claims are valid.
    """

    account: str | None
    day: date
    region: str | None = None
    services: frozenset[str] = frozenset()
    tags: Mapping[str, str] = field(default_factory=dict)
    cost_categories: Mapping[str, str] = field(default_factory=dict)


class Match(StrEnum):
    """Whether a charge meets a claim; `UNKNOWN` if it fails only for lack of a value."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Assignment:
    """The project of a charge, and the claim that takes it.

    `project` is None if no claim takes it and some claim requires a value that it lacks.
    """

    project: str | None
    claim: str = ""


class Assigner:
    """Assigns charges of one source and month to projects.

    Args:
        place: the tenant, source and month, for messages.
        claims: all claims to the source's charges, in the order in which they take charges.
    """

    def __init__(self, place: str, claims: Sequence[OwnedClaim]) -> None:
        self._place = place
        anywhere = [each for each in claims if not each.claim.accounts]
        accounts = {account for each in claims for account in each.claim.accounts}
        self._anywhere = anywhere
        self._by_account = (
            {
                account: [e for e in claims if not e.claim.accounts or account in e.claim.accounts]
                for account in accounts
            }
            if len(anywhere) < len(claims)
            else {}
        )

    def assign(self, values: ChargeValues) -> Assignment:
        """Return the project of charges with these values.

        Raises:
            RegistryError: claims of two projects, of equal priority, take such charges.
        """
        taken: OwnedClaim | None = None
        lacks_value = False
        for each in self._by_account.get((values.account or "").strip(" "), self._anywhere):
            if taken and each.claim.priority > taken.claim.priority:
                break
            match match_claim(each.claim, values):
                case Match.YES if taken is None:
                    taken = each
                case Match.YES if taken and taken.project != each.project:
                    raise self._conflict(taken, each, values)
                case Match.UNKNOWN:
                    lacks_value = True
        if taken:
            return Assignment(taken.project, taken.name)
        return Assignment(None if lacks_value else UNASSIGNED)

    def _conflict(
        self, first: OwnedClaim, second: OwnedClaim, values: ChargeValues
    ) -> RegistryError:
        tenant = self._place.partition("/")[0]
        takers = " and ".join(
            f"{each.name} of {tenant}/{each.project} ({each.claim.in_words})"
            for each in (first, second)
        )
        return RegistryError(
            f"{self._place}: charges of account {values.account} are taken by {takers}; both have"
            f" the priority {first.claim.priority}",
            "one project for each charge",
            "Give one of them another priority in tenants.yaml (the lower number comes first)",
        )


def match_claim(claim: Claim, values: ChargeValues) -> Match:
    """Return whether charges with these values meet a claim."""
    if not claim.touches(values.day, values.day + timedelta(days=1)):
        return Match.NO
    if claim.accounts and (values.account or "").strip(" ") not in claim.accounts:
        return Match.NO
    answers = [
        *_of_list(claim.regions, [values.region] if values.region else []),
        *_of_list(claim.services, values.services),
        *_of_pairs(claim.tags, values.tags),
        *_of_pairs(claim.cost_categories, values.cost_categories),
    ]
    if Match.NO in answers:
        return Match.NO
    return Match.UNKNOWN if Match.UNKNOWN in answers else Match.YES


def _of_list(claimed: Sequence[str], values: Iterable[str]) -> Iterable[Match]:
    present = list(values)
    if claimed:
        has_one = not set(claimed).isdisjoint(present)
        yield Match.YES if has_one else Match.NO if present else Match.UNKNOWN


def _of_pairs(
    claimed: Sequence[tuple[str, Sequence[str]]], values: Mapping[str, str]
) -> Iterable[Match]:
    for key, texts in claimed:
        value = values.get(key)
        yield Match.UNKNOWN if value is None else Match.YES if value in texts else Match.NO
