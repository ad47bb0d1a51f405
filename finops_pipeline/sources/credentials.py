"""A source's access to AWS, and the meaning of AWS's refusals.

Put here: whose credentials a source uses, and the translation of botocore's errors, with cures.
Keep out: making clients (aws.py), the requests (s3.py, cost_explorer_api.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.parsers import ResponseParserError

from finops_pipeline.errors import AccessRefused, FinopsError, Unreachable
from finops_pipeline.tenants.model import Source, Tenant


@dataclass(frozen=True)
class Access:
    """How one source of one tenant reaches AWS.

    `source` is `tenant/source`, for messages. Without `role_arn` the credentials of `profile`
    (or of the default chain) are used as they are.
    """

    source: str
    role_arn: str = ""
    external_id: str = ""
    profile: str = ""
    endpoint_url: str = ""
    region: str = ""
    session_name: str = "finops"

    @property
    def credentials_name(self) -> str:
        """Name of the credentials, for messages."""
        if self.role_arn:
            return f"role {self.role_arn}"
        return f"profile {self.profile}" if self.profile else "the default credentials"


def make_access(tenant: Tenant, source: Source) -> Access:
    """Make the access of a source, whose role and external id come only from this tenant's record.

    Raises:
        AccessRefused: the source has a role, but the tenant has no external id yet.
    """
    full_name = f"{tenant.name}/{source.name}"
    if source.role_arn and not tenant.external_id:
        raise AccessRefused(
            f"{full_name} has a role, but tenant {tenant.name} has no external id yet",
            "the external id that the registry generates",
            f"Run finops source policy {full_name} and send its output to the customer",
        )
    return Access(
        source=full_name,
        role_arn=source.role_arn,
        external_id=tenant.external_id if source.role_arn else "",
        profile=source.profile,
        endpoint_url=source.service_endpoint,
        region=source.region,
        session_name=f"finops-{tenant.name}-{source.name}"[:64],
    )


DENIED = {
    *("AccessDenied", "AccessDeniedException", "AllAccessDisabled", "Forbidden", "403"),
    *("UnauthorizedOperation", "MissingAuthenticationToken"),
}
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}
_BAD_KEYS = {
    *("InvalidAccessKeyId", "InvalidClientTokenId", "InvalidToken", "InvalidSignatureException"),
    *("SignatureDoesNotMatch", "IncompleteSignature", "UnrecognizedClientException"),
    "AuthFailure",
}
_SKEWED = {"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"}
_BUSY = {
    *("SlowDown", "Throttling", "ThrottlingException", "ThrottledException", "Busy"),
    *("RequestLimitExceeded", "TooManyRequestsException", "LimitExceededException"),
    *("ServiceUnavailable", "InternalError", "InternalFailure", "BandwidthLimitExceeded"),
    *("RequestTimeout", "RequestTimeoutException"),
}
_ELSEWHERE = {
    *("PermanentRedirect", "AuthorizationHeaderMalformed", "301"),
    "IllegalLocationConstraintException",
}
LATER = "Run again later; what has been published stays"


@contextmanager
def translate_errors(access: Access, action: str) -> Iterator[None]:
    """Translate botocore's errors into those of finops_pipeline.

    Args:
        action: what is attempted, worded to follow "could not": `read s3://bucket/key`.

    Raises:
        AccessRefused: AWS denied the request, or there are no usable credentials; has the cure.
        Unreachable: AWS was busy, failed or did not respond, even after retries.
    """
    try:
        yield
    except ClientError as error:
        raise _refusal(access, action, error) from error
    except (BotoCoreError, ResponseParserError, RuntimeError) as error:
        raise _failure(access, action, error) from error


def error_code(error: ClientError) -> str:
    """Return AWS's code for an error: `AccessDenied`, `404`, …"""
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _refusal(access: Access, action: str, error: ClientError) -> FinopsError:
    code, status = error_code(error), _status(error)
    message = str(error.response.get("Error", {}).get("Message", "")).rstrip(".")[:300]
    failure = (
        f"{access.source} could not {action} with {access.credentials_name}: {code} ({message})"
    )
    if code in _SKEWED or "Signature expired" in message or "not yet current" in message:
        cure = "Set this machine's clock (NTP), then run again"
        return Unreachable(failure, "a clock that is correct to within a few minutes", cure)
    if code in _BUSY or status >= 500 or status == 429:
        return Unreachable(failure, "a successful response within a few attempts", LATER)
    if error.operation_name == "AssumeRole" and code not in _BAD_KEYS | EXPIRED:
        return AccessRefused(
            failure,
            "a role that this installation may assume with the tenant's external id",
            f"Send the output of finops source policy {access.source} to the customer, then test"
            f" with finops source check {access.source}",
        )
    expected, cure = _cure(access, code, message)
    return AccessRefused(failure, expected, cure)


def _cure(access: Access, code: str, message: str) -> tuple[str, str]:
    """Return what was expected and how to cure a refusal, by AWS's error code."""
    policy = f"finops source policy {access.source}"
    if code in DENIED and "kms" in message.lower():
        return (
            "permission to decrypt",
            f"Grant kms:Decrypt on the bucket's key, as {policy} --kms-key ARN prints it",
        )
    if code in DENIED:
        return "permission to read it", f"Grant the permissions that {policy} prints"
    if code in EXPIRED:
        return "valid credentials", "Sign in again or renew them, then run again"
    if code in _BAD_KEYS:
        return (
            "credentials that AWS recognises",
            "Correct the access key of the environment or profile",
        )
    if code == "NoSuchBucket":
        return (
            "a bucket that exists",
            f"Correct it: finops source add {access.source} --location s3://BUCKET/PREFIX",
        )
    if code in _ELSEWHERE:
        return (
            "the bucket's own region",
            f"Set it with finops source add {access.source} --region REGION",
        )
    if code == "InvalidObjectState":
        return "a file that is not archived", "Restore it, and exclude exports from archiving"
    return "a successful response", f"Run finops source check {access.source}"


def _failure(access: Access, action: str, error: Exception) -> FinopsError:
    message = str(error).splitlines()[0][:300]
    failure = f"{access.source} could not {action} with {access.credentials_name}: {message}"
    if isinstance(error, ProfileNotFound):
        cure = "Add it to ~/.aws/config, or correct the source's profile"
        return AccessRefused(failure, "a profile of the AWS configuration", cure)
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        cure = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the source a profile"
        return AccessRefused(failure, "credentials in the environment, a profile or a role", cure)
    stale = (SSOError, TokenRetrievalError, UnauthorizedSSOTokenError, CredentialRetrievalError)
    if isinstance(error, (*stale, RuntimeError)):
        return AccessRefused(failure, "valid credentials", "Sign in again, then run again")
    if isinstance(error, ParamValidationError):
        return AccessRefused(failure, "values that AWS accepts", "Correct the source's fields")
    if isinstance(error, ResponseParserError):
        failure = (
            f"{access.source} could not {action} with {access.credentials_name}: the endpoint did"
            " not return an S3 XML response"
        )
        cure = f"Check the source's endpoint_url and any proxy in between. {LATER}"
        return Unreachable(failure, "a response in the format of S3", cure)
    if isinstance(error, ConnectionError | HTTPClientError):
        cure = f"Check the network and the source's endpoint_url and region. {LATER}"
        return Unreachable(failure, "a response", cure)
    return Unreachable(failure, "a response", LATER)
