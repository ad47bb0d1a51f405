"""What AWS delivers: the manifest of a billing period, and exactly the files it names.

Put here: reading manifests of legacy CUR, CUR 2.0 and FOCUS exports. Keep out: folder names
(layouts.py), the bills themselves (landing) and where the bytes lie (location.py).

Sources: AWS "Understanding your report versions" (legacy CUR: `assemblyId`, `reportKeys`) and
"Understanding export delivery" (Data Exports: `metadata/`, `dataFiles`). Never a glob: files
that no manifest names are another version's, or still arriving.
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
    manifest_folders,
    months_in,
    report_in,
)
from finops_pipeline.sources.location import ExportFile, Location
from finops_pipeline.tenants.model import Source

ARRIVING = timedelta(hours=1)
"""How long after its last file a delivery without a newer manifest counts as arriving."""

_AGAIN = "Copy or download the manifest again; the previous delivery stays published"


@dataclass(frozen=True)
class Delivery:
    """One complete version of one billing period of one source, as its manifest describes it.

    `quick_mark` changes whenever manifest, names, sizes or times of the files change; it only
    says that a closer look is needed. What the delivery *is* is decided by checksums.
    """

    billing_period: str
    execution_id: str
    manifest: str
    files: tuple[ExportFile, ...]
    columns: tuple[str, ...]
    location: Location
    quick_mark: str
    manifest_file: ExportFile | None = None
    query: str = ""
    """The statement that selects the export's columns, where the manifest tells it."""


def billing_periods(source: Source, location: Location) -> list[str]:
    """Billing periods (`YYYY-MM`) that the location has folders of, sorted.

    Raises:
        ManifestProblem: no folder of the location looks like a period of this format, or it
            holds several reports.
    """
    return sorted(months_in(source, report_in(source, location)))


