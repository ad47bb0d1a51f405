"""Which corrupted charges our rules and checks notice, and which the official validator.

Put here: giving both the same corruptions (tests/support/corruptions.py), and the table of results.
Keep out: the corruptions, and what must be noticed (tests/test_corruptions.py).

The validator takes seconds a file, so it is given a few charges of every kind, unchanged and
corrupted, and notices a corruption when it reports more failures for the second.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb

from conformance.bills import MONTHS, SEED
from finops_pipeline.application.ingest import ingest
from finops_pipeline.application.installation import Installation
from finops_pipeline.contracts.focus import CHARGE, FOCUS_1_2
from finops_pipeline.lake.layout import COSTS
from finops_pipeline.settings import Settings
from finops_pipeline.synthetic.estate import write_estate
from finops_pipeline.tenants.declare import apply, read_declaration
from tests.support.corruptions import CORRUPTIONS, Corruption, corrupt, noticed_by
from tests.support.published_files import published_file

MONTH = MONTHS[0]
EACH_KIND = 12
"""Charges of each kind that the validator is given."""

Row = tuple[str, int, int, int, str]
"""Kind of corruption, number of ways, noticed by ours, by the validator, not noticed by it."""


def open_installation(home: Path) -> Installation:
    """Write the complete seeded estate below `home`, and ingest it."""
    write_estate(home / "exports", seed=SEED, last_month=MONTHS[-1], months=len(MONTHS))
    installation = Installation(Settings(data=home / "data"))
    apply(installation.registry, read_declaration(home / "exports" / "tenants.yaml"))
    for tenant in installation.registry.tenants():
        ingest(installation, tenant)
    return installation


def score_corruptions(
    home: Path, validate: Callable[[Sequence[Path]], Iterable[list[Any]]]
) -> list[Row]:
    """Corrupt charges in every way, and count what our checks and the validator notice.

    Args:
        validate: yields, for each model of the validator, its report of each file in order.
    """
    opened = open_installation(home)
    ours = {how.name: _ours(opened, how) for how in CORRUPTIONS}
    files = {_file(opened, how): _few(_file(opened, how), home / "few") for how in CORRUPTIONS}
    befores = [before for _, before in files.values()]
    afters = [
        _corrupted(files[_file(opened, how)][0], how, home / "few" / f"{number}.parquet")
        for number, how in enumerate(CORRUPTIONS)
    ]
    validator = {how.name: False for how in CORRUPTIONS}
    for reports in validate([*befores, *afters]):
        unchanged = dict(zip(files, reports, strict=False))
        for how, after in zip(CORRUPTIONS, reports[len(befores) :], strict=True):
            validator[how.name] |= _notices(unchanged[_file(opened, how)], after)
    rows: list[Row] = []
    for kind in dict.fromkeys(_kind(how) for how in CORRUPTIONS):
        names = [how.name for how in CORRUPTIONS if _kind(how) == kind]
        missed = [name.removeprefix(f"{kind}: ") for name in names if not validator[name]]
        seen = sum(bool(ours[name]) for name in names)
        rows.append((kind, len(names), seen, len(names) - len(missed), "; ".join(missed)))
    return rows


def _kind(how: Corruption) -> str:
    return how.name.partition(":")[0] if how.column else "rows and files"


def _notices(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether a rule fails newly, or on more of equally many rows, or the file is unreadable.

    Some rules fail on every row, also of a true file: one more row there is not a finding.
    """
    if "error" in after:
        return True
    failed, same = before["failures"], before["rows"] == after["rows"]
    return any(
        name not in failed or (same and failure["rows"] > failed[name]["rows"])
        for name, failure in after["failures"].items()
    )


def _file(installation: Installation, how: Corruption) -> Path:
    return published_file(installation.folder(how.tenant).root, COSTS, how.project, MONTH)


def _ours(installation: Installation, how: Corruption) -> list[str]:
    file = _file(installation, how)
    content = file.read_bytes()
    corrupt(file, how, file)
    try:
        return noticed_by(installation, how.tenant, MONTH, how.project)
    finally:
        file.write_bytes(content)


def _few(charges: Path, folder: Path) -> tuple[Path, Path]:
    """A few charges of every kind of a file: whole, and with FOCUS's columns."""
    folder.mkdir(parents=True, exist_ok=True)
    name = charges.parent.parent.name + charges.parents[3].name
    whole, focus = folder / f"{name}.whole", folder / f"{name}.before.parquet"
    kinds = "x_LineItemType, x_RowKind, ChargeCategory, PricingCategory, ResourceId is null"
    sizes = "BilledCost > 1, EffectiveCost > 0, ListCost > 1"
    with duckdb.connect() as connection:
        connection.execute(
            f"copy (from read_parquet('{charges}', hive_partitioning = false)"
            f" qualify row_number() over (partition by {kinds}, {sizes}) <= {EACH_KIND})"
            f" to '{whole}' (format parquet)"
        )
    _focus_columns(whole, focus)
    return whole, focus


def _corrupted(whole: Path, how: Corruption, target: Path) -> Path:
    """A few charges, corrupted, with FOCUS's columns; no file is written when it was deleted."""
    beside = target.with_suffix(".whole")
    corrupt(whole, how, beside)
    if how.whole == "cut":
        shutil.copyfile(beside, target)
    elif beside.exists():
        _focus_columns(beside, target)
    return target


def _focus_columns(charges: Path, target: Path) -> None:
    """Write the file without our own columns: FOCUS's, and any that a corruption added."""
    ours = {column.name for column in CHARGE} - {column.name for column in FOCUS_1_2}
    with duckdb.connect() as connection:
        relation = f"read_parquet('{charges}', hive_partitioning = false)"
        names = [row[0] for row in connection.execute(f"describe from {relation}").fetchall()]
        columns = ", ".join(f'"{name}"' for name in names if name not in ours)
        connection.execute(
            f"copy (select {columns} from {relation}) to '{target}' (format parquet)"
        )
