"""Clients of AWS: a separate one for every source, and the only place that makes them.

Put here: sessions per source, assuming a tenant's role, retries and time limits. Keep out: the
meaning of errors (credentials.py), the requests themselves (s3.py, cost_explorer_api.py).

Sources share nothing but AWS's descriptions of its services: each client has its own session, which
alone holds its temporary credentials.
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

from finops_pipeline.sources.credentials import Access, make_access, translate_errors
from finops_pipeline.tenants.places import is_amazon, role_partition

__all__ = [
    "Access",
    "Clients",
    "make_access",
    "assume_role",
    "caller_arn",
    "translate_errors",
    "open_client",
    "sts_client",
]

SESSION_SECONDS = 3600
"""Lifetime of assumed credentials; they are renewed before it ends, even during a download."""

ATTEMPTS, CONNECT_SECONDS, READ_SECONDS = 5, 10.0, 20.0
"""The number of times a request is sent, and how long each waits to connect and to receive data."""

DEFAULT_REGIONS = {"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
DEFAULT_REGION = "us-east-1"


def open_client(access: Access, service: str) -> Any:
    """Make a boto3 client of a service, in its own session.

    A role is assumed here, and again by the session whenever its credentials are about to expire.

    Raises:
        AccessRefused: no such profile, no credentials, or the role may not be assumed.
        Unreachable: AWS did not answer.
    """
    # Its warnings about a failed renewal carry a traceback; we report the error itself.
    logging.getLogger("botocore.credentials").setLevel(logging.CRITICAL)
    with translate_errors(access, f"open {service}"):
        session = _role_session(access) if access.role_arn else _base_session(access)
        return session.client(service, **_client_options(access, session, service))


class Clients:
    """Clients of an account's services by region, all in one session that assumes a role once."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._clients: dict[tuple[str, str], Any] = {}
        self._session: boto3.Session | None = None

    def open(self, service: str, region: str = "") -> Any:
        """Return the client of a service in a region (empty: the default one).

        Raises:
            AccessRefused: no such profile, no credentials, or the role may not be assumed.
            Unreachable: AWS did not answer.
        """
        key = (service, region)
        if key not in self._clients:
            logging.getLogger("botocore.credentials").setLevel(logging.CRITICAL)
            with translate_errors(self._access, f"open {service}"):
                session = self._open_session()
                options = _client_options(self._access, session, service)
                if region:
                    options["region_name"] = region
                self._clients[key] = session.client(service, **options)
        return self._clients[key]

    def is_offered(self, service: str, region: str) -> bool:
        """Return whether AWS offers a service in a region, as far as botocore knows."""
        session = self._open_session()
        regions = session.get_available_regions(service, session.get_partition_for_region(region))
        return not regions or region in regions

    def _open_session(self) -> boto3.Session:
        if self._session is None:
            access = self._access
            self._session = _role_session(access) if access.role_arn else _base_session(access)
        return self._session


def sts_client(access: Access) -> Any:
    """Make a client of STS with the installation's own credentials (not the role's).

    Raises:
        AccessRefused: no such profile.
    """
    with translate_errors(access, "open sts"):
        session = _base_session(access)
        return session.client("sts", **_client_options(access, session, "sts"))


def _base_session(access: Access) -> boto3.Session:
    """Make a session with the installation's own credentials: a profile or the default chain."""
    return boto3.Session(
        profile_name=access.profile or None,
        region_name=access.region or None,
        botocore_session=_core_session(),
    )


@cache
def _model_loader() -> botocore.loaders.Loader:
    """Make the loader of AWS's service descriptions: 0.1 s to read, the same for every source."""
    return botocore.loaders.create_loader()


def _core_session() -> botocore.session.Session:
    core = botocore.session.Session()
    core.register_component("data_loader", _model_loader())
    return core


def _client_options(access: Access, session: boto3.Session, service: str) -> dict[str, Any]:
    # An endpoint of AWS belongs to S3 or to Cost Explorer; botocore knows those of other services.
    takes_endpoint = service in ("s3", "ce")
    has_endpoint = access.endpoint_url and (takes_endpoint or not is_amazon(access.endpoint_url))
    fallback = DEFAULT_REGIONS.get(role_partition(access.role_arn), DEFAULT_REGION)
    options: dict[str, Any] = {"config": _client_config(access, service)}
    if has_endpoint:
        options["endpoint_url"] = access.endpoint_url
    if not session.region_name:
        options["region_name"] = fallback
    return options


def _client_config(access: Access, service: str) -> Config:
    """Configure retries with backoff and jitter, and a time limit for every wait.

    The mode `standard` retries throttling, 5xx and lost connections; a server that does not respond
    is given up after about 2 minutes.
    """
    style = "path" if access.endpoint_url and not is_amazon(access.endpoint_url) else "auto"
    return Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=16,
        tcp_keepalive=True,
        user_agent_extra="finops-pipeline",
        # The registry keeps tenants apart by the places that their sources declare; an endpoint set
        # in the environment or in a profile would redirect requests to another place.
        ignore_configured_endpoint_urls=service != "sts",
        **({"s3": {"addressing_style": style}} if service == "s3" else {}),
    )


class _AssumedRole(CredentialProvider):  # type: ignore[misc]
    """The temporary credentials of a role, which botocore renews before they expire."""

    METHOD = CANONICAL_NAME = "finops-assume-role"

    def __init__(self, access: Access) -> None:
        super().__init__()
        self._access = access

    def load(self) -> Any:
        """Return credentials that are requested from STS when they are first used.

        Raises:
            NoCredentialsError: there are no credentials with which to assume the role.
        """
        access, session = self._access, _base_session(self._access)
        own_credentials = session.get_credentials()
        if own_credentials is None:
            raise NoCredentialsError
        # Without the argument `cache`, no other fetcher sees these credentials.
        fetcher = AssumeRoleCredentialFetcher(
            lambda service, **keys: session.client(
                service, **_client_options(access, session, service), **keys
            ),
            own_credentials,
            access.role_arn,
            _assume_role_options(access, access.external_id),
        )
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, self.METHOD)


def _role_session(access: Access) -> boto3.Session:
    core = _core_session()
    core.register_component("credential_provider", CredentialResolver([_AssumedRole(access)]))
    session = boto3.Session(botocore_session=core, region_name=access.region or None)
    session.get_credentials().get_frozen_credentials()  # a refusal surfaces here
    return session


def _assume_role_options(access: Access, external_id: str | None) -> dict[str, Any]:
    options = {"RoleSessionName": access.session_name, "DurationSeconds": SESSION_SECONDS}
    return options if external_id is None else {**options, "ExternalId": external_id}


def caller_arn(sts: Any) -> str:
    """Return the ARN of the identity that a client of STS uses; botocore's errors pass through."""
    return str(sts.get_caller_identity()["Arn"])


def assume_role(sts: Any, access: Access, external_id: str | None) -> None:
    """Try to assume the role of an access; botocore's errors pass through.

    Args:
        sts: a client of STS with the installation's own credentials.
        external_id: the external id to send; None sends none (a probe that must be refused).
    """
    sts.assume_role(RoleArn=access.role_arn, **_assume_role_options(access, external_id))
