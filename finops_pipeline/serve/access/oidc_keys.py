"""The public keys of an identity provider, fetched from where its discovery document says.

Put here: discovery, fetching and renewing keys. Keep out: verifying tokens (oidc_tokens.py).

Nothing but the configured issuer decides what is fetched; a token only names a key. A key that is
not known yet has the keys fetched again, at most once per `RENEWAL_SECONDS`, so that nobody can
make this process flood the provider. Keys stay usable while the provider does not answer.
"""

from __future__ import annotations

import json
import re
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from threading import Lock
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from finops_pipeline import clock
from finops_pipeline.errors import Unreachable

RENEWAL_SECONDS, KEPT_SECONDS, STALE_SECONDS = 30.0, 3_600.0, 86_400.0
"""Between two attempts at least; until keys are renewed; until keys that cannot be are dropped."""

_TIMEOUT_SECONDS, _MOST_BYTES = 5, 1_000_000
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost)[:/]")
_SIGNING = {"RSA", "EC", "OKP"}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Treats a redirect as an error, because it would lead to what nobody configured."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """See HTTPRedirectHandler."""
        return


@dataclass(frozen=True)
class _Fetched:
    """Keys and when they were fetched, by the stopwatch."""

    keys: KeySet
    at: float


class IssuerKeys:
    """The keys of one identity provider, for any number of threads."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._lock = Lock()
        self._fetched: _Fetched | None = None
        self._tried_at: float | None = None

    def keys(self, kid: str | None) -> KeySet:
        """Return the keys, with the one of this id if the provider has it.

        Raises:
            Unreachable: there are no keys that can be used.
        """
        fetched = self._fetched
        if fetched and self._is_enough(fetched, kid):
            return fetched.keys
        with self._lock:
            if self._fetched and self._is_enough(self._fetched, kid):
                return self._fetched.keys
            self._renew()
            fetched = self._fetched
        if fetched is None or clock.stopwatch() - fetched.at > STALE_SECONDS:
            raise self._unreachable("it has not answered with keys yet")
        return fetched.keys

    def _is_enough(self, fetched: _Fetched, kid: str | None) -> bool:
        has_key = kid is None or any(key.kid == kid for key in fetched.keys)
        return has_key and clock.stopwatch() - fetched.at <= KEPT_SECONDS

    def _renew(self) -> None:
        """Fetch the keys, unless that was tried just now; a failure keeps the earlier ones."""
        now = clock.stopwatch()
        if self._tried_at is not None and now - self._tried_at < RENEWAL_SECONDS:
            return
        self._tried_at = now
        try:
            self._fetched = _Fetched(self._fetch_keys(), now)
        except Unreachable:
            if self._fetched is None:
                raise

    def _fetch_keys(self) -> KeySet:
        document = self._fetch(self.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if document.get("issuer") != self.issuer:
            raise self._unreachable("its discovery document names another issuer")
        published = self._fetch(str(document.get("jwks_uri"))).get("keys")
        try:
            entries = [
                key for key in published or () if key["kty"] in _SIGNING and key.get("use") != "enc"
            ]
            return KeySet.import_key_set({"keys": entries})
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._unreachable("its keys cannot be read") from error

    def _fetch(self, url: str) -> dict[str, Any]:
        is_local = bool(_LOOPBACK.match(self.issuer) and _LOOPBACK.match(url))
        if not (url.startswith("https://") or is_local):
            raise self._unreachable("its keys are not at an https URL")
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            with opener.open(url, timeout=_TIMEOUT_SECONDS) as response:
                content = response.read(_MOST_BYTES + 1)
            document = json.loads(content) if len(content) <= _MOST_BYTES else None
        except (OSError, HTTPException, ValueError, RecursionError) as error:
            raise self._unreachable(f"it did not answer ({type(error).__name__})") from error
        if not isinstance(document, dict):
            raise self._unreachable("its answer is not a JSON object")
        return document

    def _unreachable(self, reason: str) -> Unreachable:
        return Unreachable(
            f"the identity provider {self.issuer} cannot be used: {reason}",
            "its discovery document and its public keys",
            "Check FINOPS_OIDC_ISSUER, and whether this machine reaches the provider",
        )
