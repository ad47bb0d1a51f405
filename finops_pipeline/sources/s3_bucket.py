"""One bucket through one access: requests with renewed credentials, and verified downloads.

Put here: requests to S3, and downloads that are complete, of one version of the object, and
verified, even over a bad connection. Keep out: names of an export (s3.py), whose credentials are
used (credentials.py).

A download is one stream; when it breaks, it continues from the byte reached, pinned to the same
version of the object. The complete object is checked against every checksum that S3 reports.
botocore verifies only an object that comes in one response, and no MD5, so the checksums of a
resumed download are computed here.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import random
import re
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

from botocore.exceptions import ClientError
from urllib3.exceptions import HTTPError

from finops_pipeline import clock
from finops_pipeline.errors import (
    FULL_DISK_CURE,
    DeliveryMoving,
    DiskFull,
    FileProblem,
    Unreachable,
    counted,
)
from finops_pipeline.sources.aws import open_client
from finops_pipeline.sources.credentials import EXPIRED, Access, error_code, translate_errors
from finops_pipeline.sources.location import ExportFile

CHUNK = 1 << 20
ATTEMPTS = 6
"""The number of times in a row that a stream may break without WINDOW_BYTES of progress."""

WINDOW_SECONDS, WINDOW_BYTES = 30, 1 << 16
"""A stream that delivers fewer bytes in this time is abandoned and requested again."""

_GONE = {"PreconditionFailed", "412", "NoSuchKey", "NoSuchVersion", "404", "InvalidRange", "416"}
_MD5 = re.compile(r"[0-9a-f]{32}")
_Answer = TypeVar("_Answer")


class BrokenStream(Exception):
    """A stream that ended or stalled too early; never raised out of this module."""


class Bucket:
    """A bucket as one source may use it; no client is made before the first request."""

    def __init__(self, access: Access, name: str) -> None:
        self.access = access
        self.name = name
        self._client: Any = None
        self._lock = threading.Lock()

    def send_request(self, operation: str, action: str, **options: Any) -> dict[str, Any]:
        """Send one request such as `get_object`; credentials that have expired are renewed.

        Raises:
            AccessRefused: denied, no such bucket, or no usable credentials.
            DeliveryMoving: the object is gone, or is not the one that `IfMatch` names.
            Unreachable: S3 failed or did not answer, even after retries.
        """
        return self._with_valid_credentials(
            action, lambda client: self._send(client, operation, options)
        )

    def list_pages(self, prefix: str) -> list[dict[str, Any]]:
        """List everything directly below a prefix, page by page.

        Raises:
            AccessRefused: see send_request.
            Unreachable: see send_request; also pages that never end.
        """

        def list_all(client: Any) -> list[dict[str, Any]]:
            paginator = client.get_paginator("list_objects_v2")
            return list(paginator.paginate(Bucket=self.name, Prefix=prefix, Delimiter="/"))

        return self._with_valid_credentials(f"list s3://{self.name}/{prefix}", list_all)

    def _with_valid_credentials(self, action: str, send: Callable[[Any], _Answer]) -> _Answer:
        """Send with the client; if its credentials have expired, send once more with a new one."""
        with translate_errors(self.access, action):
            used = self._valid_client(None)
            try:
                return send(used)
            except ClientError as error:
                if error_code(error) not in EXPIRED:
                    raise
            return send(self._valid_client(used))

    def _send(self, used: Any, operation: str, options: dict[str, Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(used, operation)(Bucket=self.name, **options)
        except ClientError as error:
            if "IfMatch" in options and error_code(error) in _GONE:
                raise file_change_error(f"s3://{self.name}/{options['Key']}") from error
            raise
        return answer

    def _valid_client(self, expired: Any) -> Any:
        """Return the client; a new one, with a new session, if the last one's have expired."""
        with self._lock:
            if self._client is None or self._client is expired:
                self._client = open_client(self.access, "s3")
            return self._client


def file_change_error(name: str) -> DeliveryMoving:
    """Make the error for a file that is not the one that was listed."""
    return DeliveryMoving(
        f"{name} changed while it was read",
        "files that stay as the manifest describes them",
        "Run again when the delivery has finished",
    )


