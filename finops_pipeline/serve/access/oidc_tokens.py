"""Tokens of identity providers: JWTs that prove who a person is.

Put here: verifying a token's signature and claims. Keep out: keys (oidc_keys.py), who the person is
here and what they may do (people.py, authorization.py).

Signatures are verified by joserfc, with the published keys of the configured issuers and with
asymmetric algorithms only: neither `none` nor an HMAC with a public key as its secret is accepted.
"""

from __future__ import annotations

import json
from hmac import compare_digest
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError

from finops_pipeline import clock
from finops_pipeline.errors import NotAuthenticated, SettingError
from finops_pipeline.serve.access.oidc_keys import IssuerKeys
from finops_pipeline.serve.access.principals import Identity
from finops_pipeline.settings import Settings

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
              "Ed25519")  # fmt: skip
SKEW_SECONDS = 60
"""By how much the clocks of this machine and of the provider may differ."""

_MOST_CHARACTERS, _MOST_SUBJECT = 16_384, 255
_UNREADABLE = (JoseError, ValueError, TypeError, KeyError, RecursionError, OverflowError)


class IdentityProviders:
    """The identity providers that the settings name.

    Raises:
        SettingError: an issuer is set without an audience: tokens for other programs would count.
    """

    def __init__(self, settings: Settings) -> None:
        self._issuers = {issuer: IssuerKeys(issuer) for issuer in settings.oidc_issuers}
        self._audiences = list(settings.oidc_audiences)
        if self._issuers and not self._audiences:
            raise SettingError(
                "FINOPS_OIDC_ISSUER is set, and FINOPS_OIDC_AUDIENCE is not",
                "the audience that the provider puts into tokens for this installation",
                "Set FINOPS_OIDC_AUDIENCE, usually to the client id",
            )

    @property
    def issuers(self) -> list[str]:
        """The issuers, in the order of the setting."""
        return list(self._issuers)

    def are_asked(self, text: object) -> bool:
        """Return whether a text has the form of a provider's token, and there is a provider."""
        return bool(self._issuers) and isinstance(text, str) and text.count(".") == 2

    def verify(self, text: str) -> Identity:
        """Return who a token is about; the e-mail address only if the provider has verified it.

        Raises:
            NotAuthenticated: it is not a valid token of a configured issuer for this installation.
            Unreachable: the issuer's keys cannot be fetched.
        """
        issuer, claims = self._verified_claims(text, self._audiences)
        return _identity(issuer, claims)

    def verify_id_token(self, text: str, issuer: str, client: str, nonce: str) -> Identity:
        """Return who has signed in, by the ID token that the provider gives at the end.

        Args:
            text: the ID token.
            issuer: the provider at which the sign-in was begun.
            client: the client id of this installation there.
            nonce: the number that the sign-in was begun with.

        Raises:
            NotAuthenticated: it is not a valid token of this provider for this sign-in.
            Unreachable: the issuer's keys cannot be fetched.
        """
        named, claims = self._verified_claims(text, [client])
        if named != issuer:
            raise _invalid("its issuer is another one than that at which you signed in")
        given = claims.get("nonce")
        if not isinstance(given, str) or not compare_digest(given.encode(), nonce.encode()):
            raise _invalid("it belongs to another sign-in (nonce)")
        audience = claims["aud"]
        is_for_several = isinstance(audience, list) and len(audience) > 1
        if claims.get("azp", "" if is_for_several else client) != client:
            raise _invalid("it was issued to another program (azp)")
        return _identity(issuer, claims)

    def _verified_claims(self, text: str, audiences: list[str]) -> tuple[str, dict[str, Any]]:
        """Return the issuer and the claims of a token.

        Raises:
            NotAuthenticated: it is not a valid token for one of these audiences.
            Unreachable: the issuer's keys cannot be fetched.
        """
        if len(text) > _MOST_CHARACTERS or not text.isascii():
            raise _invalid("it is not a token")
        issuer, kid = self._named_issuer(text)
        keys = self._issuers[issuer].keys(kid)
        try:
            claims = jwt.decode(text, keys, algorithms=ALGORITHMS).claims
            _registry(issuer, audiences).validate(claims)
        except _UNREADABLE as error:
            raise _invalid(_reason(error)) from error
        return issuer, claims

    def _named_issuer(self, text: str) -> tuple[str, str | None]:
        """Return the issuer and the key id that a token names, before anything is verified.

        Raises:
            NotAuthenticated: it is no token, or the issuer is not a configured one.
        """
        try:
            signed = jws.extract_compact(text.encode())
            header: dict[str, Any] = signed.headers()
            claims = json.loads(signed.payload)
            issuer, kid = claims["iss"], header.get("kid")
        except (*_UNREADABLE, AttributeError) as error:
            raise _invalid("it is not a signed token") from error
        if not isinstance(issuer, str) or issuer not in self._issuers:
            raise _invalid("its issuer is not one of this installation's")
        if header.get("alg") not in ALGORITHMS:
            raise _invalid("its algorithm is not accepted")
        return issuer, kid if isinstance(kid, str) else None


def _registry(issuer: str, audiences: list[str]) -> jwt.JWTClaimsRegistry:
    return jwt.JWTClaimsRegistry(
        now=int(clock.now().timestamp()),
        leeway=SKEW_SECONDS,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "values": audiences},
        exp={"essential": True},
        sub={"essential": True},
    )


def _identity(issuer: str, claims: dict[str, Any]) -> Identity:
    """Return who the claims of a token are about.

    Raises:
        NotAuthenticated: they name no usable subject.
    """
    subject, email = claims["sub"], claims.get("email")
    if not isinstance(subject, str) or not 0 < len(subject) <= _MOST_SUBJECT:
        raise _invalid("its subject is not a text of at most 255 characters")
    is_verified = claims.get("email_verified") is True and isinstance(email, str)
    return Identity(issuer, subject, str(email) if is_verified else "")


def _reason(error: Exception) -> str:
    """Describe what is wrong with a token in words that help its owner."""
    match getattr(error, "error", ""):
        case "expired_token":
            return "it has expired"
        case "missing_claim" | "invalid_claim":
            claim = getattr(error, "claim", "")
            return f"its claim {claim} is missing or wrong" if claim else "a claim is wrong"
        case "bad_signature":
            return "its signature is wrong"
    return "it cannot be verified"


def _invalid(reason: str) -> NotAuthenticated:
    return NotAuthenticated(
        f"the token of the identity provider is not valid: {reason}",
        "a token that a configured issuer has signed for this installation",
        "Sign in again",
    )
