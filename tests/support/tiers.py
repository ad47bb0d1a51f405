"""Which tests belong to which tier: `make test-quick`, `make test`, `make test-long`.

Put here: the lists, and in which of two forms a test of line items runs every day. Keep out: the
tests of `make torture`, which carry the mark `torture` themselves.

The quick tier takes a minute and a half on two cores. It has every test of a rule alone
(`*_unit.py`), the rules of the source, and for each promise a few tests at a user's doorway:
tenants stay apart, numbers are exact, errors are clear.

The long tier runs in the gate, after `make test`. Its files kill processes, fill disks, damage
folders, mutate bills, and read while others write; one test of them takes seconds, not tenths.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zlib import crc32

import pytest

_FILES = """
test_account_claims test_csv_property test_declaration_files test_docs
test_error_shape test_exact_sums test_failure_formats test_focus_views test_house test_house_doors
test_house_messages test_house_sql test_isolation test_line_items_net test_moved_folders
test_reference_bill test_registry
test_sandbox_attacks test_schema_versions test_source_kinds test_startup
test_states_unit test_truth
"""
QUICK = frozenset(_FILES.split())

_LONG_FILES = """
test_allocations test_claimed_lines test_claims test_collection test_concurrency
test_corruptions test_crashes test_cures test_dagster_backfill test_disk_full
test_explained_files test_fault_scripts test_faults test_folder_upgrade test_forms test_hostile
test_hostile_sources test_kill test_kill_often test_ledger_upgrade test_lifecycle_races
test_lookback test_marts_again test_mutations test_one_pass test_permissions test_properties
test_queries_by_hand test_query_limits test_rebuild test_registry_recovery test_repeated_bills
test_restatement test_restore_faults test_s3 test_sandbox_threads test_seeds
test_snapshot_attacks test_snapshot_kills test_snapshot_readers test_verify
"""
LONG = frozenset(_LONG_FILES.split())


LINE_ITEM_FORMS = ("legacy-cur", "cur-2.0")


def is_for_torture(test: str, form: str) -> bool:
    """Whether a test of line items runs in this form in `make torture` only.

    Every test runs in one form every day and in `make torture` in the others; its name decides.
    """
    number = crc32(test.replace(form, "").encode()) % len(LINE_ITEM_FORMS)
    return form != LINE_ITEM_FORMS[number]


def some_every_day(values: Iterable[Any], every: int = 3) -> list[Any]:
    """Return parameters of which one in `every` runs every day and all in `make torture`."""
    return [
        value if number % every == 0 else pytest.param(value, marks=pytest.mark.torture)
        for number, value in enumerate(values)
    ]


def is_long(file_stem: str) -> bool:
    """Whether the tests of a file belong to the long tier."""
    return file_stem in LONG


def is_quick(file_stem: str) -> bool:
    """Whether the tests of a file belong to the quick tier."""
    return file_stem.endswith("_unit") or file_stem in QUICK
