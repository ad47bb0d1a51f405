"""How a source reaches AWS, and what AWS means when it does not let it.

Put here: whose credentials a source uses, and botocore's errors in our words with their cure.
Keep out: making clients (aws.py), and what is asked (s3.py, cost_explorer.py).
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
    def who(self) -> str:
        """The credentials in words, for messages."""
        if self.role_arn:
            return f"role {self.role_arn}"
        return f"profile {self.profile}" if self.profile else "the default credentials"


def access_of(tenant: Tenant, source: Source) -> Access:
    """The access of a source: role and external id come from this tenant's record only.

    Raises:
        AccessRefused: it has a role, and the tenant has no external id yet.
    """
    what = f"{tenant.name}/{source.name}"
    if source.role_arn and not tenant.external_id:
        raise AccessRefused(
            f"{what} has a role, but tenant {tenant.name} has no external id yet",
            "the one that the registry makes",
            f"Run finops source policy {what} and give the customer what it prints",
        )
    return Access(
        source=what,
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
LATER = "Run again later; what was published stays"


@contextmanager
def calling(access: Access, doing: str) -> Iterator[None]:
    """Let errors of botocore leave as ours.

    Args:
        doing: what is attempted, as it follows "could not": `read s3://bucket/key`.

    Raises:
        AccessRefused: AWS said no, or there are no usable credentials; says what to change.
        Unreachable: AWS was busy, failing or not to be reached, also after retries.
    """
    try:
        yield
    except ClientError as error:
        raise _refusal(access, doing, error) from error
    except (BotoCoreError, ResponseParserError, RuntimeError) as error:
        raise _failure(access, doing, error) from error


def code_of(error: ClientError) -> str:
    """AWS's word for an error: `AccessDenied`, `404`, …"""
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _refusal(access: Access, doing: str, error: ClientError) -> FinopsError:
    code, status = code_of(error), _status(error)
    said = str(error.response.get("Error", {}).get("Message", "")).rstrip(".")[:300]
    found = f"{access.source} could not {doing} with {access.who}: {code} ({said})"
    if code in _SKEWED or "Signature expired" in said or "not yet current" in said:
        cure = "Set this machine's clock (NTP), then run again"
        return Unreachable(found, "a clock that is right to within minutes", cure)
    if code in _BUSY or status >= 500 or status == 429:
        return Unreachable(found, "an answer within a few attempts", LATER)
    if error.operation_name == "AssumeRole" and code not in _BAD_KEYS | EXPIRED:
        return AccessRefused(
            found,
            "a role whose trust policy lets this installation in with the tenant's external id",
            f"Give the customer what finops source policy {access.source} prints, and check with"
            f" finops source check {access.source}",
        )
    expected, cure = _cure(access, code, said)
    return AccessRefused(found, expected, cure)


def _cure(access: Access, code: str, said: str) -> tuple[str, str]:
    """What was expected and what to do about a refusal, by AWS's word for it."""
    policy = f"finops source policy {access.source}"
    if code in DENIED and "kms" in said.lower():
        return "leave to decrypt", f"Add kms:Decrypt on the bucket's key, as in {policy} --kms-key"
    if code in DENIED:
        return "leave to read it", f"Grant what {policy} prints, for this bucket and prefix"
    if code in EXPIRED:
        return "credentials that hold", "Sign in again or renew them, then run again"
    if code in _BAD_KEYS:
        return "credentials that AWS knows", "Correct the access key of the environment or profile"
    if code == "NoSuchBucket":
        return "a bucket that exists", "Correct the source's location (finops source add) or region"
    if code in _ELSEWHERE:
        return "the bucket's own region", f"Set it: finops source add {access.source} --region …"
    if code == "InvalidObjectState":
        return "a file that is not archived", "Restore it from the archive; exclude exports from it"
    return "an answer", f"See finops source check {access.source}"


def _failure(access: Access, doing: str, error: Exception) -> FinopsError:
    said = str(error).splitlines()[0][:300]
    found = f"{access.source} could not {doing} with {access.who}: {said}"
    if isinstance(error, ProfileNotFound):
        cure = "Add it to ~/.aws/config, or correct the source's profile"
        return AccessRefused(found, "a profile of the AWS configuration", cure)
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        cure = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the source a profile"
        return AccessRefused(found, "credentials in the environment, a profile or a role", cure)
    stale = (SSOError, TokenRetrievalError, UnauthorizedSSOTokenError, CredentialRetrievalError)
    if isinstance(error, (*stale, RuntimeError)):
        return AccessRefused(found, "credentials that hold", "Sign in again, then run again")
    if isinstance(error, ParamValidationError):
        return AccessRefused(found, "values that AWS takes", "Correct the source's fields")
    if isinstance(error, ResponseParserError):
        found = f"{access.source} could not {doing} with {access.who}: what answers is no XML of S3"
        cure = f"Check the source's endpoint_url and what stands between. {LATER}"
        return Unreachable(found, "an answer of S3", cure)
    if isinstance(error, ConnectionError | HTTPClientError):
        cure = f"Check the network and the source's endpoint_url and region. {LATER}"
        return Unreachable(found, "an answer", cure)
    return Unreachable(found, "an answer", LATER)
