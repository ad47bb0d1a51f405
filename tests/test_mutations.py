"""Mutated deliveries: each ingested exactly, with its bad rows set aside, or refused with a reason.

The catalogue (tests/support/mutations) mutates good deliveries of every form and knows the
right outcome without the pipeline. Up to seven sources of one tenant are ingested at a time; what
is then served is read as `finops query` reads it, and must be the month as delivered or as it was
before. `pytest -m torture` does the same with other seeds and more of what is random.
"""

from __future__ import annotations

import pytest

from tests.conftest import FIGURES
from tests.support.mutations.bench import Outcome, figures
from tests.support.mutations.catalogue import FAMILIES, run_catalogue

SEED = "7"
TORTURE = ("11", "23")


@pytest.fixture(scope="module")
def outcomes(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> list[Outcome]:
    """The whole catalogue, ingested once."""
    done = run_catalogue(tmp_path_factory.mktemp("mutations"), SEED)
    request.config.stash.setdefault(FIGURES, []).append(figures(done))
    return done


@pytest.mark.parametrize("family", FAMILIES)
def test_every_mutated_delivery_ends_as_it_must(outcomes: list[Outcome], family: str) -> None:
    outcomes_of_family = [outcome for outcome in outcomes if outcome.family == family]
    assert len(outcomes_of_family) >= 2
    assert [
        f"{outcome.name}: {outcome.fault}" for outcome in outcomes_of_family if outcome.fault
    ] == []


def test_no_row_is_lost_and_no_month_is_half_visible(outcomes: list[Outcome]) -> None:
    assert len(outcomes) >= 20
    assert sum(outcome.lost_rows for outcome in outcomes) == 0
    assert not [outcome.name for outcome in outcomes if outcome.half]
    assert {outcome.ending for outcome in outcomes} == {"exact", "aside", "refused"}


@pytest.mark.torture
@pytest.mark.parametrize("seed", TORTURE)
def test_mutations_of_other_seeds_end_as_they_must(
    seed: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    done = run_catalogue(tmp_path_factory.mktemp("mutations"), seed, more=6)
    request.config.stash.setdefault(FIGURES, []).append(f"seed {seed}: {figures(done)}")
    assert [
        f"{outcome.family}, {outcome.name}: {outcome.fault}" for outcome in done if outcome.fault
    ] == []
    assert sum(outcome.lost_rows for outcome in done) == 0
    assert not [outcome.name for outcome in done if outcome.half]
