"""Locations of bills and the roles that give access to them: their syntax, and comparing them.

Put here: checking and comparing locations, role ARNs and endpoints. Keep out: accessing them
(sources), comparing tenants (registry.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from finops_pipeline.errors import RegistryError

S3 = "s3://"
_ROLE = re.compile(
    r"arn:(aws|aws-[a-z0-9-]{2,20}):iam::([0-9]{12}):role/([\w+=,.@/-]{1,576})", re.A
)
_KEY = re.compile(r"arn:aws[a-z0-9-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[\w-]{1,64}", re.ASCII)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PROFILE = re.compile(r"[\w .:@/+=,-]{1,128}", re.A)
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}")
_ALIAS = ("-s3alias", "--ol-s3", ".mrap")
"""Endings that AWS reserves for aliases of buckets, which hide the bucket that they refer to."""

_OF_SERVICE = re.compile(
    rf"((bucket\.)?vpce-[a-z0-9-]+\.(s3|ce)\.{_REGION.pattern}\.vpce"
    rf"|(s3|s3-fips|s3-accelerate|ce|ce-fips)(\.dualstack)?(\.{_REGION.pattern})?"
    rf"|s3-{_REGION.pattern})\.(amazonaws\.com(\.cn)?|api\.aws)"
)
"""Hosts of AWS's services. A host that begins with a bucket's name would change the meaning of
`s3://bucket`."""

_LOOPBACK = {"127.0.0.1", "::1", "0.0.0.0"}


def check_role(role_arn: str) -> str:
    """Return a role's ARN if it is valid or empty.

    Raises:
        RegistryError: it is not the ARN of an IAM role.
    """
    if role_arn and not _ROLE.fullmatch(role_arn):
        raise RegistryError(
            f"role_arn {role_arn[:200]!r} is not the ARN of a role",
            "arn:aws:iam::111122223333:role/NAME (or arn:aws-cn:…, arn:aws-us-gov:…)",
            "Copy it from the role's page in IAM",
        )
    return role_arn


def check_key(kms_key: str) -> str:
    """Return a KMS key's ARN if it is valid or empty.

    Raises:
        RegistryError: it is not the ARN of a key.
    """
    if kms_key and not _KEY.fullmatch(kms_key):
        raise RegistryError(
            f"--kms-key {kms_key[:200]!r} is not the ARN of a key",
            "arn:aws:kms:REGION:111122223333:key/ID (an alias cannot be used in a policy)",
        )
    return kms_key


def role_account(role_arn: str) -> str:
    """Return the account of a role as 12 digits; empty if there is no role."""
    match = _ROLE.fullmatch(role_arn)
    return match.group(2) if match else ""


def role_partition(role_arn: str) -> str:
    """Return the AWS partition of a role: aws, aws-cn, …; aws if there is no role."""
    match = _ROLE.fullmatch(role_arn)
    return match.group(1) if match else "aws"


def check_endpoint(endpoint_url: str) -> str:
    """Return the endpoint of an S3-compatible store without a trailing `/`.

    Raises:
        RegistryError: it is not an http(s) URL of a host.
    """
    if not endpoint_url:
        return ""
    try:
        parts = urlsplit(endpoint_url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    extra = parts.path.strip("/") or parts.query or parts.fragment or parts.username
    usable = parts.scheme in {"http", "https"} and host and not extra and port != 0
    if usable and is_amazon(endpoint_url):
        usable = bool(_OF_SERVICE.fullmatch(str(host).rstrip(".")))
    if not usable or not endpoint_url.isprintable() or " " in endpoint_url:
        raise RegistryError(
            f"endpoint_url {endpoint_url[:200]!r} cannot be used",
            "https://host or https://host:port, without a path, credentials or a bucket",
            "Leave it out for AWS itself",
        )
    return endpoint_url.rstrip("/")


def check_field(field: str, text: str) -> str:
    """Return the name of a profile or region if it is well formed or empty.

    Raises:
        RegistryError: it is not.
    """
    pattern, expected = (
        (_REGION, "the name of a region, such as us-east-1")
        if field == "region"
        else (_PROFILE, "the name of a profile in ~/.aws/config")
    )
    if text and not pattern.fullmatch(text):
        raise RegistryError(f"{field} {text[:200]!r} cannot be used", expected)
    return text


def is_s3(location: str) -> bool:
    """Check whether a location is in S3 or in an S3-compatible store."""
    return location.startswith(S3)


def bucket_and_prefix(location: str) -> tuple[str, str]:
    """Split `s3://bucket/prefix` into bucket and prefix, without a trailing `/`.

    An empty segment is kept: AWS writes `s3://bucket//report` for reports without a prefix.

    Raises:
        RegistryError: the bucket's name or the prefix is not well formed.
    """
    bucket, _, prefix = location.removeprefix(S3).partition("/")
    if not is_s3(location) or not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise RegistryError(
            f"location {location[:200]!r} does not name a bucket",
            "s3://bucket/prefix of the report",
            "Copy the S3 URI of the report's folder from the S3 console",
        )
    if bucket.endswith(_ALIAS):
        raise RegistryError(
            f"location {location[:200]!r} names an access point, which hides the bucket behind it",
            "s3://bucket/prefix with the bucket's own name",
        )
    prefix = prefix.rstrip("/")
    dots = {".", ".."} & set(prefix.split("/"))
    if dots or not prefix.isprintable() or len(prefix.encode()) > 900:
        raise RegistryError(
            f"location {location[:200]!r} has a prefix that cannot be used",
            "a path of at most 900 bytes, without '.', '..' or control characters",
        )
    return bucket, prefix


def check_location(location: str) -> str:
    """Return a location without a trailing `/`; the syntax of one in S3 is checked.

    Raises:
        RegistryError: a location in S3 that is not well formed.
    """
    if not is_s3(location):
        return location
    bucket, prefix = bucket_and_prefix(location)
    return f"{S3}{bucket}/{prefix}".rstrip("/")


@dataclass(frozen=True)
class Place:
    """A location in canonical form: the store (empty: this machine) and path segments."""

    store: str
    segments: tuple[str, ...]

    def overlaps(self, other: Place) -> bool:
        """Check whether both are the same or one of them contains the other."""
        length = min(len(self.segments), len(other.segments))
        same = self.segments[:length] == other.segments[:length]
        return self.store == other.store and same

    def containers(self) -> Iterator[Place]:
        """Yield every place that contains this one, from the entire store to the place itself."""
        for length in range(len(self.segments) + 1):
            yield Place(self.store, self.segments[:length])


def place_of(location: str, endpoint_url: str = "") -> Place:
    """Make the place of a location; links on this machine are resolved (`file:///a/../b` is `/b`).

    `s3://b/acme` and `s3://b/acme-evil` do not overlap: segments are compared, not characters.
    """
    if is_s3(location):
        bucket, prefix = bucket_and_prefix(location)
        return Place(_store(endpoint_url), (bucket, *filter(None, prefix.split("/"))))
    if "://" in location and not location.startswith("file://"):
        store, _, path = location.partition("://")
        return Place(store, tuple(filter(None, path.split("/"))))
    return Place("", Path(location.removeprefix("file://")).resolve().parts)


def account_place(what: str, endpoint_url: str, role_arn: str, profile: str) -> Place:
    """Make the place of what an account's own APIs tell: the entire account of the credentials.

    Args:
        what: what they tell, such as `cost explorer` or `inventory`.
    """
    account = role_account(role_arn)
    owner = ("role", account) if account else ("profile", profile or "default")
    return Place(f"{what} of {_store(endpoint_url)}", owner)


def _store(endpoint_url: str) -> str:
    """Return the canonical name of a store.

    All endpoints of AWS give access to the same buckets; so do http and https of the same host, and
    all names of this machine.
    """
    parts = urlsplit(endpoint_url)
    host = (parts.hostname or "").rstrip(".")
    if not host or is_amazon(endpoint_url):
        return "s3"
    host = "localhost" if host in _LOOPBACK else host
    return f"s3 {host}" if parts.port in {None, 80, 443} else f"s3 {host}:{parts.port}"


def is_amazon(endpoint_url: str) -> bool:
    """Check whether an endpoint belongs to AWS, in any region, including VPC endpoints."""
    host = (urlsplit(endpoint_url).hostname or "").rstrip(".")
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))
