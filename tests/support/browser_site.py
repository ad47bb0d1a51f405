"""`finops serve` and a real identity provider, both as processes, and people who can sign in.

Put here: starting them, people and grants. Keep out: what tests expect; browsers (browser.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from finops_pipeline.serve.access.access_administration import AccessAdministration
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.audit_entries import AuditSelection, StoredEntry
from finops_pipeline.serve.access.audit_log import read_audit
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.grants import NewGrant
from finops_pipeline.serve.access.principals import Identity
from finops_pipeline.serve.access.verified_access import Role
from tests.conftest import TemporaryInstallation
from tests.support.browser import Browser
from tests.support.oidc_provider import PEOPLE, run_provider
from tests.support.serve_process import ServeProcess, serve
from tests.support.served_tenants import give_token
from tests.support.servers import free_port

CLIENT = "finops-test"


@dataclass
class Site:
    """A running server that people can sign in to, and its provider."""

    server: ServeProcess
    installed: TemporaryInstallation
    provider: str
    token: str
    browsers: list[Browser] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The URL of the server."""
        return self.server.url

    @property
    def managed(self) -> AccessAdministration:
        """Principals and grants, for the command line."""
        control = AccessControl(self.installed.installation)
        return AccessAdministration(control, Actor.command_line())

    def browser(self, sub: str = "") -> Browser:
        """A browser without cookies, or one in which this person has signed in."""
        browser = Browser(self.url)
        self.browsers.append(browser)
        if sub:
            assert browser.sign_in(sub).status_code == 303
        return browser

    def log(self) -> list[StoredEntry]:
        """The audit log of the installation."""
        control = AccessControl(self.installed.installation)
        return list(read_audit(control.store, "", AuditSelection()))


@contextmanager
def run_site(data: Path) -> Iterator[Site]:
    """Alice sees acme as an analyst, carol globex; bob is invited to acme by his address."""
    installed = TemporaryInstallation(data)
    token = give_token(installed.installation, "globex/reports", Role.VIEWER)
    people = {**PEOPLE, "carol": {"email": "carol@globex.example", "email_verified": True}}
    port = free_port()
    with run_provider(people) as provider:
        settings = {
            "FINOPS_OIDC_ISSUER": provider,
            "FINOPS_OIDC_AUDIENCE": CLIENT,
            "FINOPS_OIDC_CLIENT": CLIENT,
            "FINOPS_OIDC_CLIENT_SECRET": "a-secret",
            "FINOPS_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "FINOPS_SERVE_SIGN_INS_PER_MINUTE": "100000",
            "TESTS_CLOCK_SHIFT_SECONDS": "0",  # the provider's clock is that of the machine
        }
        with serve(data, port, **settings) as server:
            made = Site(server, installed, provider, token)
            for name, identity, tenant in (
                ("alice", Identity(provider, "alice"), "acme"),
                ("carol", Identity(provider, "carol"), "globex"),
                ("bob", Identity(provider, email="bob@acme.example"), "acme"),
            ):
                made.managed.add_principal(name, identity)
                made.managed.give(tenant, name, NewGrant(Role.ANALYST))
            yield made
            for browser in made.browsers:
                browser.client.close()
