"""Two tenants with a legacy CUR each, whose months are one charge: small enough for many runs.

Put here: declaring them, delivering a month, what a round finds. Keep out: what a test expects.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from finops_pipeline.application.watch_round import Round, RoundLimits, RoundStart, take_round
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row

TENANTS = ("initech", "umbrella")
WATCHED = [f"2026-{month:02}" for month in range(4, 10)]


def declare_watched(
    made: TemporaryInstallation, folder: Path, months: Sequence[str], more: Sequence[str] = ()
) -> None:
    """Declare both tenants, with these months delivered, and more lines for each."""
    lines = ["tenants:"]
    for name in TENANTS:
        for month in months:
            deliver(folder / name, [row("1", day=f"{month}-02")], month)
        lines += [f"  - name: {name}", "    sources:", "      - name: payer"]
        lines += ["        format: legacy-cur", f"        location: {folder / name}", *more]
    (folder / "watched.yaml").write_text("\n".join(lines))
    made.apply(folder / "watched.yaml")


def look(
    made: TemporaryInstallation,
    start: RoundStart | None = None,
    limits: RoundLimits | None = None,
) -> Round:
    """Take a round over all tenants."""
    installation = made.installation
    return take_round(installation, installation.registry.tenants(), start, limits)


def found(round_: Round) -> list[tuple[str, ...]]:
    """The works of a round: kind, tenant, first and last month."""
    return [(work.kind.value, work.tenant, *work.months) for work in round_.works]
