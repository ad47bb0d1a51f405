"""Changes that administrators of served tenants make, and refusals of them.

Put here: sending a change, and what every refusal must be. Keep out: particular changes.
"""

from __future__ import annotations

import re
from typing import Any

from finops_pipeline.tenants.model import Tenant
from tests.support.served_tenants import ServedTenants


def declared(served: ServedTenants, tenant: str) -> Tenant:
    """A tenant as the registry has it now."""
    return served.installation.registry.tenant(tenant)


def change(
    served: ServedTenants, method: str, path: str, body: Any = None, tenant: str = "acme"
) -> Any:
    """Send a change as the administrator of a tenant; return the answer, which is a success."""
    response = served.send(method, f"/tenants/{tenant}{path}", f"{tenant}-admin", json=body)
    assert response.status_code < 300, response.text
    return response.json()


def refused(
    served: ServedTenants, method: str, path: str, body: Any = None, status: int = 422
) -> dict[str, Any]:
    """Send a change of acme's administrator that is refused; return the problem."""
    response = served.send(method, f"/tenants/acme{path}", "acme-admin", json=body)
    assert response.status_code == status, response.text
    problem: dict[str, Any] = response.json()
    assert "globex" not in response.text
    assert str(served.installation.settings.data) not in response.text
    commands = re.findall(r"finops [a-z]", problem["cure"])
    assert not commands or problem["cure"].startswith("Ask whoever runs this server")
    return problem
