"""What an example of the API changes or removes, made before the example is sent.

Put here: projects, rules, invoices and requests that examples need. Keep out: sending them
(served_tenants.py).
"""

from __future__ import annotations

import json
from itertools import count

from finops_pipeline.application.administered_tenant import AdministeredTenant
from finops_pipeline.application.ingest_requests import IngestRequests
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.invoices import enter_invoice_total
from finops_pipeline.application.project_declarations import add_project
from finops_pipeline.application.rule_declarations import declare_rules
from finops_pipeline.reconciliation.invoice_comparison import EnteredInvoice
from finops_pipeline.serve.api.endpoint_table import Endpoint, endpoints

_NUMBERS = count()


def administer(installation: Installation, tenant: str) -> AdministeredTenant:
    """The tenant of this name as its administrator sees it."""
    identity = installation.registry.identity(tenant)
    assert identity is not None
    return AdministeredTenant(installation, identity.name, identity.external_id)


def prepare_declarations(
    installation: Installation, endpoint: Endpoint, tenant: str, path: str
) -> str:
    """Make what an example needs; return its path with the names of what was made."""
    own = administer(installation, tenant)
    if "staging" in path:
        name = f"leaving-{next(_NUMBERS)}"
        add_project(own, {"name": name})
        return path.replace("staging", name)
    if endpoint.path.endswith("/rules/{rule}"):
        put = next(e for e in endpoints() if (e.method, e.action) == ("PUT", "rules"))
        declare_rules(own, json.loads(put.body), None)
    if (endpoint.method, endpoint.action) == ("DELETE", "invoices"):
        enter_invoice_total(installation, tenant, EnteredInvoice("payer", "2026-10", "1.25"))
    if "{request_id}" in endpoint.path:
        return f"{path.rpartition('/')[0]}/{IngestRequests(own).ask('somebody').id}"
    return path
