"""The disk fills up during an ingest: that is reported, no month is half, the next run completes.

Covers: download, inflating, landing, charges, tables and ledger, on a real small disk (tmpfs) where
a test may mount one, and everywhere with a limit on the size of a file.
"""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.before_the_fault import Bill, Estate, build
from tests.support.faulty_proxy import FaultyServer, line
from tests.support.servers import Store

__all__ = ["line"]

KIB = 1 << 10
SIZES = {"disk": [220, 1200, 64000], "file": [50, 400, 64000]}
MORE = {
    "disk": [0, 24, 90, 160, 260, 300, 350, 500, 800, 1800, 2600, 3400, 4200, 5000, 6000, 64000],
    "file": [16, 32, 70, 100, 130, 200, 300, 800, 1600, 2400, 3200, 64000],
}
"""KiB that are free, or that a file may have."""


@pytest.fixture(scope="module")
def estate(store: Store, line: FaultyServer, tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """Two tenants with a month published and the next delivery in the store."""
    made = build(tmp_path_factory.mktemp("disk"), store, line, ["payer"])
    facts = {"url": store.url, "keys": store.keys, "bucket": made.bucket, "sources": made.sources}
    (made.work / "estate.json").write_text(json.dumps(facts))
    return made


def tries(estate: Estate, mode: str, sizes: list[int]) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.support.full_disk", str(estate.work), mode]
    command += [str(size * KIB) for size in sizes]
    if mode == "disk":
        command = ["unshare", "-m", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def may_mount(folder: Path) -> bool:
    mount_command = f"mount -t tmpfs -o size=1m none {folder}"
    try:
        return (
            subprocess.run(["unshare", "-m", "sh", "-c", mount_command], check=False).returncode
            == 0
        )
    except FileNotFoundError:
        return False


def bills(months: dict[str, list[Any]]) -> dict[str, Bill]:
    return {source: (rows, Decimal(billed)) for source, (rows, billed) in months.items()}


def test_a_full_disk_leaves_every_month_complete(estate: Estate, tmp_path: Path) -> None:
    """On a small disk, or with a limit on files for a user who may not mount one."""
    mode = "disk" if may_mount(tmp_path) else "file"
    check(estate, mode, tmp_path, SIZES[mode])


@pytest.mark.torture
def test_a_limit_on_files_leaves_every_month_complete(estate: Estate, tmp_path: Path) -> None:
    check(estate, "file", tmp_path, SIZES["file"])


@pytest.mark.torture
@pytest.mark.parametrize("mode", MORE)
def test_any_amount_of_free_space_leaves_every_month_complete(
    estate: Estate, mode: str, tmp_path: Path
) -> None:
    check(estate, mode, tmp_path, MORE[mode])


def check(estate: Estate, mode: str, tmp_path: Path, sizes: list[int]) -> None:
    if mode == "disk" and not may_mount(tmp_path):
        pytest.skip("this user may not mount a small disk; the limit on files is tried instead")
    old, new = estate.old, estate.new
    stages = set()
    for attempt in tries(estate, mode, sizes):
        refused = [message for message in attempt["output_lines"] if message.startswith("finops: ")]
        why = f"{attempt['free']} bytes: {refused}"
        assert attempt["code"] == (1 if refused else 0), why
        stages |= {message.split()[1] for message in refused}
        for message in refused:
            full = "Free space on the disk of FINOPS_DATA, then run again" in message or (
                "disk I/O error" in message and mode == "file"
            )
            assert full, message
        seen = bills(attempt["seen"])
        assert seen.keys() == old.keys()
        assert all(bill in (old[source], new[source]) for source, bill in seen.items()), why
        assert attempt["after"] == 0, attempt["output_lines_after"]
        assert bills(attempt["seen_after"]) == new, why
        assert not attempt["left"]
    assert stages >= {"landing", "warehouse"}, stages
    assert not refused, "the largest size leaves enough room"
