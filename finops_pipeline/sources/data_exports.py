"""Deliveries of AWS: the manifest of a billing period, and exactly the files that it lists.

Put here: reading manifests of legacy CUR, CUR 2.0 and FOCUS exports. Keep out: folder names
(layouts.py), the bills themselves (landing) and where files are stored (location.py).

Sources: AWS "Understanding your report versions" (legacy CUR: `assemblyId`, `reportKeys`) and
"Understanding export delivery" (Data Exports: `metadata/`, `dataFiles`). Files are
never chosen by a glob: one that no manifest lists belongs to another version or is still arriving.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any

from finops_pipeline import clock
from finops_pipeline.errors import DeliveryMoving, FileProblem, ManifestProblem
from finops_pipeline.sources.layouts import (
    ANCHOR,
    LAYOUTS,
    MANIFEST,
    find_report_folder,
    manifest_folders,
    months_in,
)
from finops_pipeline.sources.location import ExportFile, Location
from finops_pipeline.tenants.model import Source

ARRIVAL_WAIT = timedelta(hours=1)
"""How long after its last file a delivery without a newer manifest is considered incomplete."""

_AGAIN = "Copy or download the manifest again; the previous delivery stays published"


@dataclass(frozen=True)
class Delivery:
    """One complete version of one billing period of one source, as its manifest describes it.

    `listing_fingerprint` changes whenever the manifest or the names, sizes or times of the files
    change. It only shows that the files must be read; their bytes identify the delivery.
    """

    billing_period: str
    execution_id: str
    manifest: str
    files: tuple[ExportFile, ...]
    columns: tuple[str, ...]
    location: Location
    listing_fingerprint: str
    manifest_file: ExportFile | None = None
    query: str = ""
    """The statement that selects the export's columns, where the manifest has it."""


def billing_periods(source: Source, location: Location) -> list[str]:
    """List the billing periods (`YYYY-MM`) for which the location has folders, sorted.

    Raises:
        ManifestProblem: no folder of the location is named like a period of this format, or
            the location has several reports.
    """
    return sorted(months_in(source, find_report_folder(source, location)))


def read_delivery(source: Source, location: Location, month: str) -> Delivery:
    """Read the manifest of the current delivery of a billing period, and find its files.

    Raises:
        ManifestProblem: the manifest is missing, ambiguous, unreadable or of another month.
        FileProblem: a file that it lists does not exist.
        DeliveryMoving: the next delivery is still arriving.
    """
    location = find_report_folder(source, location)
    manifest = _find_manifest(source, location, month)
    manifest_file = location.find_file(manifest)
    raw = location.read(manifest)
    where = location.full_path(manifest)
    facts = _parse_manifest(raw, where)
    _check_period(facts, month, where)
    keys = _read_keys(facts, where)
    files = tuple(_find_listed_file(location, key, where) for key in keys)
    if len({file.name for file in files}) < len(files):
        raise ManifestProblem(
            f"{where} lists a file twice, under two different keys", "each file once", _AGAIN
        )
    _check_arrived(manifest_file, files, where)
    fingerprints = [hashlib.sha256(raw).hexdigest()]
    fingerprints += [f"{file.name}|{file.size_bytes}|{file.fingerprint}" for file in files]
    return Delivery(
        billing_period=month,
        execution_id=_read_execution_id(facts, files),
        manifest=manifest,
        files=files,
        columns=_read_columns(facts),
        location=location,
        listing_fingerprint=hashlib.sha256("\n".join(fingerprints).encode()).hexdigest(),
        manifest_file=manifest_file,
        query=_find_query(facts),
    )


def _find_manifest(source: Source, location: Location, month: str) -> str:
    folders = manifest_folders(source, location, month)
    for candidates in (folders, [f"{f}/{sub}" for f in folders for sub in location.folders(f)]):
        manifests = [
            f"{folder}/{name}"
            for folder in candidates
            for name in location.files(folder)
            if name.lower().endswith(MANIFEST)
        ]
        names = {PurePosixPath(name).name for name in manifests}
        if len(names) > 1:
            manifests = _choose_report_manifest(location, manifests) or manifests
        if len(manifests) == 1:
            return manifests[0]
        copies = candidates is not folders and LAYOUTS[source.kind].has_copies
        if manifests and copies and len(names) == 1:
            # Copies kept per execution: their folders begin with the delivery's timestamp.
            return max(manifests)
        if manifests:
            raise ManifestProblem(
                f"{month} has {len(manifests)} manifests:"
                f" {', '.join(map(location.full_path, manifests))}",
                "one manifest for each month",
                "Keep only the current one, or declare a source for each report",
            )
    raise ManifestProblem(
        f"{month} has no manifest in"
        f" {', '.join(map(location.full_path, folders)) or location.full_path()}",
        "<report>-Manifest.json, which AWS writes after the last file",
        "Wait for the delivery to finish, or copy the manifest too; import files that have none"
        " with finops ingest-file",
    )


def _choose_report_manifest(location: Location, manifests: list[str]) -> list[str]:
    """Choose, among manifests of several reports, those of the report that names the folder."""
    own = PurePosixPath(location.full_path()).name.lower() + MANIFEST
    return [name for name in manifests if PurePosixPath(name).name.lower() == own]


def _parse_manifest(raw: bytes, where: str) -> dict[str, Any]:
    try:
        facts = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_reject_duplicate_names)
    except (
        ValueError,
        RecursionError,
    ) as error:  # ValueError: also text that is not UTF-8, numbers with thousands of digits
        raise ManifestProblem(
            f"{where} is not readable JSON ({error})", "a manifest as AWS writes it", _AGAIN
        ) from error
    if not isinstance(facts, dict):
        raise ManifestProblem(
            f"{where} is JSON, but not an object", "a manifest as AWS writes it", _AGAIN
        )
    return facts


