"""The public keys of an identity provider, fetched from where its discovery document says.

Put here: fetching and renewing keys. Keep out: verifying tokens (oidc_tokens.py),
requests to the provider (oidc_connection.py).

Nothing but the configured issuer decides what is fetched; a token only names a key. A key that is
not known yet has the keys fetched again, at most once per `RENEWAL_SECONDS`, so that nobody can
make this process flood the provider. Keys stay usable while the provider does not answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from finops_pipeline import clock
from finops_pipeline.errors import Unreachable
from finops_pipeline.serve.access.oidc_connection import ProviderConnection

RENEWAL_SECONDS, KEPT_SECONDS, STALE_SECONDS = 30.0, 3_600.0, 86_400.0
"""Between two attempts at least; until keys are renewed; until keys that cannot be are dropped."""

_SIGNING = {"RSA", "EC", "OKP"}


@dataclass(frozen=True)
class _Fetched:
    """Keys and when they were fetched, by the stopwatch."""

    keys: KeySet
    at: float


class IssuerKeys:
    """The keys of one identity provider, for any number of threads."""

    def __init__(self, issuer: str) -> None:
        self._provider = ProviderConnection(issuer)
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
            raise self._provider.unreachable("it has not answered with keys yet")
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
        document = self._provider.discover()
        published = self._provider.get(str(document.get("jwks_uri"))).get("keys")
        try:
            entries = [
                key for key in published or () if key["kty"] in _SIGNING and key.get("use") != "enc"
            ]
            return KeySet.import_key_set({"keys": entries})
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._provider.unreachable("its keys cannot be read") from error
