"""AccountClaim: a project's claim to a whole account, as users list it in `accounts:`.

Put here: the claimed days of one account. Keep out: claims with other conditions (claim.py), rules
between claims (claim_conflicts.py, model.py).
"""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.claim import ACCOUNT_PRIORITY, Claim
from finops_pipeline.tenants.names import check_account


class AccountClaim(BaseModel):
    """A project's claim to an account from a day (included) to a day (excluded)."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    id: Annotated[str, BeforeValidator(check_account)]
    from_day: date | None = Field(default=None, alias="from")
    to_day: date | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> AccountClaim:
        if self.from_day and self.to_day and self.from_day >= self.to_day:
            raise RegistryError(
                f"account {self.id} is claimed from {self.from_day} to {self.to_day}",
                "'from' before 'to' ('to' is the first day no longer claimed)",
            )
        return self

    def overlaps(self, other: AccountClaim) -> bool:
        """Check whether both claim the same account on at least one common day."""
        return (
            self.id == other.id
            and (self.from_day or date.min) < (other.to_day or date.max)
            and (other.from_day or date.min) < (self.to_day or date.max)
        )

    def touches(self, first: date, end: date) -> bool:
        """Check whether the claim is valid on some day of [first, end)."""
        return (self.from_day or date.min) < end and first < (self.to_day or date.max)

    @property
    def in_words(self) -> str:
        """The claimed days for messages: `always`, or `from 2026-10-01 until 2026-11-01`."""
        ends = (("from", self.from_day), ("until", self.to_day))
        return " ".join(f"{word} {day}" for word, day in ends if day) or "always"

    @cached_property
    def as_claim(self) -> Claim:
        """The same claim with a priority."""
        days = {"from": self.from_day, "to": self.to_day}
        return Claim.model_validate({"priority": ACCOUNT_PRIORITY, "accounts": (self.id,), **days})

    @property
    def days(self) -> str:
        """The claimed days as text that never changes, because fingerprints contain it."""
        if not (self.from_day or self.to_day):
            return "always"
        return f"{self.from_day or 'always'} to {self.to_day or 'open'}"
