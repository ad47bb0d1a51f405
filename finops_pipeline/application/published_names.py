"""Names of projects that published charges have, whether or not the projects are still declared.

Put here: refusing such a name for another project. Keep out: names of declared projects
(tenants/registry.py).
"""

from __future__ import annotations

from finops_pipeline.errors import RegistryError
from finops_pipeline.lake.layout import COSTS
from finops_pipeline.ledger.ledger import Ledger


def refuse_published_name(tenant: str, project: str, ledger: Ledger) -> None:
    """Refuse a new name of a project that charges of another one still have.

    Whoever may see only the renamed project would see these charges until the next ingest.

    Raises:
        RegistryError: there are such charges.
    """
    records = ledger.partitions(COSTS).items()
    if any(key == project and record.rows for (key, _), record in records):
        raise RegistryError(
            f"charges of an earlier project {tenant}/{project} still have this name",
            "a name that no charge has",
            f"Rebuild these charges first: finops ingest {tenant}",
        )
