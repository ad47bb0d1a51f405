"""Bills in buckets of a real S3-compatible store: read completely, and only by their own tenant.

Put here: totals of the estate through s3://, prefixes of other tenants, wrong keys and buckets,
requests sent when nothing has changed, deliveries that change while they are read, room on the
disk. Keep out: single objects and their keys (test_s3_objects.py).
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from finops_pipeline import clock
from finops_pipeline.application.ingest import ingest
from finops_pipeline.application.plan import RunScope
from finops_pipeline.application.progress import Months, Report
from finops_pipeline.lake import files
from finops_pipeline.sources import data_exports
from finops_pipeline.sources.s3_bucket import Bucket, Download
from tests.conftest import TemporaryInstallation
from tests.support.estate_in_s3 import Bills, bills, in_s3, may_read, profiles
from tests.support.servers import Store
from tests.test_truth import months_of

__all__ = ["bills", "in_s3", "profiles"]

Requests = list[tuple[str, str]]


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Requests:
    """Every request that is sent to a bucket: (operation, key or prefix)."""
    sent: Requests = []
    send = Bucket._send

    def counted(self: Bucket, used: Any, operation: str, parameters: dict[str, Any]) -> Any:
        sent.append((operation, str(parameters.get("Key") or parameters.get("Prefix"))))
        return send(self, used, operation, parameters)

    monkeypatch.setattr(Bucket, "_send", counted)
    return sent


def statuses_by_month(made: TemporaryInstallation, tenant: str) -> dict[tuple[str, str], Any]:
    return {(s.source, s.billing_period): s for s in made.installation.status(tenant)}


def refusals(report: Any) -> list[str]:
    return [step.reason for step in report.failed]


def test_the_estate_comes_in_from_buckets_exactly_and_once(
    in_s3: TemporaryInstallation, truth: dict[str, Any], requests: Requests
) -> None:
    for tenant in ("acme", "globex"):
        assert not in_s3.ingest(tenant).failed
    month_count = 0
    for tenant, source, month, true in months_of(truth):
        status = statuses_by_month(in_s3, tenant)[source, month]
        assert status.state == "reconciled"
        assert status.rows_kept == true["rows"]
        assert status.billed_cost == Decimal(true["billed_cost"])
        assert status.effective_cost == Decimal(true["effective_cost"])
        month_count += 1
    assert month_count > 8
    # Each file was downloaded once, and no copy remains after it was read.
    keys = [key for operation, key in requests if operation == "get_object"]
    bills_read = [key for key in keys if not key.endswith("Manifest.json")]
    assert len(bills_read) == len(set(bills_read)) > month_count
    assert not any((in_s3.folder("acme") / ".staging").iterdir())

    requests.clear()
    report = in_s3.ingest("acme")
    assert {step.outcome for step in report.steps} == {"unchanged"}
    assert [k for op, k in requests if op == "get_object" and not k.endswith("Manifest.json")] == []
    acme_months = sum(tenant == "acme" for tenant, *_ in months_of(truth))
    assert len(requests) <= 6 * acme_months


def test_no_tenant_reads_anothers_prefix(
    in_s3: TemporaryInstallation, bills: Bills, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    swapped = dict(zip(bills.keys, reversed(bills.keys.values()), strict=True))
    lines = [f"[{name}]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
             for name, (key, secret) in swapped.items()]  # fmt: skip
    (tmp_path / "swapped").write_text("".join(lines))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "swapped"))
    done = in_s3.finops("ingest", "acme", ok=False)
    assert "acme/payer could not list s3://bills/acme/payer" in done.stderr
    assert "AccessDenied" in done.stderr
    assert "Grant the permissions that finops source policy acme/payer prints" in done.stderr
    assert not in_s3.installation.status("acme")


def test_an_unreachable_source_is_reported_with_its_cure(
    in_s3: TemporaryInstallation, bills: Bills, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = in_s3.installation.registry.tenant("acme")
    payer = before.source("payer")

    def ingest_with(**fields: str) -> Report:
        changed = payer.model_copy(update=fields)
        other_sources = tuple(s for s in before.sources if s.name != "payer")
        in_s3.installation.registry.save(
            before.model_copy(update={"sources": (*other_sources, changed)})
        )
        tenant = in_s3.installation.registry.tenant("acme")
        return ingest(in_s3.installation, tenant, RunScope(months=Months("2026-10", "2026-10")))

    def refuse_with(**fields: str) -> str:
        return next(r for r in refusals(ingest_with(**fields)) if "acme/payer" in r)

    bills.store.add_user(
        "wide", [{"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}]
    )
    more = "\n[wide]\naws_access_key_id = wide\naws_secret_access_key = wide-secret-of-its-own\n"
    more += "[typo]\naws_access_key_id = acme\naws_secret_access_key = not-the-secret\n"
    more += "[nobody]\naws_access_key_id = nobody\naws_secret_access_key = not-the-secret\n"
    path = tmp_path / "credentials"
    path.write_text(path.read_text() + more)

    reason = refuse_with(location="s3://bills-that-are-not/acme", profile="wide")
    assert "NoSuchBucket" in reason and "finops source add acme/" in reason
    reason = refuse_with(profile="typo")
    assert "SignatureDoesNotMatch" in reason and "Correct the access key" in reason
    reason = refuse_with(profile="nobody")
    assert "InvalidAccessKeyId" in reason and "Correct the access key" in reason
    reason = refuse_with(profile="unwritten")
    assert "(unwritten) could not be found" in reason and "Add it to ~/.aws/config" in reason
    reason = refuse_with(profile="")
    assert "Unable to locate credentials" in reason and "AWS_ACCESS_KEY_ID" in reason
    reason = refuse_with(endpoint_url="http://127.0.0.1:9", profile="acme")
    assert "Could not connect" in reason and "endpoint_url" in reason

    # boto3's default chain finds credentials in the environment.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", bills.keys["acme"][0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", bills.keys["acme"][1])
    assert not ingest_with(profile="").failed


# --- one month that a test may change


class Month:
    """One month of acme's payer, in a bucket of its own."""

    def __init__(self, store: Store, estate: Path, folder: Path, bucket: str) -> None:
        self.store, self.bucket = store, bucket
        shutil.copytree(estate / "acme/payer/finops/cur-hourly/20261001-20261101",
                        folder / "20261001-20261101")  # fmt: skip
        self.folder = folder / "20261001-20261101"
        manifest = self.folder / "cur-hourly-Manifest.json"
        self.facts = json.loads(manifest.read_text())
        self.files = sorted(self.folder.rglob("*.csv.gz"))
        store.upload(folder, f"{bucket}/cur")

    def key(self, path: Path) -> str:
        return f"cur/{path.relative_to(self.folder.parent).as_posix()}"

    def put(self, path: Path, body: bytes | None = None) -> None:
        self.store.client().put_object(
            Bucket=self.bucket, Key=self.key(path), Body=path.read_bytes() if body is None else body
        )

    @property
    def manifest(self) -> Path:
        return self.folder / "cur-hourly-Manifest.json"


