"""Cursors and entity tags: values that only this server can make, bound to who asks and for what.

Put here: making and checking them. Keep out: what a page contains.

Both depend on the principal, its role, the scope, the request and the generation of the data. A
cursor of another principal, tenant or request is refused; an entity tag is never equal for two of
them. The key is made when the server starts: afterwards, old ones are refused or do not match.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import astuple, dataclass

from finops_pipeline.serve.access.verified_access import Access
from finops_pipeline.serve.api.problem_details import CURSOR_REFUSED, DATA_CHANGED, Problem

_KEY_BYTES = 32
_SEAL_BYTES = 16


@dataclass(frozen=True)
class Asking:
    """Who asks for what.

    `request`: method, path and parameters, except the cursor.
    """

    access: Access
    request: str

    @property
    def as_text(self) -> str:
        """All of it as text; two that differ have different texts."""
        scope = self.access.scope
        parts = (
            self.access.principal_id,
            self.access.role.value,
            self.access.tenant_id,
            scope.tenant,
            scope.projects,
            [astuple(identity) for identity in scope.identities],
            self.request,
        )
        return json.dumps(parts)


class Seal:
    """Makes and checks cursors and entity tags with a key of its own."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(_KEY_BYTES)

    def entity_tag(self, asking: Asking, generation: str, day: str) -> str:
        """Return the entity tag of an answer, in its quotation marks.

        Args:
            day: today, on which relative periods depend.
        """
        return f'"{self._sign("tag", asking.as_text, f"{day} {generation}").hex()}"'

    def cursor(self, asking: Asking, generation: str, offset: int) -> str:
        """Return the cursor of the page that begins after `offset` rows."""
        content = json.dumps([self._name(generation), offset])
        signature = self._sign("cursor", asking.as_text, content)
        return base64.urlsafe_b64encode(signature + content.encode()).decode().rstrip("=")

    def read_cursor(self, asking: Asking, generation: str, cursor: str) -> int:
        """Return the number of rows before the page of a cursor.

        Raises:
            Problem: the cursor belongs to another request, or to data that was replaced.
        """
        try:
            content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError):
            content = b""
        signature, text = content[:_SEAL_BYTES], content[_SEAL_BYTES:].decode("utf-8", "replace")
        if not hmac.compare_digest(signature, self._sign("cursor", asking.as_text, text)):
            raise Problem(
                CURSOR_REFUSED,
                "the cursor is not from an answer to this request of yours",
                "next_cursor of the page before, with the same parameters",
                "Ask for the first page, without a cursor",
            )
        name, offset = json.loads(text)
        if name != self._name(generation):
            raise Problem(
                DATA_CHANGED,
                "the data has changed since the first page, so pages would not fit together",
                "pages of one state of the data",
                "Ask for the first page again, without a cursor",
            )
        return int(offset)

    def _name(self, generation: str) -> str:
        return self._sign("generation", generation, "").hex()

    def _sign(self, purpose: str, first: str, second: str) -> bytes:
        message = json.dumps([purpose, first, second]).encode()
        return hmac.new(self._key, message, hashlib.sha256).digest()[:_SEAL_BYTES]
