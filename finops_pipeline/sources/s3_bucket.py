"""One bucket through one access: requests whose credentials are renewed, objects downloaded whole.

Put here: asking S3, and getting an object's bytes complete, unmixed and checked in spite of a
bad line. Keep out: names of an export (s3.py), whose credentials (credentials.py).

A download is one stream; when it breaks it goes on from the byte reached, pinned to the same
version of the object. The complete object is checked against every checksum that S3
reports. botocore verifies only an object that comes in one answer, and no MD5: a resumed download
needs running sums of its own.
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
from finops_pipeline.errors import DeliveryMoving, DiskFull, FileProblem, Unreachable
from finops_pipeline.sources.aws import client
from finops_pipeline.sources.credentials import EXPIRED, Access, calling, code_of
from finops_pipeline.sources.location import ExportFile

CHUNK = 1 << 20
ATTEMPTS = 6
"""How often in a row a stream may break without WINDOW_BYTES of progress."""

WINDOW_SECONDS, WINDOW_BYTES = 30, 1 << 16
"""A stream that brings fewer bytes in such a time is given up and asked for anew."""

_GONE = {"PreconditionFailed", "412", "NoSuchKey", "NoSuchVersion", "404", "InvalidRange", "416"}
_MD5 = re.compile(r"[0-9a-f]{32}")
_Answer = TypeVar("_Answer")


class Broken(Exception):
    """A stream that ended or dried up before its time; never leaves this room."""


class Bucket:
    """A bucket as one source may use it. Nothing is asked before the first request."""

    def __init__(self, access: Access, name: str) -> None:
        self.access = access
        self.name = name
        self._client: Any = None
        self._lock = threading.Lock()

    def ask(self, operation: str, doing: str, **options: Any) -> dict[str, Any]:
        """Send one request such as `get_object`; credentials that have expired are renewed.

        Raises:
            AccessRefused: denied, no such bucket, or no usable credentials.
            DeliveryMoving: the object is gone or another one than `IfMatch` asks for.
            Unreachable: S3 did not answer well, also after retries.
        """
        return self._with_valid_credentials(
            doing, lambda client: self._send(client, operation, options)
        )

    def list_pages(self, prefix: str) -> list[dict[str, Any]]:
        """Return every page of the listing of what is directly below a prefix.

        Raises:
            AccessRefused: see ask.
            Unreachable: see ask; also pages that never end.
        """

        def list_all(client: Any) -> list[dict[str, Any]]:
            paginator = client.get_paginator("list_objects_v2")
            return list(paginator.paginate(Bucket=self.name, Prefix=prefix, Delimiter="/"))

        return self._with_valid_credentials(f"list s3://{self.name}/{prefix}", list_all)

    def _with_valid_credentials(self, doing: str, send: Callable[[Any], _Answer]) -> _Answer:
        """Send with the client; once more with a new one when its credentials have expired."""
        with calling(self.access, doing):
            used = self._usable(None)
            try:
                return send(used)
            except ClientError as error:
                if code_of(error) not in EXPIRED:
                    raise
            return send(self._usable(used))

    def _send(self, used: Any, operation: str, options: dict[str, Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(used, operation)(Bucket=self.name, **options)
        except ClientError as error:
            if "IfMatch" in options and code_of(error) in _GONE:
                raise moving(f"s3://{self.name}/{options['Key']}") from error
            raise
        return answer

    def _usable(self, expired: Any) -> Any:
        """The client; a new one, with a new session, when the last one's credentials ran out."""
        with self._lock:
            if self._client is None or self._client is expired:
                self._client = client(self.access, "s3")
            return self._client


def moving(name: str) -> DeliveryMoving:
    """The error for a file that is not the one that was listed."""
    return DeliveryMoving(
        f"{name} changed while it was read",
        "files that stay as the manifest describes them",
        "Run again when the delivery has finished",
    )


