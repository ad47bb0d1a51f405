"""Every way finops_pipeline refuses, as one drawn tree.

Put here: exceptions that cross a room's border. Keep out: handling, logging, wording of a
particular case (the raiser knows what it found).

    FinopsError
    ├── Transient                 trying again later may help
    │   ├── TenantBusy            another process holds this tenant's write lock
    │   ├── BudgetSpent           a run's budget of paid requests is used up
    │   ├── DiskFull              no room for what is to be downloaded or built
    │   ├── DeliveryMoving        files changed while they were read
    │   └── Unreachable           AWS or a store did not answer well, after retries
    └── Terminal                  someone has to change something first
        ├── SettingError          an environment variable that cannot be used
        ├── AccessRefused         AWS or a store said no: denied, no such bucket, bad credentials
        ├── LedgerTooNew          a ledger that a newer version of finops_pipeline wrote
        ├── RegistryError         a tenant, source or project declared wrongly
        │   └── Unknown           a name that is not there (or not yours: same words)
        ├── DeliveryRefused       an export that cannot be taken as it stands
        │   ├── ManifestProblem   missing, unreadable or ambiguous manifest
        │   ├── FileProblem       a file that is missing, damaged or lacks a column
        │   └── EmptyDelivery     no rows, where a good month already stands
        ├── NotTrue               a truth check failed: nothing was published
        └── QueryRefused          SQL that the tenant's file cannot or may not answer
"""

from __future__ import annotations


def one_line(words: object) -> str:
    """Words of a bill as they may be shown: on one line, without signs that steer a terminal.

    A product's name may hold escape sequences, or a line break and a line that looks like ours.
    """
    signs = str(words).replace("\n", " ").replace("\t", " ")
    return "".join(sign if sign.isprintable() else "?" for sign in signs)


class FinopsError(Exception):
    """Root of the tree. The text names what was found, what was expected and the cure.

    Args:
        found: what is wrong, with the offending value and where it stands.
        expected: what would have been right; may be empty.
        cure: what the reader can do now; may be empty.
    """

    def __init__(self, found: str, expected: str = "", cure: str = "") -> None:
        self.found = found
        self.expected = expected
        self.cure = cure
        parts = [found.rstrip(".") + "."]
        if expected:
            parts.append(f"Expected {expected.rstrip('.')}.")
        if cure:
            parts.append(f"{cure.rstrip('.')}.")
        super().__init__(" ".join(parts))


class Transient(FinopsError):
    """Trying again later may help."""


class TenantBusy(Transient):
    """Another process is writing this tenant's folder."""


class BudgetSpent(Transient):
    """A run has sent as many paid requests as it may; the next run goes on from there."""


class DiskFull(Transient):
    """The disk has no room for what is to be downloaded or built; nothing was published of it."""


class DeliveryMoving(Transient):
    """The delivery changed while it was being read."""


class Unreachable(Transient):
    """AWS or a store was throttling, failing or not answering, even after retries."""


class Terminal(FinopsError):
    """Someone has to change something before trying again can help."""


class SettingError(Terminal):
    """A setting of the environment that cannot be used."""


class AccessRefused(Terminal):
    """AWS or a store refused: denied, no such bucket, credentials or profile that do not hold."""


class LedgerTooNew(Terminal):
    """A ledger that a newer version of finops_pipeline wrote; it is neither read nor changed."""


class RegistryError(Terminal):
    """A tenant, source or project that is declared wrongly."""


class Unknown(RegistryError):
    """A tenant, source or project that is not there."""


class DeliveryRefused(Terminal):
    """An export that cannot be taken as it stands; what was published stays."""


class ManifestProblem(DeliveryRefused):
    """A manifest that is missing, unreadable, ambiguous or of another month."""


class FileProblem(DeliveryRefused):
    """A file of a delivery that is missing, damaged or lacks a required column."""


class EmptyDelivery(DeliveryRefused):
    """A delivery without rows where a good month already stands."""


class NotTrue(Terminal):
    """A truth check failed, so nothing was published."""


class QueryRefused(Terminal):
    """SQL that the tenant's file cannot or may not answer."""
