"""The authorization code flow with one identity provider, with PKCE (OpenID Connect, RFC 7636).

Put here: the address to which a browser is sent, and the exchange of the code for an ID token, both
by Authlib. Keep out: verifying the ID token (oidc_tokens.py), what becomes of the person
(browser_sign_in.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from threading import Lock
from typing import Any

from authlib.common.errors import AuthlibBaseError
from authlib.oauth2.client import OAuth2Client

from finops_pipeline import clock
from finops_pipeline.errors import SignInRefused
from finops_pipeline.serve.access.oidc_connection import ProviderConnection

_SCOPE = "openid email"
_KEPT_SECONDS = 3_600.0
_BASIC, _POST, _NONE = "client_secret_basic", "client_secret_post", "none"
_ISSUER_IS_NAMED = "authorization_response_iss_parameter_supported"


@dataclass(frozen=True)
class ProviderClient:
    """This installation as an identity provider knows it. `secret`: empty: it has none."""

    issuer: str
    client_id: str
    secret: str = field(default="", repr=False)


@dataclass(frozen=True)
class BegunSignIn:
    """What a browser keeps of a sign-in from its begin to its end, signed.

    `next_path`: where the browser goes then. `expires_at`: ISO text in UTC.
    """

    issuer: str
    state: str
    nonce: str
    verifier: str
    next_path: str
    expires_at: str


class CodeFlow:
    """Sign-ins with one identity provider, for any thread.

    Every method raises Unreachable when the provider does not answer as expected.
    """

    def __init__(self, client: ProviderClient, redirect_uri: str) -> None:
        self.client = client
        self._redirect_uri = redirect_uri
        self._connection = ProviderConnection(client.issuer)
        self._lock = Lock()
        self._discovered: tuple[float, dict[str, Any]] | None = None

    def authorization_url(self, begun: BegunSignIn) -> str:
        """Return the address at which the person signs in."""
        endpoint = self._connection.address(self._metadata().get("authorization_endpoint"))
        url, _ = self._authlib().create_authorization_url(
            endpoint, state=begun.state, code_verifier=begun.verifier, nonce=begun.nonce
        )
        return str(url)

    def check_answer(self, begun: BegunSignIn, answer: Mapping[str, str]) -> str:
        """Return the code with which the provider has sent the browser back.

        Raises:
            SignInRefused: the answer is another sign-in's or another provider's, or it refuses.
        """
        if not compare_digest(begun.state.encode(), answer.get("state", "").encode()):
            raise not_begun_here()
        is_named = self._metadata().get(_ISSUER_IS_NAMED) is True
        if answer.get("iss", "" if is_named else begun.issuer) != begun.issuer:
            raise SignInRefused(
                "the answer is of another identity provider than the one you chose (iss)",
                f"an answer of {begun.issuer}",
                "Sign in again; if it stays so, tell whoever runs this server",
            )
        code = answer.get("code", "")
        if "error" in answer or not code:
            raise refused_by_provider(answer.get("error", "no code"))
        return code

    def fetch_id_token(self, begun: BegunSignIn, code: str) -> str:
        """Exchange a code for an ID token, directly with the provider.

        Raises:
            SignInRefused: the provider does not accept the code, or gives no ID token.
        """
        try:
            token = self._authlib().fetch_token(
                self._connection.address(self._metadata().get("token_endpoint")),
                grant_type="authorization_code",
                code=code,
                code_verifier=begun.verifier,
            )
        except AuthlibBaseError as error:
            raise refused_by_provider(str(error.error)) from error
        except (ValueError, RecursionError) as error:
            raise self._connection.unreachable("its answer to the code cannot be read") from error
        id_token = token.get("id_token")
        if not isinstance(id_token, str):
            raise refused_by_provider("no ID token")
        return id_token

    def _authlib(self) -> OAuth2Client:
        return OAuth2Client(
            self._connection,
            client_id=self.client.client_id,
            client_secret=self.client.secret,
            token_endpoint_auth_method=self._method(),
            scope=_SCOPE,
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
        )

    def _method(self) -> str:
        """Return how the client proves who it is: by default as the standard says."""
        if not self.client.secret:
            return _NONE
        supported = self._metadata().get("token_endpoint_auth_methods_supported")
        methods = supported if isinstance(supported, list) else [_BASIC]
        return _POST if _POST in methods and _BASIC not in methods else _BASIC

    def _metadata(self) -> dict[str, Any]:
        """Return the discovery document, fetched once an hour."""
        with self._lock:
            now = clock.stopwatch()
            if self._discovered is None or now - self._discovered[0] > _KEPT_SECONDS:
                self._discovered = (now, self._connection.discover())
            return self._discovered[1]


def not_begun_here() -> SignInRefused:
    """Return the error for an answer that belongs to no sign-in of this browser."""
    return SignInRefused(
        "this browser has begun no such sign-in, or it was completed or took too long",
        "the answer to a sign-in that this browser has begun, within ten minutes",
        "Sign in again",
    )


def refused_by_provider(reason: str) -> SignInRefused:
    """Return the error for a provider that refuses; its own words are cut, and no longer text."""
    shown = "".join(char for char in reason[:60] if char.isalnum() or char in "_- ")
    return SignInRefused(
        f"the identity provider has not signed you in ({shown})",
        "a person whom the provider signs in",
        "Sign in again; if it stays so, ask whoever runs the identity provider",
    )
