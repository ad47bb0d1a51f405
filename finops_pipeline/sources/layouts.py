"""The layout of a report's folder: which folders have a billing period, and its manifest.

Put here: folder names of legacy CUR (also for Athena) and Data Exports, and finding the report's
own folder in a location that contains it. Keep out: the contents of a manifest (data_exports.py).

    legacy CUR     20261001-20261101/[<assembly>/]<report>-Manifest.json
    for Athena     the same; the files are in <report>/year=2026/month=10
    Data Exports   metadata/BILLING_PERIOD=2026-10/[<execution>/]<report>-Manifest.json
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from finops_pipeline.errors import ManifestProblem
from finops_pipeline.sources.location import ExportFile, Location
from finops_pipeline.tenants.model import Source, SourceKind

MANIFEST = "-manifest.json"
ANCHOR = re.compile(r"\d{8}-\d{8}|year=\d{4}|billing_period=\d{4}-\d{2}", re.IGNORECASE)
"""The folder of a period; the name of a file below it does not contain the month."""

_RANGE = re.compile(r"((?:19|20)\d\d)(0[1-9]|1[0-2])01-\d{8}")
_BILLING_PERIOD = re.compile(r"billing_period=((?:19|20)\d\d-(?:0[1-9]|1[0-2]))", re.IGNORECASE)
_YEAR = re.compile(r"year=((?:19|20)\d\d)", re.IGNORECASE)
_MONTH = re.compile(r"month=(0?[1-9]|1[0-2])", re.IGNORECASE)

_SEARCHED_FOLDERS = 200
"""The most folders of a location that are searched for reports: each may cost a request."""


def months_in(source: Source, location: Location) -> set[str]:
    """List the billing periods (`YYYY-MM`) that a report's folder has folders for."""
    return LAYOUTS[source.kind].list_months(location)


def manifest_folders(source: Source, location: Location, month: str) -> list[str]:
    """List the folders of a report that may contain the manifest of a month."""
    return LAYOUTS[source.kind].list_manifest_folders(location, month)


def _legacy_months(location: Location) -> set[str]:
    matches = [_RANGE.fullmatch(name) for name in location.folders()]
    ranges = {f"{m.group(1)}-{m.group(2)}" for m in matches if m}
    return ranges or set(_athena_folders(location))


def _legacy_manifest_folders(location: Location, month: str) -> list[str]:
    start = month.replace("-", "") + "01-"
    ranges = [name for name in location.folders() if name.startswith(start)]
    return ranges or _athena_folders(location).get(month, [])


def _data_export_months(location: Location) -> set[str]:
    names = location.folders("metadata") + location.folders("data")
    return {m.group(1) for m in map(_BILLING_PERIOD.fullmatch, names) if m}


def _data_export_manifest_folders(location: Location, month: str) -> list[str]:
    return [
        f"metadata/{name}"
        for name in location.folders("metadata")
        if (match := _BILLING_PERIOD.fullmatch(name)) and match.group(1) == month
    ]


def _athena_folders(location: Location) -> dict[str, list[str]]:
    """Map each month to its `year=/month=` folders; some copies have the manifests there."""
    folders: dict[str, list[str]] = {}
    for year in filter(None, map(_YEAR.fullmatch, location.folders())):
        for month in filter(None, map(_MONTH.fullmatch, location.folders(year.group()))):
            period = f"{year.group(1)}-{int(month.group(1)):02d}"
            folders.setdefault(period, []).append(f"{year.group()}/{month.group()}")
    return folders


def find_report_folder(source: Source, location: Location) -> Location:
    """Find the report's folder: the location, its only report, or the one named like the source.

    Raises:
        ManifestProblem: there is no report of the source's format, or several.
    """
    if months_in(source, location):
        return location
    names = location.folders()
    subfolders = {name: SubfolderLocation(location, name) for name in names[:_SEARCHED_FOLDERS]}
    reports = {name: folder for name, folder in subfolders.items() if months_in(source, folder)}
    if len(reports) == 1:
        return next(iter(reports.values()))
    if source.name in reports:
        return reports[source.name]
    if reports:
        raise ManifestProblem(
            f"{location.full_path()} contains several reports: {', '.join(sorted(reports))}",
            "the folder of one report",
            f"Set the source's location to one of them, such as {location.full_path(min(reports))},"
            " and declare a source for each of the others",
        )
    raise ManifestProblem(
        f"{location.full_path()} contains no billing period (it contains:"
        f" {', '.join(names[:8]) or 'nothing'})",
        LAYOUTS[source.kind].expected,
        f"Set the source's location to the report's own folder, or correct its format, which is"
        f" {source.format.value}",
    )


@dataclass(frozen=True)
class Layout:
    """How a report's folder is laid out.

    `expected` describes its folders, for messages; `has_copies` is true where a month may have
    a copy of its manifest for each execution.
    """

    list_months: Callable[[Location], set[str]]
    list_manifest_folders: Callable[[Location, str], list[str]]
    expected: str
    has_copies: bool


_LEGACY = Layout(
    list_months=_legacy_months,
    list_manifest_folders=_legacy_manifest_folders,
    expected="folders such as 20261001-20261101 (legacy CUR)",
    has_copies=False,
)
_DATA_EXPORT = Layout(
    list_months=_data_export_months,
    list_manifest_folders=_data_export_manifest_folders,
    expected="metadata/BILLING_PERIOD=2026-10 and data/BILLING_PERIOD=2026-10 folders",
    has_copies=True,
)
LAYOUTS = {
    SourceKind.LEGACY_CUR: _LEGACY,
    SourceKind.CUR_2: _DATA_EXPORT,
    SourceKind.FOCUS: _DATA_EXPORT,
}
"""The layout of each kind of bill."""


class SubfolderLocation:
    """A subfolder of a location, as a location; see Location."""

    def __init__(self, parent: Location, folder: str) -> None:
        self._parent = parent
        self._folder = folder

    def _parent_name(self, name: str) -> str:
        return f"{self._folder}/{name}" if name else self._folder

    def folders(self, name: str = "") -> list[str]:
        """See Location."""
        return self._parent.folders(self._parent_name(name))

    def files(self, name: str = "") -> list[str]:
        """See Location."""
        return self._parent.files(self._parent_name(name))

    def find_file(self, name: str) -> ExportFile | None:
        """See Location."""
        file = self._parent.find_file(self._parent_name(name))
        return replace(file, name=name) if file else None

    def read(self, name: str) -> bytes:
        """See Location."""
        return self._parent.read(self._parent_name(name))

    def fetch_all(self, files: Sequence[ExportFile], scratch: Path) -> list[Path]:
        """See Location."""
        named = [replace(file, name=self._parent_name(file.name)) for file in files]
        return self._parent.fetch_all(named, scratch)

    def reopen(self) -> SubfolderLocation:
        """See Location."""
        return SubfolderLocation(self._parent.reopen(), self._folder)

    def full_path(self, name: str = "") -> str:
        """See Location."""
        return self._parent.full_path(self._parent_name(name))
