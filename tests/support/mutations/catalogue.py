"""All families together, and their run in two processes.

Put here: which mutations run in `make test` and `make torture`, and how work is shared. Keep out:
single mutations (the families), the bench they are ingested on (bench.py).
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.support.mutations import columns, edits, manifests, packing, parquets, texts, values
from tests.support.mutations.bench import Outcome, run_form
from tests.support.mutations.bill import FORMS
from tests.support.mutations.verdict import Mutation

FAMILIES = ("values", "texts", "columns", "packing", "parquets", "manifests", "edits")
TOGETHER = 160
"""How many deliveries a process takes at a time: making a base costs as much as ten of them."""
Share = tuple[Path, str, int, str, int]


def catalogue(more: int) -> list[Mutation]:
    """The mutations that are ingested.

    Args:
        more: 0 for the selection of every day: one in 36, a few edits, and those in ALWAYS, in the
            forms of every day. Any other number for all mutations, with `more` times as many of
            the random ones.
    """
    made = _everything(more or 1)
    if more:
        return made
    few = [m for m in made if m.family == "edits"][::12]
    chosen = [m for n, m in enumerate(made) if n % 36 == 0 or m in few or m.name in ALWAYS]
    return [m for m in chosen if m.form in EVERY_DAY]


EVERY_DAY = ("legacy", "cur2", "focuscsv")
"""Forms of every day: each needs a base of its own, which costs as much as ten mutations."""

ALWAYS = ("20,000 tag columns", "a quote left open, few quoted", "nested deep, legacy")
"""Mutations that once revealed a defect and resemble no others."""


def _everything(more: int) -> list[Mutation]:
    made = [
        *values.mutations(),
        *texts.mutations(),
        *columns.mutations(),
        *packing.mutations(packing.FLIPS * more),
        *parquets.mutations(parquets.FLIPS * more),
        *manifests.mutations(),
        *edits.mutations(edits.EDITS * more),
    ]
    assert len({(m.family, m.form, m.name) for m in made}) == len(made)
    return made


def run_catalogue(place: Path, seed: str, more: int = 0) -> list[Outcome]:
    """Ingest every mutated delivery, in two processes.

    Args:
        place: an empty folder.
        seed: of what is random in them.
        more: see `catalogue`.
    """
    shares: list[Share] = []
    for form in FORMS:
        count = sum(mutation.form == form for mutation in catalogue(more))
        for begin in range(0, count, TOGETHER):
            shares.append((place / f"{form}-{begin}", form, begin, seed, more))
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        return [outcome for share in pool.map(_run, shares) for outcome in share]


def _run(share: Share) -> list[Outcome]:
    """A share of one form; the catalogue is made anew here, since functions do not travel."""
    place, form, begin, seed, more = share
    of_form = [mutation for mutation in catalogue(more) if mutation.form == form]
    return run_form(place, form, of_form[begin : begin + TOGETHER], seed)
