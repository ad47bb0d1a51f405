"""Real servers on 127.0.0.1: an S3-compatible store with users and policies, and moto's AWS.

Put here: starting and ending them, and uploading exports to their buckets. Keep out: what a
test expects of them. The store is JuiceFS's gateway: it checks keys, users' policies and
prefixes. moto checks no keys, but has STS, versions and multi-part uploads.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from minio import MinioAdmin
from minio.credentials import StaticProvider

ADMIN = ("adminadmin", "adminadmin123")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a server answers."""
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer: {log.read_text()}")


@dataclass
class Store:
    """A server with buckets; `keys` are its administrator's."""

    url: str
    keys: tuple[str, str]

    def client(self, service: str = "s3", keys: tuple[str, str] | None = None) -> Any:
        """A boto3 client of the administrator, or of a user."""
        access, secret = keys or self.keys
        return boto3.Session(access, secret, region_name="us-east-1").client(
            service,
            endpoint_url=self.url,
            config=Config(
                request_checksum_calculation="when_required",
                retries={"total_max_attempts": 1},
                **({"s3": {"addressing_style": "path"}} if service == "s3" else {}),
            ),
        )

    def upload(self, folder: Path, place: str) -> None:
        """Copy a folder's files below `bucket/prefix`, manifests last, as AWS delivers."""
        bucket, _, prefix = place.partition("/")
        client = self.client()
        if bucket not in [b["Name"] for b in client.list_buckets()["Buckets"]]:
            client.create_bucket(Bucket=bucket)
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        for path in sorted(paths, key=lambda p: p.name.lower().endswith("manifest.json")):
            key = "/".join(filter(None, (prefix, path.relative_to(folder).as_posix())))
            client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())

    def add_user(self, name: str, statements: list[dict[str, Any]]) -> tuple[str, str]:
        """A user of the store with a policy; returns its keys."""
        keys = (name, f"{name}-secret-of-its-own")
        admin = MinioAdmin(
            endpoint=self.url.removeprefix("http://"),
            credentials=StaticProvider(*self.keys),
            secure=False,
        )
        admin.user_add(*keys)
        admin.policy_add(name, policy={"Version": "2012-10-17", "Statement": statements})
        admin.policy_set(name, user=name)
        return keys


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """JuiceFS's gateway: an S3-compatible store that checks keys and permissions."""
    folder = tmp_path_factory.mktemp("store")
    juicefs = str(Path(sys.executable).with_name("juicefs"))
    meta = f"sqlite3://{folder}/meta.db"
    format_options = ["--storage", "file", "--bucket", f"{folder}/data/", "--trash-days", "0"]
    subprocess.run(
        [juicefs, "format", *format_options, "--no-update", meta, "finops"],
        check=True,
        capture_output=True,
    )
    address = f"127.0.0.1:{free_port()}"
    gateway_options = ["--multi-buckets", "--keep-etag", "--no-usage-report", "--cache-size", "0"]
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [juicefs, "gateway", *gateway_options, "--no-banner", meta, address],
            stdout=out,
            stderr=out,
            env={
                "MINIO_ROOT_USER": ADMIN[0],
                "MINIO_ROOT_PASSWORD": ADMIN[1],
                "HOME": str(folder),
            },
        )
    try:
        wait_for(f"http://{address}/minio/health/live", process, log)
        yield Store(f"http://{address}", ADMIN)
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """moto's AWS, in which a role's trust policy requires its external id."""
    port = free_port()
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.moto_server", str(port)],
            stdout=out,
            stderr=out,
            cwd=Path(__file__).parents[2],
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/moto-api/data.json", process, log)
        yield Store(f"http://127.0.0.1:{port}", ("testing", "testing"))
    finally:
        process.terminate()
        process.wait(timeout=30)


def trusting_role(moto: Store, account: str, name: str, trust: dict[str, Any]) -> str:
    """A role in an account of moto's AWS; returns its ARN."""
    iam = moto.client("iam")

    def in_account(params: dict[str, Any], **_: Any) -> None:
        params["headers"]["x-moto-account-id"] = account

    iam.meta.events.register("before-call.iam", in_account)
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    return str(made["Role"]["Arn"])
