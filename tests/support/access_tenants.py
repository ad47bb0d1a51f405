"""Two tenants without bills, with the same project and account names, and access to them.

Put here: declaring them, and giving access in one call. Keep out: what tests expect.
"""

from __future__ import annotations

import atexit
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from finops_pipeline.application.installation import Installation
from finops_pipeline.serve.access.access_administration import AccessAdministration
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.audit_entries import AuditSelection, StoredEntry
from finops_pipeline.serve.access.audit_log import read_audit
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.grants import Extent, Limits, NewGrant
from finops_pipeline.serve.access.principals import Principal
from finops_pipeline.serve.access.token_administration import TokenAdministration, TokenRequest
from finops_pipeline.serve.access.verified_access import Role
from finops_pipeline.settings import Settings
from finops_pipeline.tenants.declare import apply, read_declaration

DECLARED = """
tenants:
{tenants}"""
TENANT = """\
- name: {name}
  display_name: {name} Inc.
  sources: [{{name: payer, format: legacy-cur, location: {folder}/{name}}}]
  projects:
  - {{name: prod, environment: production, accounts: ["111122223333"]}}
  - {{name: shop, environment: production, accounts: ["222233334444"]}}
  - {{name: lab, environment: test, accounts: ["333344445555"]}}
"""


def declare(data: Path, *names: str) -> Installation:
    """Declare tenants of these names; each has the same projects."""
    data.mkdir(parents=True, exist_ok=True)
    tenants = "".join(TENANT.format(name=name, folder=data.parent) for name in names)
    path = data.parent / "tenants.yaml"
    path.write_text(DECLARED.format(tenants=tenants))
    installation = Installation(Settings(data=data, threads=1))
    apply(installation.registry, read_declaration(path))
    return installation


def projects(*names: str) -> Limits:
    return Limits(Extent.PROJECTS, names)


def environments(*names: str) -> Limits:
    return Limits(Extent.ENVIRONMENTS, names)


@dataclass(frozen=True)
class AccessDesk:
    """An installation whose access a test changes and uses."""

    installation: Installation
    control: AccessControl

    @property
    def managed(self) -> AccessAdministration:
        """Principals and grants, for the command line."""
        return AccessAdministration(self.control, Actor.command_line())

    @property
    def tokens(self) -> TokenAdministration:
        """Tokens, for the command line."""
        return TokenAdministration(self.control, Actor.command_line())

    def token(self, name: str, role: Role = Role.VIEWER, limits: Limits | None = None) -> str:
        """Create a tenant's service with a grant and a token; return the token."""
        grant = NewGrant(role, limits or Limits())
        return self.tokens.create(TokenRequest(name, grant=grant)).text

    def caller(
        self, name: str, role: Role = Role.VIEWER, limits: Limits | None = None
    ) -> Principal:
        """Do the same; return the verified caller."""
        return self.control.authenticate_token(self.token(name, role, limits))

    def log(self, tenant: str = "") -> list[StoredEntry]:
        """The audit log of a tenant, or of the installation."""
        identity = self.installation.registry.identity(tenant) if tenant else None
        tenant_id = identity.external_id if identity else ""
        return list(read_audit(self.control.store, tenant_id, AuditSelection()))


def declare_both(data: Path) -> None:
    """Declare acme and globex in a new data folder: a copy, because many tests need them."""
    shutil.copytree(_both(), data)


@cache
def _both() -> Path:
    """A data folder that has acme and globex; it is declared once and never changed."""
    folder = TemporaryDirectory()
    atexit.register(folder.cleanup)
    declare(Path(folder.name) / "data", "acme", "globex")
    return Path(folder.name) / "data"


def open_desk(data: Path) -> AccessDesk:
    """Declare acme and globex, and open their access."""
    declare_both(data)
    installation = Installation(Settings(data=data, threads=1))
    return AccessDesk(installation, AccessControl(installation))