@pytest.fixture
def month(
    store: Store, estate: Path, empty: TemporaryInstallation, tmp_path: Path, request: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Month:  # fmt: skip
    """A month in a bucket that `empty` reads as acme/payer with boto3's default credentials."""
    bucket = "m-" + request.node.name.replace("_", "-").replace("[", "-").replace("]", "")[-50:]
    made = Month(store, estate, tmp_path / "month", bucket.lower())
    source = {"name": "payer", "format": "legacy-cur", "location": f"s3://{made.bucket}/cur",
              "endpoint_url": store.url}  # fmt: skip
    declared = {"tenants": [{"name": "acme", "sources": [source]}]}
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(declared))
    empty.apply(tmp_path / "t.yaml")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", store.keys[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", store.keys[1])
    return made


def during_download(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Do something once, while the last file of a delivery is downloaded."""
    save_to, done = Download.save_to, []

    def download_then_act(self: Download, target: Path) -> None:
        save_to(self, target)
        if not done:
            done.append(True)
            act()

    monkeypatch.setattr(Download, "save_to", download_then_act)


def test_a_manifest_that_changes_during_the_download_publishes_nothing(
    month: Month, empty: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = json.dumps({**month.facts, "assemblyId": "later"}).encode()
    during_download(monkeypatch, lambda: month.put(month.manifest, later))
    report = empty.ingest("acme")
    assert "cur-hourly-Manifest.json changed while it was read" in refusals(report)[0]
    assert not any((empty.folder("acme") / "landing").rglob("*.parquet"))
    assert not empty.ingest("acme").failed
    assert any((empty.folder("acme") / "landing").rglob("*.parquet"))


def test_a_file_that_changes_during_the_download_publishes_nothing(
    month: Month, empty: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = gzip.decompress(month.files[-1].read_bytes())
    during_download(monkeypatch, lambda: month.put(month.files[-1], gzip.compress(text, 1)))
    assert "changed while it was read" in refusals(empty.ingest("acme"))[0]
    assert not any((empty.folder("acme") / "landing").rglob("*.parquet"))


def test_files_newer_than_the_manifest_are_a_delivery_still_arriving(
    month: Month, empty: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The store has its own clock, which is not shifted.
    monkeypatch.setattr(clock, "now", clock.real_now)  # type: ignore[attr-defined]
    clock.pause(1.1)  # the store gives times to the second
    month.put(month.files[0])
    reason = refusals(empty.ingest("acme"))[0]
    assert "is older" in reason and "run again when its manifest exists" in reason
    month.put(month.manifest)
    assert not empty.ingest("acme").failed
    clock.pause(1.1)
    month.put(month.files[0])  # as if copied manually, long ago
    monkeypatch.setattr(data_exports, "ARRIVAL_WAIT", data_exports.ARRIVAL_WAIT * -1)
    assert not empty.ingest("acme").failed


def test_a_missing_file_is_named(month: Month, empty: TemporaryInstallation) -> None:
    key = month.key(month.files[0])
    month.store.client().delete_object(Bucket=month.bucket, Key=key)
    reason = refusals(empty.ingest("acme"))[0]
    assert f"s3://{month.bucket}/{key}".rsplit("/", 1)[-1] in reason and "is not there" in reason


def test_a_disk_that_is_too_small_is_reported_before_any_download(
    month: Month, empty: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch, requests: Requests
) -> None:
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda path: usage)
    reason = refusals(empty.ingest("acme"))[0]
    assert "needs about" in reason and "1000 free" in reason
    read = [key for operation, key in requests if operation == "get_object"]
    assert read and all(key.endswith("Manifest.json") for key in read)


def test_names_of_a_manifest_lead_nowhere(month: Month, empty: TemporaryInstallation) -> None:
    month.store.client().put_object(Bucket=month.bucket, Key="secret.csv.gz", Body=b"x")
    for key in ("../secret.csv.gz", "/../secret.csv.gz", "cur/../secret.csv.gz", "a\x00b.csv.gz"):
        month.put(month.manifest, json.dumps({**month.facts, "reportKeys": [key]}).encode())
        reason = refusals(empty.ingest("acme"))[0]
        assert "points outside the report" in reason or "printable characters" in reason, reason
        assert not any((empty.folder("acme") / "landing").rglob("*.parquet"))


def test_keys_that_are_no_names_are_passed_over(month: Month, empty: TemporaryInstallation) -> None:
    client = month.store.client()
    for key in ("cur/20261001-20261101/caf\u00e9 +&.txt", "cur/notes/x.txt", "cur/x"):
        client.put_object(Bucket=month.bucket, Key=key, Body=b"x")
    assert not empty.ingest("acme").failed


def test_a_user_of_a_prefix_cannot_read_a_longer_prefix_that_begins_alike(
    month: Month, empty: TemporaryInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = month.store.add_user("curly", may_read(month.bucket, "cu"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys[1])
    assert "AccessDenied" in refusals(empty.ingest("acme"))[0]
    month.store.add_user("curly", may_read(month.bucket, "cur"))
    assert not empty.ingest("acme").failed
