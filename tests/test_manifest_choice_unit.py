"""Which of several manifests is the current one of a month, and which folder is the report.

Put here: the choice itself, on empty reports. Keep out: landing the files that a manifest names
(test_edge_deliveries.py, test_forms.py).
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finops_pipeline.errors import ManifestProblem
from finops_pipeline.sources.data_exports import billing_periods, read_delivery
from finops_pipeline.sources.layouts import find_report_folder, months_in
from finops_pipeline.sources.location import LocalFolder
from finops_pipeline.tenants.model import Source
from finops_pipeline.tenants.source import Cur2Source, LegacyCurSource

MONTH = "2026-09"
LEGACY = LegacyCurSource(name="payer")
CUR_2 = Cur2Source(name="payer")
METADATA = "metadata/BILLING_PERIOD=2026-09"


def write_manifest(report: Path, folder: str, name: str = "report") -> None:
    """Write a manifest and, in the same folder, the single file that it names."""
    manifest_folder = report / folder
    manifest_folder.mkdir(parents=True, exist_ok=True)
    (manifest_folder / "bill.csv.gz").write_bytes(b"")
    content = {"reportKeys": [f"{folder}/bill.csv.gz"]}
    (manifest_folder / f"{name}-Manifest.json").write_text(json.dumps(content))


def choose(source: Source, report: Path) -> str:
    return read_delivery(source, LocalFolder(report), MONTH).manifest


def test_the_manifest_of_the_period_is_preferred_to_those_of_its_versions(tmp_path: Path) -> None:
    report = tmp_path / "report"
    for folder in ("20260901-20261001/zz-newer", "20260901-20261001"):
        write_manifest(report, folder)
    assert choose(LEGACY, report) == "20260901-20261001/report-Manifest.json"


def test_the_newest_manifest_of_several_executions_is_chosen(tmp_path: Path) -> None:
    report = tmp_path / "report"
    for time in ("2026-10-03T04_05_00.356Z-b", "2026-10-04T04_05_00.356Z-a"):
        write_manifest(report, f"{METADATA}/{time}")
    assert choose(CUR_2, report) == f"{METADATA}/2026-10-04T04_05_00.356Z-a/report-Manifest.json"


def test_assemblies_of_a_legacy_report_have_no_order_and_are_refused(tmp_path: Path) -> None:
    report = tmp_path / "report"
    for assembly in ("a", "b"):
        write_manifest(report, f"20260901-20261001/{assembly}")
    with pytest.raises(ManifestProblem, match="2026-09 has 2 manifests"):
        choose(LEGACY, report)


def test_of_several_reports_the_namesake_of_the_folder_is_chosen(tmp_path: Path) -> None:
    for report in (tmp_path / "Acme", tmp_path / "neither"):
        for name in ("acme", "globex"):
            write_manifest(report, METADATA, name)
    assert choose(CUR_2, tmp_path / "Acme") == f"{METADATA}/acme-Manifest.json"
    with pytest.raises(ManifestProblem, match="2026-09 has 2 manifests"):
        choose(CUR_2, tmp_path / "neither")


def test_a_month_without_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / METADATA).mkdir(parents=True)
    with pytest.raises(ManifestProblem, match="2026-09 has no manifest"):
        choose(CUR_2, tmp_path)


def test_the_report_is_the_location_or_the_single_report_in_it_or_the_namesake(
    tmp_path: Path,
) -> None:
    write_manifest(tmp_path / "globex", METADATA)
    location = LocalFolder(tmp_path)
    assert months_in(CUR_2, location) == set()
    assert billing_periods(CUR_2, location) == [MONTH]
    write_manifest(tmp_path / "acme", METADATA)
    with pytest.raises(ManifestProblem, match="several reports: acme, globex"):
        find_report_folder(CUR_2, location)
    write_manifest(tmp_path / "payer", METADATA)
    assert (
        find_report_folder(CUR_2, location).full_path()
        == LocalFolder(tmp_path / "payer").full_path()
    )
    write_manifest(tmp_path, METADATA)
    assert find_report_folder(CUR_2, location) is location


def test_months_are_read_from_the_folder_names_of_the_format_only(tmp_path: Path) -> None:
    for name in ("20260901-20261001", "2026090-20261001", "20261301-20270101", "year=2025"):
        (tmp_path / name).mkdir()
    for name in ("metadata/billing_period=2026-08", "data/BILLING_PERIOD=2026-07"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "year=2025" / "month=3").mkdir()
    assert months_in(LEGACY, LocalFolder(tmp_path)) == {"2026-09"}
    (tmp_path / "20260901-20261001").rmdir()
    assert months_in(LEGACY, LocalFolder(tmp_path)) == {"2025-03"}
    assert months_in(CUR_2, LocalFolder(tmp_path)) == {"2026-07", "2026-08"}