def read_delivery(source: Source, location: Location, month: str) -> Delivery:
    """The current delivery of a billing period.

    Raises:
        ManifestProblem: the manifest is missing, ambiguous, unreadable or of another month.
        FileProblem: a file that it names is not there.
        DeliveryMoving: the next delivery is arriving.
    """
    location = report_in(source, location)
    manifest = _find_manifest(source, location, month)
    manifest_file = location.describe(manifest)
    raw = location.read(manifest)
    where = location.spell(manifest)
    facts = _parse(raw, where)
    _check_period(facts, month, where)
    keys = _keys(facts, where)
    files = tuple(_locate(location, key, where) for key in keys)
    if len({file.name for file in files}) < len(files):
        raise ManifestProblem(f"{where} names a file twice, in two spellings", "each file once")
    _check_arrived(manifest_file, files, where)
    marks = [hashlib.sha256(raw).hexdigest()]
    marks += [f"{file.name}|{file.size_bytes}|{file.mark}" for file in files]
    return Delivery(
        billing_period=month,
        execution_id=_execution_id(facts, files),
        manifest=manifest,
        files=files,
        columns=_columns(facts),
        location=location,
        quick_mark=hashlib.sha256("\n".join(marks).encode()).hexdigest(),
        manifest_file=manifest_file,
        query=_query(facts),
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
            manifests = _of_report(location, manifests) or manifests
        if len(manifests) == 1:
            return manifests[0]
        copies = candidates is not folders and LAYOUTS[source.kind].has_copies
        if manifests and copies and len(names) == 1:
            # Copies kept per execution: their folders begin with the delivery's timestamp.
            return max(manifests)
        if manifests:
            raise ManifestProblem(
                f"{month} has {len(manifests)} manifests:"
                f" {', '.join(map(location.spell, manifests))}",
                "one manifest for a month",
                "Keep the current one, or give each report a source of its own",
            )
    raise ManifestProblem(
        f"{month} has no manifest in {', '.join(map(location.spell, folders)) or location.spell()}",
        "<report>-Manifest.json, which AWS writes after the last file",
        "Wait for the delivery to finish, or copy the manifest too; files without one come in by"
        " finops ingest-file",
    )


def _of_report(location: Location, manifests: list[str]) -> list[str]:
    """Of the manifests of several reports, those of the one that the location is named after."""
    own = PurePosixPath(location.spell()).name.lower() + MANIFEST
    return [name for name in manifests if PurePosixPath(name).name.lower() == own]


def _parse(raw: bytes, where: str) -> dict[str, Any]:
    try:
        facts = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:  # also no UTF-8, thousands of digits
        raise ManifestProblem(
            f"{where} is not readable JSON ({error})", "a manifest as AWS writes it", _AGAIN
        ) from error
    if not isinstance(facts, dict):
        raise ManifestProblem(f"{where} is a {type(facts).__name__}", "a JSON object", _AGAIN)
    return facts


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names stand once: of two lists of files only the last would be read."""
    facts = dict(pairs)
    if len(facts) < len(pairs):
        names = [name for name, _ in pairs]
        again = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{again[:80]!a} stands twice")
    return facts


def _check_period(facts: dict[str, Any], month: str, where: str) -> None:
    period = facts.get("billingPeriod")
    start = period.get("start") if isinstance(period, dict) else None
    digits = re.sub(r"\D", "", str(start or ""))[:6]
    if digits and digits != month.replace("-", ""):
        raise ManifestProblem(
            f"{where} says its billing period starts {start}",
            f"the folder's month {month}",
            "Put the manifest and its files into the folder of their own month",
        )


def _keys(facts: dict[str, Any], where: str) -> list[str]:
    for word in ("reportKeys", "dataFiles"):
        if word in facts:
            keys = facts[word]
            break
    else:
        raise ManifestProblem(
            f"{where} has neither reportKeys nor dataFiles", "one of the two", _AGAIN
        )
    if not isinstance(keys, list) or not keys or not all(isinstance(k, str) and k for k in keys):
        raise ManifestProblem(
            f"{where} lists files {str(keys)[:80]}", "a list of file names", _AGAIN
        )
    for key in keys:
        if not key.isprintable():
            raise ManifestProblem(f"{where} names the file {key[:200]!a}", "a plain name")
        if keys.count(key) > 1:
            raise ManifestProblem(
                f"{where} names {key} {keys.count(key)} times", "each file once", _AGAIN
            )
    return keys


def _locate(location: Location, key: str, where: str) -> ExportFile:
    """The file of a key: the longest end of the key that lies below the location.

    Keys are spelled from the bucket (`finops/cur/20261001-20261101/…`), the location is the
    report's folder, so the key's beginning is cut until a file is there, but never past the
    period's folder: another month's file of the same name must not be taken.
    """
    parts = PurePosixPath(key.split("://", 1)[-1].lstrip("/")).parts
    if ".." in parts:
        raise FileProblem(f"{where} names {key!r}, which leads elsewhere", "a plain key", _AGAIN)
    anchors = [index for index, part in enumerate(parts) if ANCHOR.fullmatch(part)]
    last = anchors[0] if anchors else len(parts) - 1
    for start in range(last + 1):
        file = location.describe("/".join(parts[start:]))
        if file is not None:
            return file
    raise FileProblem(
        f"{where} names {key}, and {location.spell('/'.join(parts[last:]))} is not there",
        "every file that the manifest names",
        "Wait for the delivery to finish or copy the file too",
    )


def _check_arrived(manifest: ExportFile | None, files: tuple[ExportFile, ...], where: str) -> None:
    """See that no file is of a delivery whose manifest is still to come.

    AWS writes the manifest last. In overwrite mode files of the next delivery replace those of
    this one under the same names, so a file newer than the manifest means: half of each.
    Copies made by hand come in any order; after an hour without change they are taken.
    """
    written = manifest.stored_at if manifest else None
    newest = max((file.stored_at for file in files if file.stored_at), default=None)
    if written and newest and newest > written and clock.now() - newest < ARRIVING:
        raise DeliveryMoving(
            f"{where} is older ({written:%Y-%m-%d %H:%M:%S}) than a file that it names"
            f" ({newest:%Y-%m-%d %H:%M:%S})",
            "the manifest written last",
            "The next delivery is arriving: run again when its manifest is there (files copied"
            " by hand are taken an hour after the last)",
        )


def _columns(facts: dict[str, Any]) -> tuple[str, ...]:
    names = []
    listed = facts.get("columns")
    for column in listed if isinstance(listed, list) else []:
        if isinstance(column, str):
            names.append(column)
        elif isinstance(column, dict) and column.get("name"):
            group = column.get("category")
            names.append(f"{group}/{column['name']}" if group else str(column["name"]))
    return tuple(names)


def _query(facts: object, depth: int = 6) -> str:
    """The first query statement in a manifest, wherever it stands in it."""
    if not depth:
        return ""
    if isinstance(facts, dict):
        for key, value in facts.items():
            if key.lower().replace("_", "") == "querystatement" and isinstance(value, str):
                return value
        facts = list(facts.values())
    if isinstance(facts, list):
        return next(filter(None, (_query(part, depth - 1) for part in facts)), "")
    return ""


def _execution_id(facts: dict[str, Any], files: tuple[ExportFile, ...]) -> str:
    for word in ("assemblyId", "executionId", "execution_id"):
        if facts.get(word):
            return ascii(str(facts[word]))[1:-1][:200]
    folder = PurePosixPath(files[0].name).parent.name
    return "" if ANCHOR.fullmatch(folder) else folder
