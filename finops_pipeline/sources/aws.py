"""The one door to AWS: a client of its own for every source.

Put here: sessions per source, assuming a tenant's role, retries and time limits. Keep out: what
errors mean (credentials.py), what is requested (s3.py, cost_explorer_api.py).

Nothing is shared between sources but AWS's descriptions of its services: each client has a
session of its own, and temporary credentials live in it alone.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

import boto3
import botocore.loaders
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import NoCredentialsError

from finops_pipeline.sources.credentials import Access, access_of, calling
from finops_pipeline.tenants.places import is_amazon, role_partition

__all__ = ["Access", "access_of", "assume", "caller", "calling", "client", "sts_client"]

SESSION_SECONDS = 3600
"""How long assumed credentials hold; they are renewed before, also in the middle of a download."""

ATTEMPTS, CONNECT_SECONDS, READ_SECONDS = 5, 10.0, 20.0
"""How often a request is sent, and how long each waits for a line and for the next bytes."""

DEFAULT_REGIONS = {"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
DEFAULT_REGION = "us-east-1"


def client(access: Access, service: str) -> Any:
    """A boto3 client of a service, in a session of its own.

    A role is assumed here, once, and again by the session before its credentials expire.

    Raises:
        AccessRefused: no such profile, no credentials, or the role may not be assumed.
        Unreachable: AWS did not answer.
    """
    # Its warnings about a failed renewal carry a traceback; the error itself is reported by us.
    logging.getLogger("botocore.credentials").setLevel(logging.CRITICAL)
    with calling(access, f"open {service}"):
        session = _assumed(access) if access.role_arn else _base(access)
        return session.client(service, **_options(access, session, service))


def sts_client(access: Access) -> Any:
    """A client of STS with the installation's own credentials (not the role's).

    Raises:
        AccessRefused: no such profile.
    """
    with calling(access, "open sts"):
        session = _base(access)
        return session.client("sts", **_options(access, session, "sts"))


def _base(access: Access) -> boto3.Session:
    """The installation's own credentials: a named profile, or the default chain."""
    return boto3.Session(
        profile_name=access.profile or None,
        region_name=access.region or None,
        botocore_session=_core(),
    )


@cache
def _models() -> botocore.loaders.Loader:
    """AWS's descriptions of its services: 0.1 s to read, the same for everyone."""
    return botocore.loaders.create_loader()


def _core() -> botocore.session.Session:
    core = botocore.session.Session()
    core.register_component("data_loader", _models())
    return core


def _options(access: Access, session: boto3.Session, service: str) -> dict[str, Any]:
    # An endpoint of AWS's own is one of S3 or of Cost Explorer; STS is then found by itself.
    own = service in ("s3", "ce")
    named = access.endpoint_url and (own or not is_amazon(access.endpoint_url))
    fallback = DEFAULT_REGIONS.get(role_partition(access.role_arn), DEFAULT_REGION)
    options: dict[str, Any] = {"config": _config(access, service)}
    if named:
        options["endpoint_url"] = access.endpoint_url
    if not session.region_name:
        options["region_name"] = fallback
    return options


def _config(access: Access, service: str) -> Config:
    """Retries with backoff and jitter, and no wait without an end.

    `standard` mode retries throttling, 5xx and lost connections; a server that says nothing is
    given up after about 2 minutes.
    """
    style = "path" if access.endpoint_url and not is_amazon(access.endpoint_url) else "auto"
    return Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=16,
        tcp_keepalive=True,
        user_agent_extra="finops-pipeline",
        # The registry keeps tenants apart by what a source declares; an endpoint of the environment
        # or of a profile would lead it elsewhere.
        ignore_configured_endpoint_urls=service in ("s3", "ce"),
        **({"s3": {"addressing_style": style}} if service == "s3" else {}),
    )


class _AssumedRole(CredentialProvider):  # type: ignore[misc]
    """Temporary credentials of one access's role; botocore renews them before they expire."""

    METHOD = CANONICAL_NAME = "finops-assume-role"

    def __init__(self, access: Access) -> None:
        super().__init__()
        self._access = access

    def load(self) -> Any:
        """Return credentials whose first use asks STS.

        Raises:
            NoCredentialsError: there are none that could assume the role.
        """
        access, session = self._access, _base(self._access)
        own_credentials = session.get_credentials()
        if own_credentials is None:
            raise NoCredentialsError
        # Without `cache`, a fetcher remembers its credentials in itself alone: nothing is shared.
        fetcher = AssumeRoleCredentialFetcher(
            lambda service, **keys: session.client(
                service, **_options(access, session, service), **keys
            ),
            own_credentials,
            access.role_arn,
            _assume_role_options(access, access.external_id),
        )
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, self.METHOD)


def _assumed(access: Access) -> boto3.Session:
    core = _core()
    core.register_component("credential_provider", CredentialResolver([_AssumedRole(access)]))
    session = boto3.Session(botocore_session=core, region_name=access.region or None)
    session.get_credentials().get_frozen_credentials()  # a refusal is reported here
    return session


def _assume_role_options(access: Access, external_id: str | None) -> dict[str, Any]:
    options = {"RoleSessionName": access.session_name, "DurationSeconds": SESSION_SECONDS}
    return options if external_id is None else {**options, "ExternalId": external_id}


def caller(sts: Any) -> str:
    """Return the ARN that a client of STS acts as; botocore's errors pass through."""
    return str(sts.get_caller_identity()["Arn"])


def assume(sts: Any, access: Access, external_id: str | None) -> None:
    """Try to assume the role of an access; botocore's errors pass through.

    Args:
        sts: a client of STS with the installation's own credentials.
        external_id: what is sent; None sends none (a probe that must be refused).
    """
    sts.assume_role(RoleArn=access.role_arn, **_assume_role_options(access, external_id))
