"""Which tests belong to which tier: `make test-quick`, `make test`, `make test-long`.

Put here: the lists, and in which of two forms a test of line items runs every day. Keep out: the
tests of `make torture`, which carry the mark `torture` themselves.

The quick tier takes a minute and a half on two cores. It has every test of a rule alone
(`*_unit.py`), the rules of the source, and for each promise a few tests at a user's doorway:
tenants stay apart, numbers are exact, errors are clear.

The long tier runs in the gate, after `make test`. Its files kill processes, fill disks, damage
folders, mutate bills, and read while others write, or need twenty seconds and more for what they
try; `make test` keeps below eight minutes without them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zlib import crc32

import pytest

_FILES = """
test_account_claims test_csv_property test_declaration_files test_docs
test_error_shape test_exact_sums test_house test_house_doors
test_house_messages test_house_sql test_isolation test_moved_folders
test_reference_bill test_registry test_source_kinds test_startup test_states_unit
"""
QUICK = frozenset(_FILES.split())

_LONG_FILES = [
    "test_dagster_automation",
    "test_dagster_truth",
    "test_kill",
    "test_mutations",
    "test_tags",
    "test_quarantine",
    "test_snapshot_readers",
    "test_repeated_bills",
    "test_forms",
    "test_allocations",
    "test_statements",
    "test_statement_files",
    "test_random_changes",
    "test_explanations",
    "test_restatement",
    "test_cures",
    "test_same_answers",
    "test_warehouse_pool",
    "test_api_server",
    "test_api_races",
    "test_status_screen",
    "test_marts_again",
    "test_lifecycle",
    "test_one_pass",
    "test_s3",
    "test_unused_days",
    "test_ledger_upgrade",
    "test_faults",
    "test_sandbox_threads",
    "test_history",
    "test_checks",
    "test_invoice",
    "test_bad_input",
    "test_backup",
    "test_sandbox_reuse",
    "test_disk_full",
    "test_concurrency",
    "test_snapshot_attacks",
    "test_lookback",
    "test_drift",
    "test_edge_deliveries",
    "test_corruptions",
    "test_claims",
    "test_collection",
    "test_lifecycle_races",
    "test_rebuild",
    "test_verify",
    "test_snapshot_kills",
    "test_dagster_backfill",
    "test_fault_scripts",
    "test_properties",
    "test_folder_upgrade",
    "test_claimed_lines",
    "test_crashes",
    "test_dimension_questions",
    "test_explained_files",
    "test_duckdb_1_4",
    "test_hostile",
    "test_hostile_sources",
    "test_kill_often",
    "test_permissions",
    "test_queries_by_hand",
    "test_query_limits",
    "test_registry_recovery",
    "test_restore_faults",
    "test_business_metrics",
    "test_shared_costs",
    "test_scoped_lifecycle",
    "test_api_ingests",
    "test_api_schema",
    "test_slow_exports",
    "test_limited_files",
    "test_cloudwatch",
    "test_inventory_files",
    "test_dagster_collection",
    "test_api_traces",
    "test_waste_doorway",
    "test_waste_estate",
    "test_alert_receivers",
    "test_reports",
]
"""The slowest first: the processes that share them then end at about the same time."""
LONG = frozenset(_LONG_FILES)


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


def place_in_run(file_stem: str) -> int:
    """Return a number by which files are put in order: the slowest files first."""
    return _LONG_FILES.index(file_stem) if file_stem in LONG else len(_LONG_FILES)


def is_quick(file_stem: str) -> bool:
    """Whether the tests of a file belong to the quick tier."""
    return file_stem.endswith("_unit") or file_stem in QUICK
