"""Objects in an S3 store: uploaded in parts, many in a folder, with any text as their key.

Put here: etags that are no MD5, checksums, listings of several pages, names chosen by outsiders,
what a location caches and what it requests again. Keep out: bills (test_s3.py).
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient

from finops_pipeline.errors import AccessRefused, DeliveryMoving, FileProblem, Unreachable
from finops_pipeline.sources.credentials import Access
from finops_pipeline.sources.location import ExportFile
from finops_pipeline.sources.s3 import S3Location
from tests.support.servers import Store

MIB = 1 << 20


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


@pytest.fixture
def bucket(moto: Store, request: Any) -> str:
    name = request.node.name.replace("_", "-").split("[")[0][:60].rstrip("-")
    moto.client().create_bucket(Bucket=name)
    return str(name)


def at(moto: Store, bucket: str, prefix: str = "cur") -> S3Location:
    return S3Location(Access("acme/payer", endpoint_url=moto.url), f"s3://{bucket}/{prefix}")


def described(location: S3Location, name: str) -> ExportFile:
    file = location.find_file(name)
    assert file is not None
    return file


def test_an_object_uploaded_in_parts_is_downloaded_completely(
    moto: Store, bucket: str, tmp_path: Path
) -> None:
    client, target = moto.client(), {"Bucket": bucket, "Key": "cur/big.csv.gz"}
    bytes_ = bytes(range(256)) * (11 * MIB // 256)
    upload = client.create_multipart_upload(**target)["UploadId"]
    parts = []
    for number, begin in enumerate(range(0, len(bytes_), 5 * MIB), start=1):
        body = bytes_[begin : begin + 5 * MIB]
        etag = client.upload_part(**target, UploadId=upload, PartNumber=number, Body=body)["ETag"]
        parts.append({"ETag": etag, "PartNumber": number})
    client.complete_multipart_upload(**target, UploadId=upload, MultipartUpload={"Parts": parts})
    location = at(moto, bucket)
    file = described(location, "big.csv.gz")
    assert file.fingerprint.endswith("-3") and file.size_bytes == len(bytes_)
    (path,) = location.fetch_all([file], tmp_path / "scratch")
    assert path == tmp_path / "scratch/00000.csv.gz"
    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(bytes_).digest()


@pytest.mark.parametrize(
    ("page", "count"), [(10, 33), pytest.param(1000, 1003, marks=pytest.mark.torture)]
)
def test_every_file_of_a_large_folder_is_listed(
    moto: Store, bucket: str, monkeypatch: pytest.MonkeyPatch, page: int, count: int
) -> None:
    """The store lists a page at a time: 1000 objects, if it is not asked for fewer."""
    call, pages = BaseClient._make_api_call, []

    def paged(self: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        pages.append(operation)
        return call(self, operation, {**parameters, "MaxKeys": page})

    client = moto.client()
    for number in range(count):
        client.put_object(Bucket=bucket, Key=f"cur/m/f-{number:04d}.csv", Body=b"")
    for number in range(3):
        client.put_object(Bucket=bucket, Key=f"cur/m/sub-{number}/x", Body=b"")
    location = at(moto, bucket)
    monkeypatch.setattr(BaseClient, "_make_api_call", paged)
    assert location.files("m") == [f"f-{n:04d}.csv" for n in range(count)]
    assert location.folders("m") == ["sub-0", "sub-1", "sub-2"]
    assert len(pages) >= -(-(count + 3) // page) and {*pages} == {"ListObjectsV2"}


def test_keys_of_any_text_lead_nowhere(moto: Store, bucket: str, tmp_path: Path) -> None:
    client = moto.client()
    odd = ["cur/\x7f.csv", "cur/", "cur"]
    good = ["caf\u00e9 +&=%.csv", "*.csv", "~", "a" * 200 + ".parquet", "x;rm -rf.csv"]
    for key in (*odd, *(f"cur/{name}" for name in good)):
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    client.put_object(Bucket=bucket, Key="up.csv", Body=b"of another")
    location = at(moto, bucket)
    assert location.files() == sorted(good)
    assert location.folders() == []
    files = [described(location, name) for name in good]
    paths = location.fetch_all(files, tmp_path / "scratch")
    assert [path.read_bytes().decode() for path in paths] == [f"cur/{name}" for name in good]
    assert {path.parent for path in paths} == {tmp_path / "scratch"}
    assert [path.name for path in paths] == [
        *("00000.csv", "00001.csv", "00002", "00003.parquet", "00004.csv")
    ]
    for name in ("../up.csv", "/up.csv", "a/../../up.csv", ""):
        with pytest.raises(FileProblem, match="points outside"):
            location.find_file(name)


def test_a_report_without_a_prefix_begins_with_an_empty_segment(moto: Store, bucket: str) -> None:
    moto.client().put_object(Bucket=bucket, Key="/cur/20261001-20261101/x.csv", Body=b"x")
    assert at(moto, bucket, "/cur").folders() == ["20261001-20261101"]
    assert at(moto, bucket, "").folders() == []


def test_only_the_listed_object_is_taken(moto: Store, bucket: str, tmp_path: Path) -> None:
    client = moto.client()
    client.put_object(Bucket=bucket, Key="cur/a.csv", Body=b"one")
    location = at(moto, bucket)
    before = described(location, "a.csv")
    client.put_object(Bucket=bucket, Key="cur/a.csv", Body=b"two")
    with pytest.raises(DeliveryMoving, match="changed while it was read"):
        location.fetch_all([before], tmp_path / "1")
    with pytest.raises(DeliveryMoving):
        location.read("a.csv")
    assert described(location, "a.csv") == before  # cached ...
    assert described(location.reopen(), "a.csv") != before  # ... and requested again
    assert location.reopen().read("a.csv") == b"two"
    client.delete_object(Bucket=bucket, Key="cur/a.csv")
    with pytest.raises(DeliveryMoving):
        location.reopen().read("a.csv")


def test_a_size_other_than_listed_is_another_object(
    moto: Store, bucket: str, tmp_path: Path
) -> None:
    moto.client().put_object(Bucket=bucket, Key="cur/a.csv", Body=b"one")
    location = at(moto, bucket)
    file = described(location, "a.csv")
    shorter = ExportFile(file.name, 2, file.fingerprint)
    with pytest.raises(DeliveryMoving):
        location.fetch_all([shorter], tmp_path / "1")


def test_a_file_that_fails_ends_the_other_downloads(
    moto: Store, bucket: str, tmp_path: Path
) -> None:
    client = moto.client()
    for number in range(20):
        client.put_object(Bucket=bucket, Key=f"cur/{number:02d}.csv", Body=b"x")
    location = at(moto, bucket)
    files = [described(location, name) for name in location.files()]
    client.delete_object(Bucket=bucket, Key="cur/00.csv")
    before = threading.active_count()
    with pytest.raises(DeliveryMoving, match=r"00\.csv"):
        location.fetch_all(files, tmp_path / "1")
    assert threading.active_count() == before


def test_a_missing_bucket_and_an_unreachable_store_are_reported(
    moto: Store, tmp_path: Path
) -> None:
    with pytest.raises(AccessRefused, match="NoSuchBucket"):
        at(moto, "no-such-bucket").folders()
    nobody = S3Location(Access("acme/payer", endpoint_url="http://127.0.0.1:9"), "s3://bucket/x")
    with pytest.raises(Unreachable, match="Could not connect"):
        nobody.folders()