class Download:
    """One object on its way into a file.

    Args:
        file: as it was listed: its size, and its etag as the mark.
        stop: set by others when nobody needs this file any more.
    """

    def __init__(self, bucket: Bucket, key: str, file: ExportFile, stop: threading.Event) -> None:
        self._bucket, self._key, self._stop = bucket, key, stop
        self._size, self._mark = file.size_bytes, file.mark
        self._what = f"s3://{bucket.name}/{key}"
        self._sums: list[tuple[str, Any, bytes]] = []
        self._reached = 0

    def into(self, target: Path) -> None:
        """Bring the object into `target`, whole and checked.

        Raises:
            DeliveryMoving: it is another object by now.
            FileProblem: its bytes are not those that S3 promises, however often they are read.
            Unreachable: the stream broke too often; AccessRefused: S3 said no.
            DiskFull: no room for it.
        """
        try:
            with target.open("wb", buffering=0) as out:
                self.bring(out)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise DiskFull(
                    f"{self._what} ({self._size} bytes) does not fit on the disk of {target.parent}"
                    f" ({self._reached} bytes did)",
                    "room for the delivery",
                    "Make room on the disk of FINOPS_DATA and run again",
                ) from error
            raise

    def bring(self, out: IO[bytes]) -> None:
        """Write the object to `out`, whole and checked; errors as in `into`.

        Raises:
            FileProblem: see into.
            Unreachable: see into.
        """
        failures, wrong, firm = 0, 0, 0
        while not self._stop.is_set():
            reason = ""
            try:
                self._pour(out)
                reason = self._find_mismatch()
                if not reason:
                    return
                wrong += 1
                self._restart(out)
            except Broken as error:
                reason = str(error)
            if self._reached - firm >= WINDOW_BYTES:
                failures, firm = 0, self._reached
            failures += 1
            if wrong >= ATTEMPTS // 2:
                raise FileProblem(
                    f"{self._what}: {reason}, {wrong} times",
                    "the bytes that were uploaded",
                    "Copy or export the file again; the previous delivery stays published",
                )
            if failures >= ATTEMPTS:
                raise Unreachable(
                    f"{self._bucket.access.source} could not read {self._what}: {reason}"
                    f" ({self._reached} of {self._size} bytes, {failures} attempts)",
                    "a stream that reaches its end",
                    "Check the network; run again later",
                )
            clock.pause(min(0.2 * 2**failures, 5) * random.uniform(0.5, 1))

    def _pour(self, out: IO[bytes]) -> None:
        """Write what comes from the byte reached on; Broken when it stops before the end."""
        begin = self._reached
        options = {"Range": f"bytes={begin}-"} if begin else {"ChecksumMode": "ENABLED"}
        pinned = {"Key": self._key, "IfMatch": f'"{self._mark}"', **options}
        answer = self._bucket.ask("get_object", f"read {self._what}", **pinned)
        self._check_version(answer, begin)
        body = answer["Body"]
        try:
            if begin and not str(answer.get("ContentRange", "")).startswith(f"bytes {begin}-"):
                self._restart(out)  # a store that does not know ranges sends it whole
            if not self._reached:
                self._sums = _sums(answer, self._mark)
            # read1 gives what has come; read would wait for a whole chunk of a trickle.
            self._copy(body._raw_stream, out)
        except (HTTPError, ConnectionError, TimeoutError) as error:
            raise Broken(f"the stream broke ({type(error).__name__})") from error
        finally:
            body.close()

    def _copy(self, stream: Any, out: IO[bytes]) -> None:
        since, before = clock.stopwatch(), self._reached
        while not self._stop.is_set() and self._reached < self._size:
            block = stream.read1(min(CHUNK, self._size - self._reached))
            if not block:
                raise Broken("the stream ended early")
            left = memoryview(block)
            while left:  # a disk that runs full takes a part before it says so
                left = left[out.write(left) :]
            self._reached += len(block)
            for _, running, _ in self._sums:
                running.update(block)
            if clock.stopwatch() - since > WINDOW_SECONDS:
                if self._reached - before < WINDOW_BYTES:
                    raise Broken(f"{self._reached - before} bytes came in {WINDOW_SECONDS} seconds")
                since, before = clock.stopwatch(), self._reached

    def _check_version(self, answer: dict[str, Any], begin: int) -> None:
        """Not every store heeds IfMatch; the answer must say that it is the object listed."""
        etag = str(answer.get("ETag", "")).strip('"')
        other_size = not begin and answer.get("ContentLength", self._size) != self._size
        if etag != self._mark or other_size:
            answer["Body"].close()
            raise moving(self._what)

    def _find_mismatch(self) -> str:
        for name, running, expected in self._sums:
            if running.digest() != expected:
                return f"the bytes do not match the {name} that S3 reports"
        return ""

    def _restart(self, out: IO[bytes]) -> None:
        out.seek(0)
        out.truncate()
        self._reached, self._sums = 0, []


class _Crc32:
    """CRC-32 with the face of hashlib."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, block: bytes) -> None:
        """Take more bytes."""
        self._value = zlib.crc32(block, self._value)

    def digest(self) -> bytes:
        """The sum so far, as S3 spells it before base64."""
        return self._value.to_bytes(4, "big")


def _sums(answer: dict[str, Any], mark: str) -> list[tuple[str, Any, bytes]]:
    """What can be checked of an object: (name, running sum, what it must come to).

    An etag is the MD5 of the bytes unless it was uploaded in parts or encrypted with a KMS key.
    """
    sums: list[tuple[str, Any, bytes]] = []
    kms = str(answer.get("ServerSideEncryption", "")).startswith("aws:kms")
    if _MD5.fullmatch(mark) and not kms and "SSECustomerAlgorithm" not in answer:
        sums.append(("MD5", hashlib.md5(usedforsecurity=False), bytes.fromhex(mark)))
    made: dict[str, Callable[[], Any]] = {
        "SHA256": hashlib.sha256,
        "SHA1": hashlib.sha1,
        "CRC32": _Crc32,
    }
    for name, make in made.items():
        checksum = str(answer.get(f"Checksum{name}", ""))
        if checksum and "-" not in checksum and answer.get("ChecksumType") != "COMPOSITE":
            sums.append((name, make(), base64.b64decode(checksum)))
    return sums
