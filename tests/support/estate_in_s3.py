"""The seeded estate in a bucket of the real store: a prefix and a user for each tenant.

Put here: what several test files need of it. Keep out: assertions. `bills` holds
`acme/…`, `acme-evil/…` (a prefix of the same letters) and `globex/…`; each user may list and
read its own prefix only, as `finops source policy` grants it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import TemporaryInstallation
from tests.support.servers import Store

BUCKET = "bills"


def may_read(bucket: str, prefix: str) -> list[dict[str, Any]]:
    """Return the statements that let a user list and read below a prefix."""
    return [
        {
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": [f"arn:aws:s3:::{bucket}"],
            "Condition": {"StringLike": {"s3:prefix": [f"{prefix}/*"]}},
        },
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject"],
            "Resource": [f"arn:aws:s3:::{bucket}/{prefix}/*"],
        },
    ]


@dataclass(frozen=True)
class Bills:
    """The estate in the store: keys per tenant, and its declaration with s3:// locations."""

    store: Store
    keys: dict[str, tuple[str, str]]
    estate: Path

    def declaration(self, path: Path) -> Path:
        """The estate's tenants.yaml, its sources in the bucket and read with a profile."""
        declared = yaml.safe_load((self.estate / "tenants.yaml").read_text())
        for tenant in declared["tenants"]:
            for source in tenant["sources"]:
                source["location"] = f"s3://{BUCKET}/{source['location']}"
                source |= {"profile": tenant["name"], "endpoint_url": self.store.url}
        path.write_text(yaml.safe_dump(declared))
        return path


@pytest.fixture(scope="session")
def bills(store: Store, estate: Path) -> Bills:
    """The estate in the store."""
    keys = {}
    for tenant in ("acme", "globex"):
        store.upload(estate / tenant, f"{BUCKET}/{tenant}")
        keys[tenant] = store.add_user(tenant, may_read(BUCKET, tenant))
    return Bills(store, keys, estate)


@pytest.fixture
def profiles(bills: Bills, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shared credentials file in the environment, with a profile for each tenant."""
    path = tmp_path / "credentials"
    path.write_text(
        "".join(
            f"[{name}]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
            for name, (key, secret) in bills.keys.items()
        )
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    return path


@pytest.fixture
def in_s3(
    bills: Bills, empty: TemporaryInstallation, tmp_path: Path, profiles: Path
) -> TemporaryInstallation:
    """An installation that has the estate in the bucket declared and has ingested nothing."""
    empty.apply(bills.declaration(tmp_path / "tenants.yaml"))
    return empty
