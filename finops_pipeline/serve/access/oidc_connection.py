"""Requests to one identity provider: its discovery document, keys and tokens, as JSON.

Put here: where requests may go, how long they take, how large an answer may be. Keep out: what the
answers mean (oidc_keys.py, code_flow.py).

Nothing but the configured issuer decides what is asked: its discovery document names the other
addresses. Redirects are errors, because they would lead to what nobody configured.
"""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Protocol
from urllib.error import HTTPError
from urllib.parse import urlencode

from finops_pipeline.errors import Unreachable

_TIMEOUT_SECONDS, _MOST_BYTES = 5, 1_000_000
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost)[:/]")
_SERVER_ERROR = 500
_UNREADABLE = (OSError, HTTPException, ValueError, RecursionError)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Treats a redirect as an error."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """See HTTPRedirectHandler."""
        return


class ClientAuthentication(Protocol):
    """Adds the secret of a client to a request; Authlib has an implementation for each method."""

    def prepare(self, method: str, url: str, headers: dict[str, str], body: str) -> Any:
        """Return the URL, headers and body with the secret."""


@dataclass(frozen=True)
class ProviderAnswer:
    """An answer as Authlib reads it."""

    status_code: int
    content: bytes

    def json(self) -> Any:
        """Return the content; ValueError if it is not JSON."""
        return json.loads(self.content)

    def raise_for_status(self) -> None:
        """Do nothing: an answer that is no JSON object is refused anyway."""


class ProviderConnection:
    """Requests to one identity provider. Every method raises Unreachable."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer

    def discover(self) -> dict[str, Any]:
        """Fetch the discovery document."""
        document = self.get(self.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if document.get("issuer") != self.issuer:
            raise self.unreachable("its discovery document names another issuer")
        return document

    def get(self, url: str) -> dict[str, Any]:
        """Fetch a JSON object."""
        answer = self._send(urllib.request.Request(self.address(url)))
        try:
            document = json.loads(answer.content) if answer.status_code < 300 else None
        except (ValueError, RecursionError) as error:
            raise self.unreachable("its answer is not JSON") from error
        if not isinstance(document, dict):
            raise self.unreachable("it did not answer with a JSON object")
        return document

    def post(
        self, url: str, data: Mapping[str, str], headers: Mapping[str, str], auth: Any
    ) -> ProviderAnswer:
        """Send a form, as Authlib's client asks its session to.

        Args:
            url: where to.
            data: the form.
            headers: more headers; they are copied, because `auth` changes its own.
            auth: a ClientAuthentication.
        """
        authentication: ClientAuthentication = auth
        sent = authentication.prepare("POST", self.address(url), dict(headers), urlencode(data))
        url, headers, body = sent
        answer = self._send(urllib.request.Request(url, body.encode(), dict(headers)))
        if answer.status_code >= _SERVER_ERROR:
            raise self.unreachable(f"it answered with status {answer.status_code}")
        return answer

    def address(self, url: object) -> str:
        """Return an address that may be asked: https, or http on this machine."""
        text = str(url)
        is_local = bool(_LOOPBACK.match(self.issuer) and _LOOPBACK.match(text))
        if not (text.startswith("https://") or is_local):
            raise self.unreachable("what it names is not at an https URL")
        return text

    def unreachable(self, reason: str) -> Unreachable:
        """Return the error for a provider that cannot be used."""
        return Unreachable(
            f"the identity provider {self.issuer} cannot be used: {reason}",
            "its discovery document and its public keys",
            "Check FINOPS_OIDC_ISSUER, and whether this machine reaches the provider",
        )

    def _send(self, request: urllib.request.Request) -> ProviderAnswer:
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            try:
                response = opener.open(request, timeout=_TIMEOUT_SECONDS)
            except HTTPError as answered:
                response = answered
            with response:
                content = response.read(_MOST_BYTES + 1)
        except _UNREADABLE as error:
            raise self.unreachable(f"it did not answer ({type(error).__name__})") from error
        if len(content) > _MOST_BYTES:
            raise self.unreachable("its answer is too large")
        return ProviderAnswer(response.status, content)