class Download:
    """The download of one object.

    Args:
        file: the object as it was listed, with its size and etag.
        stop: set by the caller when the file is no longer needed.
    """

    def __init__(self, bucket: Bucket, key: str, file: ExportFile, stop: threading.Event) -> None:
        self._bucket, self._key, self._stop = bucket, key, stop
        self._size, self._etag = file.size_bytes, file.fingerprint
        self._uri = f"s3://{bucket.name}/{key}"
        self._checksums: list[tuple[str, Any, bytes]] = []
        self._reached = 0

    def save_to(self, target: Path) -> None:
        """Download the complete object to the file `target` and verify it.

        Raises:
            DeliveryMoving: the object has been replaced.
            FileProblem: its bytes repeatedly do not match the checksums that S3 reports.
            Unreachable: the stream broke too often.
            AccessRefused: S3 denied access.
            DiskFull: the disk has no room for it.
        """
        try:
            with target.open("wb", buffering=0) as out:
                self.write_to(out)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise DiskFull(
                    f"{self._uri} ({counted(self._size, 'byte')}) does not fit on the disk of"
                    f" {target.parent}, which had room for {counted(self._reached, 'byte')}",
                    "enough disk space for the delivery",
                    FULL_DISK_CURE,
                ) from error
            raise

    def write_to(self, out: IO[bytes]) -> None:
        """Write the complete object to `out` and verify it.

        Raises:
            FileProblem: see save_to.
            Unreachable: see save_to.
        """
        failures, mismatches, reached_before = 0, 0, 0
        while not self._stop.is_set():
            reason = ""
            try:
                self._read_stream(out)
                reason = self._find_mismatch()
                if not reason:
                    return
                mismatches += 1
                self._restart(out)
            except BrokenStream as error:
                reason = str(error)
            if self._reached - reached_before >= WINDOW_BYTES:
                failures, reached_before = 0, self._reached
            failures += 1
            if mismatches >= ATTEMPTS // 2:
                raise FileProblem(
                    f"{self._uri}: {reason}, {counted(mismatches, 'time')}",
                    "the bytes that were uploaded",
                    "Copy or export the file again; the previous delivery stays published",
                )
            if failures >= ATTEMPTS:
                raise Unreachable(
                    f"{self._bucket.access.source} could not read {self._uri}: {reason}"
                    f" ({self._reached} of {counted(self._size, 'byte')},"
                    f" {counted(failures, 'attempt')})",
                    "a complete download",
                    "Check the network, then run again",
                )
            clock.pause(min(0.2 * 2**failures, 5) * random.uniform(0.5, 1))

    def _read_stream(self, out: IO[bytes]) -> None:
        """Write the bytes from the one reached on; BrokenStream if they stop before the end."""
        begin = self._reached
        options = {"Range": f"bytes={begin}-"} if begin else {"ChecksumMode": "ENABLED"}
        pinned = {"Key": self._key, "IfMatch": f'"{self._etag}"', **options}
        answer = self._bucket.send_request("get_object", f"read {self._uri}", **pinned)
        self._check_version(answer, begin)
        body = answer["Body"]
        try:
            if begin and not str(answer.get("ContentRange", "")).startswith(f"bytes {begin}-"):
                self._restart(out)  # a store without ranges sends the complete object
            if not self._reached:
                self._checksums = _make_checksums(answer, self._etag)
            # read1 returns what has arrived; read would wait for a full chunk of a slow stream.
            self._copy(body._raw_stream, out)
        except (HTTPError, ConnectionError, TimeoutError) as error:
            raise BrokenStream(f"the stream broke ({type(error).__name__})") from error
        finally:
            body.close()

    def _copy(self, stream: Any, out: IO[bytes]) -> None:
        since, before = clock.stopwatch(), self._reached
        while not self._stop.is_set() and self._reached < self._size:
            block = stream.read1(min(CHUNK, self._size - self._reached))
            if not block:
                raise BrokenStream("the stream ended early")
            left = memoryview(block)
            while left:  # a disk that is nearly full accepts a part before it fails
                left = left[out.write(left) :]
            self._reached += len(block)
            for _, running, _ in self._checksums:
                running.update(block)
            if clock.stopwatch() - since > WINDOW_SECONDS:
                if self._reached - before < WINDOW_BYTES:
                    raise BrokenStream(
                        f"only {counted(self._reached - before, 'byte')} arrived in"
                        f" {WINDOW_SECONDS} seconds"
                    )
                since, before = clock.stopwatch(), self._reached

    def _check_version(self, answer: dict[str, Any], begin: int) -> None:
        """Check that the response is of the object listed, as not every store respects IfMatch."""
        etag = str(answer.get("ETag", "")).strip('"')
        other_size = not begin and answer.get("ContentLength", self._size) != self._size
        if etag != self._etag or other_size:
            answer["Body"].close()
            raise file_change_error(self._uri)

    def _find_mismatch(self) -> str:
        for name, running, expected in self._checksums:
            if running.digest() != expected:
                return f"the bytes do not match the {name} that S3 reports"
        return ""

    def _restart(self, out: IO[bytes]) -> None:
        out.seek(0)
        out.truncate()
        self._reached, self._checksums = 0, []


class _Crc32:
    """CRC-32 with the interface of hashlib."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, block: bytes) -> None:
        """Add more bytes."""
        self._value = zlib.crc32(block, self._value)

    def digest(self) -> bytes:
        """Return the checksum so far, as S3 encodes it before base64."""
        return self._value.to_bytes(4, "big")


def _make_checksums(answer: dict[str, Any], etag: str) -> list[tuple[str, Any, bytes]]:
    """Make the checksums that an object can be verified with: (name, running sum, expected digest).

    An etag is the MD5 of the bytes unless it was uploaded in parts or encrypted with a KMS key.
    """
    checksums: list[tuple[str, Any, bytes]] = []
    kms = str(answer.get("ServerSideEncryption", "")).startswith("aws:kms")
    if _MD5.fullmatch(etag) and not kms and "SSECustomerAlgorithm" not in answer:
        checksums.append(("MD5", hashlib.md5(usedforsecurity=False), bytes.fromhex(etag)))
    made: dict[str, Callable[[], Any]] = {
        "SHA256": hashlib.sha256,
        "SHA1": hashlib.sha1,
        "CRC32": _Crc32,
    }
    for name, make in made.items():
        checksum = str(answer.get(f"Checksum{name}", ""))
        if checksum and "-" not in checksum and answer.get("ChecksumType") != "COMPOSITE":
            checksums.append((name, make(), base64.b64decode(checksum)))
    return checksums
