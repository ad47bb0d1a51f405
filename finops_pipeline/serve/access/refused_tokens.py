"""Refused tokens in the audit log: the first use in a minute is an entry, further ones are counted.

Put here: which refusal becomes an entry, and how many were left out. Keep out: refusing
(authorization.py), storing entries (audit_log.py).

A program that goes on sending a revoked token would otherwise fill the log.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from finops_pipeline import clock
from finops_pipeline.errors import counted
from finops_pipeline.serve.access.audit_entries import AuditEntry

ENTRY_SECONDS = 60.0
"""A token that is refused again and again is an entry at most so often."""


@dataclass
class _Refused:
    """The last entry of a token that was recorded, and the refusals since."""

    entry: AuditEntry
    recorded_at: float
    left_out: int = 0


class RefusedTokens:
    """The tokens that were refused lately, for any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refused: dict[tuple[str, str], _Refused] = {}

    def add(self, entry: AuditEntry) -> list[AuditEntry]:
        """Count a refusal; return the entries that are to be recorded now."""
        key = (entry.principal_id, entry.token)
        with self._lock:
            due = self._take_due(clock.stopwatch() - ENTRY_SECONDS)
            if key in self._refused:
                self._refused[key].left_out += 1
                return due
            self._refused[key] = _Refused(entry, clock.stopwatch())
            return [*due, entry]

    def take_due(self) -> list[AuditEntry]:
        """Return an entry for each token of which refusals were left out, a minute later."""
        if not self._refused:
            return []
        with self._lock:
            return self._take_due(clock.stopwatch() - ENTRY_SECONDS)

    def take_all(self) -> list[AuditEntry]:
        """Return the same for all tokens, because nothing is recorded afterwards."""
        with self._lock:
            return self._take_due(clock.stopwatch())

    def _take_due(self, before: float) -> list[AuditEntry]:
        over = [key for key, refused in self._refused.items() if refused.recorded_at <= before]
        taken = [self._refused.pop(key) for key in over]
        return [_of_left_out(refused) for refused in taken if refused.left_out]


def _of_left_out(refused: _Refused) -> AuditEntry:
    more = counted(refused.left_out, "further request was", "further requests were")
    return replace(refused.entry, detail=f"{refused.entry.detail}; {more} refused after this one")
