"""Exports in S3, or in a store with the same API.

Put here: an export's names as keys below a prefix, listings, parallel downloads. Keep out: single
requests and downloads (s3_bucket.py), credentials (credentials.py, aws.py).
"""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path, PurePosixPath

from finops_pipeline.errors import AccessRefused, FileProblem, Unreachable, counted
from finops_pipeline.sources.credentials import LATER, Access
from finops_pipeline.sources.location import ExportFile
from finops_pipeline.sources.s3_bucket import Bucket, Download, file_change_error
from finops_pipeline.tenants.places import bucket_and_prefix

PARALLEL_DOWNLOADS = 8
"""Downloads at a time: one stream rarely uses the full bandwidth; each needs 1 MiB of memory."""

_NEXT_PAGE = "NextContinuationToken"
_MANIFEST_BYTES = 64 << 20
_ENDINGS = (".csv.gz", ".csv.zip", ".csv", ".gz", ".zip", ".parquet")


class S3Location:
    """Exports below a prefix of a bucket; see Location.

    Each folder's listing is cached (`reopen` drops the cache), so that a month whose delivery has
    landed already needs a few listings and its manifest, but no request for each file.
    """

    def __init__(self, access: Access, location: str, bucket: Bucket | None = None) -> None:
        self._location = location
        name, prefix = bucket_and_prefix(location)
        self._bucket = bucket or Bucket(access, name)
        self._prefix = f"{prefix}/" if prefix else ""
        self._listings: dict[str, tuple[list[str], dict[str, ExportFile]]] = {}

    def folders(self, name: str = "") -> list[str]:
        """See Location."""
        return sorted(self._list(name)[0])

    def files(self, name: str = "") -> list[str]:
        """See Location."""
        return sorted(self._list(name)[1])

    def find_file(self, name: str) -> ExportFile | None:
        """See Location; the fingerprint is the etag.

        Raises:
            FileProblem: the name points outside the prefix.
        """
        folder, _, last = _check_name(name, self._location).rpartition("/")
        return self._list(folder)[1].get(last)

    def read(self, name: str) -> bytes:
        """See Location.

        Raises:
            DeliveryMoving: the object is gone, or is not the one that was listed.
            FileProblem: it is far too large for a manifest.
        """
        file = self.find_file(name)
        if file is None:
            raise file_change_error(self.full_path(name))
        if file.size_bytes > _MANIFEST_BYTES:
            raise FileProblem(
                f"{self.full_path(name)} has {counted(file.size_bytes, 'byte')}",
                "a manifest of a few thousand bytes",
            )
        buffer = io.BytesIO()
        Download(self._bucket, self._key(name), file, threading.Event()).write_to(buffer)
        return buffer.getvalue()

    def fetch_all(self, files: Sequence[ExportFile], scratch: Path) -> list[Path]:
        """See Location; downloads run in parallel, and the first that fails stops the others."""
        scratch.mkdir(parents=True, exist_ok=True)
        stop = threading.Event()
        paths = [scratch / f"{n:05d}{_file_ending(file.name)}" for n, file in enumerate(files)]
        with ThreadPoolExecutor(min(PARALLEL_DOWNLOADS, max(len(files), 1))) as pool:
            try:
                running = [
                    pool.submit(self._fetch, file, path, stop)
                    for file, path in zip(files, paths, strict=True)
                ]
                wait(running, return_when=FIRST_EXCEPTION)
            finally:
                stop.set()
        for download in running:
            download.result()
        return paths

    def _fetch(self, file: ExportFile, path: Path, stop: threading.Event) -> None:
        try:
            Download(self._bucket, self._key(file.name), file, stop).save_to(path)
        except BaseException:
            stop.set()
            raise

    def try_reading(self, file: ExportFile) -> None:
        """Read the first byte of a file, to check that reading (and decrypting) it is permitted.

        Raises:
            AccessRefused: it is not permitted.
        """
        options = {"Key": self._key(file.name), "IfMatch": f'"{file.fingerprint}"'}
        if file.size_bytes:
            options["Range"] = "bytes=0-0"
        self._bucket.send_request("get_object", f"read {self.full_path(file.name)}", **options)[
            "Body"
        ].close()

    def can_list_whole_bucket(self) -> bool:
        """Check whether the credentials may list the bucket beyond this location's prefix."""
        if not self._prefix:
            return False
        try:
            self._bucket.send_request("list_objects_v2", "list the entire bucket", MaxKeys=1)
        except (AccessRefused, Unreachable):
            return False
        return True

    def reopen(self) -> S3Location:
        """See Location; the client and its credentials are kept."""
        return S3Location(self._bucket.access, self._location, self._bucket)

    def full_path(self, name: str = "") -> str:
        """See Location."""
        return f"s3://{self._bucket.name}/{self._key(name)}" if name else self._location

    def _key(self, name: str) -> str:
        return self._prefix + name

    def _list(self, folder: str) -> tuple[list[str], dict[str, ExportFile]]:
        """List the names of the folders, and the files by name, directly in a folder."""
        if folder not in self._listings:
            below = self._key(f"{_check_name(folder, self._location)}/" if folder else "")
            self._listings[folder] = self._list_pages(below, folder)
        return self._listings[folder]

    def _list_pages(self, below: str, folder: str) -> tuple[list[str], dict[str, ExportFile]]:
        folders: list[str] = []
        files: dict[str, ExportFile] = {}
        for page in self._bucket.list_pages(below):
            truncated = page.get("IsTruncated")
            if truncated not in (True, False) or (truncated and not page.get(_NEXT_PAGE)):
                # After an empty response, or a page that lacks the token of the next one, the
                # paginator would stop as if the folder contained nothing more.
                raise self._listing_error(below)
            for entry in page.get("CommonPrefixes", []):
                name = entry["Prefix"][len(below) :].rstrip("/")
                if _is_usable_name(name):
                    folders.append(name)
            for entry in page.get("Contents", []):
                name = entry["Key"][len(below) :]
                if _is_usable_name(name):
                    full_name = f"{folder}/{name}" if folder else name
                    etag = str(entry["ETag"]).strip('"')
                    stored_at = entry.get("LastModified")
                    files[name] = ExportFile(full_name, int(entry["Size"]), etag, stored_at)
        return folders, files

    def _listing_error(self, below: str) -> Unreachable:
        source = self._bucket.access.source
        return Unreachable(
            f"{source} could not list s3://{self._bucket.name}/{below}: the endpoint did not"
            " return a complete S3 listing",
            "every page of the listing",
            f"Check the source's endpoint_url and any proxy in between. {LATER}",
        )


def _is_usable_name(name: str) -> bool:
    """Check that a listed name can belong to an export: a key may be any text, even `..`."""
    return bool(name) and name not in {".", ".."} and name.isprintable()


def _check_name(name: str, location: str) -> str:
    """Return `name` if it stays below the prefix."""
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or PurePosixPath(name).is_absolute():
        raise FileProblem(
            f"{name[:200]!r} points outside {location}", "a path below the source's location"
        )
    return name


def _file_ending(name: str) -> str:
    """Return the ending of a file's name that shows its kind; the rest of the name is not used."""
    return next((ending for ending in _ENDINGS if name.lower().endswith(ending)), "")
