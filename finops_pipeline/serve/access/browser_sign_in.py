"""Signing in with a browser: from the first address to the cookie of a session.

Put here: beginning and completing a sign-in. Keep out: what is said to the provider (code_flow.py),
sessions afterwards (browser_sessions.py), HTTP (serve/api).

Between begin and end the browser keeps state, nonce and PKCE verifier in a signed cookie of ten
minutes, so that nobody can fill this server's memory, and nobody can complete in one browser what
was begun in another.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

from finops_pipeline import clock
from finops_pipeline.database.private_files import Permissions
from finops_pipeline.errors import NotAuthenticated, SettingError, SignInRefused, counted
from finops_pipeline.serve.access.audit_entries import AuditEntry, Outcome
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.browser_sessions import BrowserSessions, SessionTimes
from finops_pipeline.serve.access.code_flow import (
    BegunSignIn,
    CodeFlow,
    ProviderClient,
    not_begun_here,
)
from finops_pipeline.serve.access.principals import Principal
from finops_pipeline.serve.access.signing_key import SigningKey
from finops_pipeline.settings import Settings

CALLBACK = "/login/callback"
SIGN_IN_MINUTES = 10
_PURPOSE = "sign in"
_NO_SECRET = "-"
_MOST_CHARACTERS = 4_096


@dataclass(frozen=True)
class Completion:
    """What a browser brings back from the provider, and what it has kept.

    `answer`: parameters of the callback. `kept`, `session`: its cookies, or empty.
    """

    answer: Mapping[str, str]
    kept: str
    session: str = ""
    request_id: str = ""


class BrowserSignIn:
    """Sign-ins and sessions of one installation, for any thread."""

    def __init__(
        self, control: AccessControl, public_url: str, clients: list[ProviderClient]
    ) -> None:
        settings = control.installation.settings
        times = SessionTimes(
            timedelta(minutes=settings.session_idle_minutes),
            timedelta(hours=settings.session_hours),
        )
        self.public_url = public_url
        self._control = control
        store = control.store
        key_path = store.path.with_name(f"{store.path.name}.key")
        self._key = SigningKey(key_path, Permissions(settings.group_readable))
        self._flows = {c.issuer: CodeFlow(c, public_url + CALLBACK) for c in clients}
        self.sessions = BrowserSessions(control, self._key, times, self.issuers)

    @classmethod
    def of(cls, control: AccessControl) -> BrowserSignIn | None:
        """Return what the settings say; None: nobody signs in with a browser.

        Raises:
            SettingError: the settings do not fit together.
            StorageFailure: the file of the signing key cannot be used.
        """
        settings = control.installation.settings
        clients = _clients(settings)
        return cls(control, settings.public_url, clients) if clients else None

    @property
    def issuers(self) -> list[str]:
        """The identity providers with which people sign in."""
        return list(self._flows)

    def begin(self, issuer: str, next_path: str) -> tuple[str, str]:
        """Return the address at which the person signs in, and what the browser is to keep.

        Raises:
            SignInRefused: people do not sign in with this provider.
            Unreachable: the provider does not answer.
        """
        flow = self._flows.get(issuer)
        if flow is None:
            raise SignInRefused(
                "people do not sign in with this identity provider here",
                f"one of these: {', '.join(self.issuers)}",
                "Begin at /login",
            )
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        expires_at = clock.now() + timedelta(minutes=SIGN_IN_MINUTES)
        begun = BegunSignIn(issuer, state, nonce, verifier, next_path, expires_at.isoformat())
        return flow.authorization_url(begun), self._key.seal(_PURPOSE, asdict(begun))

    def complete(self, completion: Completion) -> tuple[str, str]:
        """Complete a sign-in; return the cookie of the new session, and where to go.

        Raises:
            SignInRefused: it was not begun here, the provider refuses, or the person has no access.
            Unreachable: the provider does not answer.
            AuditUnavailable: it cannot be recorded.
        """
        begun = self._read_kept(completion.kept)
        flow = self._flows[begun.issuer]
        code = flow.check_answer(begun, completion.answer)
        id_token = flow.fetch_id_token(begun, code)
        principal = self._find_person(begun, flow.client, id_token, completion.request_id)
        self._check_has_access(principal, completion.request_id)
        cookie = self.sessions.begin(
            principal, begun.state, completion.session, completion.request_id
        )
        return cookie, begun.next_path

    def _read_kept(self, kept: str) -> BegunSignIn:
        value = self._key.unseal(_PURPOSE, kept) if len(kept) <= _MOST_CHARACTERS else None
        try:
            begun = BegunSignIn(**(value or {}))
        except TypeError:  # nothing, or what another version has sealed
            raise not_begun_here() from None
        if begun.expires_at <= clock.now().isoformat() or begun.issuer not in self._flows:
            raise not_begun_here()
        return begun

    def _find_person(
        self, begun: BegunSignIn, client: ProviderClient, id_token: str, request_id: str
    ) -> Principal:
        """Return who has signed in, by the same rules as for a token in a header."""
        try:
            identity = self._control.providers.verify_id_token(
                id_token, begun.issuer, client.client_id, begun.nonce
            )
            return self._control.authenticate_person(identity, request_id)
        except NotAuthenticated as error:
            raise SignInRefused(error.found, error.expected, error.cure) from error

    def _check_has_access(self, principal: Principal, request_id: str) -> None:
        if principal.is_operator or self._control.tenants_of(principal):
            return
        refusal = SignInRefused(
            f"you are signed in as {principal.name}, but you have access to no tenant",
            "a person with a grant in a tenant",
            "Ask an administrator of your tenant for a grant, then sign in again",
        )
        entry = AuditEntry.of(principal, _PURPOSE, Outcome.REFUSED)
        detail = "without a grant in any tenant"
        self._control.record(replace(entry, request_id=request_id, detail=detail))
        raise refusal


def _clients(settings: Settings) -> list[ProviderClient]:
    """Return the clients that the settings name.

    Raises:
        SettingError: their numbers differ, or nobody knows where browsers come back to.
    """
    issuers, ids = settings.oidc_issuers, settings.oidc_client.split()
    secret_texts = settings.oidc_client_secret.split() or [_NO_SECRET] * len(ids)
    if not ids:
        return []
    if not len(issuers) == len(ids) == len(secret_texts):
        raise SettingError(
            f"FINOPS_OIDC_ISSUER has {counted(len(issuers), 'value')}, FINOPS_OIDC_CLIENT has"
            f" {len(ids)}, and FINOPS_OIDC_CLIENT_SECRET has {len(secret_texts)}",
            "one client id for each issuer, and for each a secret or -",
            "Correct these settings",
        )
    if not settings.public_url:
        raise SettingError(
            "FINOPS_OIDC_CLIENT is set, and FINOPS_PUBLIC_URL is not",
            "the URL at which browsers reach this server",
            "Set FINOPS_PUBLIC_URL, such as https://finops.acme.example",
        )
    texts = ["" if text == _NO_SECRET else text for text in secret_texts]
    return [ProviderClient(*values) for values in zip(issuers, ids, texts, strict=True)]