def _reject_duplicate_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a JSON object; of two lists of files with the same name, only the last would be read."""
    facts = dict(pairs)
    if len(facts) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{repeated[:80]!a} appears twice")
    return facts


def _check_period(facts: dict[str, Any], month: str, where: str) -> None:
    period = facts.get("billingPeriod")
    start = period.get("start") if isinstance(period, dict) else None
    digits = re.sub(r"\D", "", str(start or ""))[:6]
    if digits and digits != month.replace("-", ""):
        raise ManifestProblem(
            f"{where} states that its billing period starts at {start}",
            f"the folder's month {month}",
            "Put the manifest and its files into the folder of their own month",
        )


def _read_keys(facts: dict[str, Any], where: str) -> list[str]:
    for field in ("reportKeys", "dataFiles"):
        if field in facts:
            keys = facts[field]
            break
    else:
        raise ManifestProblem(
            f"{where} has neither reportKeys nor dataFiles", "one of the two", _AGAIN
        )
    if not isinstance(keys, list) or not keys or not all(isinstance(k, str) and k for k in keys):
        raise ManifestProblem(
            f"{where} lists files as {str(keys)[:80]}", "a list of file names", _AGAIN
        )
    for key in keys:
        if not key.isprintable():
            raise ManifestProblem(
                f"{where} lists the file {key[:200]!a}", "a name of printable characters", _AGAIN
            )
        if keys.count(key) > 1:
            raise ManifestProblem(
                f"{where} lists {key} {keys.count(key)} times", "each file once", _AGAIN
            )
    return keys


def _find_listed_file(location: Location, key: str, where: str) -> ExportFile:
    """Find the file of a key: the longest end of the key that exists below the location.

    Keys begin at the bucket (`finops/cur/20261001-20261101/…`), while the location is the
    report's folder. So folders are removed from the beginning of the key until a file exists, but
    never the period's folder: a file of the same name in another month must not be used.
    """
    parts = PurePosixPath(key.split("://", 1)[-1].lstrip("/")).parts
    if ".." in parts:
        raise FileProblem(
            f"{where} lists {key!r}, which points outside the report", "a key without '..'", _AGAIN
        )
    anchors = [index for index, part in enumerate(parts) if ANCHOR.fullmatch(part)]
    last = anchors[0] if anchors else len(parts) - 1
    for start in range(last + 1):
        file = location.find_file("/".join(parts[start:]))
        if file is not None:
            return file
    expected = max(
        ("/".join(parts[start:]) for start in reversed(range(last + 1))),
        key=lambda name: _count_folders(location, name),
    )
    raise FileProblem(
        f"{where} lists {key}, but {location.full_path(expected)} is not there",
        "every file that the manifest lists",
        "Wait for the delivery to finish or copy the file too",
    )


def _count_folders(location: Location, name: str) -> int:
    """Count the leading folders of a name that exist below the location."""
    folders = PurePosixPath(name).parts[:-1]
    for count, folder in enumerate(folders):
        if folder not in location.folders("/".join(folders[:count])):
            return count
    return len(folders)


def _check_arrived(manifest: ExportFile | None, files: tuple[ExportFile, ...], where: str) -> None:
    """Check that no file belongs to a delivery whose manifest has not arrived yet.

    AWS writes the manifest last. In overwrite mode the files of the next delivery replace those of
    this one under the same names, so a file newer than the manifest means that the two are mixed.
    Manual copies arrive in any order; they are accepted after an hour without changes.
    """
    written = manifest.stored_at if manifest else None
    newest = max((file.stored_at for file in files if file.stored_at), default=None)
    if written and newest and newest > written and clock.now() - newest < ARRIVAL_WAIT:
        raise DeliveryMoving(
            f"{where} is older ({written:%Y-%m-%d %H:%M:%S}) than a file that it lists"
            f" ({newest:%Y-%m-%d %H:%M:%S})",
            "a manifest that was written last",
            "The next delivery is arriving: run again when its manifest exists (files that you"
            " copied yourself are accepted an hour after the last one)",
        )


def _read_columns(facts: dict[str, Any]) -> tuple[str, ...]:
    names = []
    listed = facts.get("columns")
    for column in listed if isinstance(listed, list) else []:
        if isinstance(column, str):
            names.append(column)
        elif isinstance(column, dict) and column.get("name"):
            group = column.get("category")
            names.append(f"{group}/{column['name']}" if group else str(column["name"]))
    return tuple(names)


def _find_query(facts: object, depth: int = 6) -> str:
    """Find the first query statement in a manifest, at any depth."""
    if not depth:
        return ""
    if isinstance(facts, dict):
        for key, value in facts.items():
            if key.lower().replace("_", "") == "querystatement" and isinstance(value, str):
                return value
        facts = list(facts.values())
    if isinstance(facts, list):
        return next(filter(None, (_find_query(part, depth - 1) for part in facts)), "")
    return ""


def _read_execution_id(facts: dict[str, Any], files: tuple[ExportFile, ...]) -> str:
    for field in ("assemblyId", "executionId", "execution_id"):
        if facts.get(field):
            return ascii(str(facts[field]))[1:-1][:200]
    folder = PurePosixPath(files[0].name).parent.name
    return "" if ANCHOR.fullmatch(folder) else folder
