"""Which projects the charges and resources in the file being built belong to, by id.

Put here: the rows of the table project_identities. Keep out: ids themselves
(tenants/project_identity.py), what a limited file does with them (lake/scoped_file.py).

A project that was removed and declared again has the charges and resources of the earlier one until
all months that have some are built again. Until then it has no row here, and no limited grant shows
it.
"""

from __future__ import annotations

from collections import defaultdict

from finops_pipeline.contracts.file_tables import PROJECT_IDENTITIES
from finops_pipeline.lake.duck import Connection
from finops_pipeline.lake.layout import COST_EXPLORER_DAYS, COSTS, RESOURCE_METRICS, RESOURCES
from finops_pipeline.lake.publish import Publication
from finops_pipeline.ledger.claims import built_for
from finops_pipeline.marts.status_tables import fill_table
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.project_identity import project_id_of


def fill_project_identities(
    connection: Connection, publication: Publication, tenant: Tenant
) -> None:
    """Write the projects whose charges and resources were built for them, as of the publication.

    Of resources, only the newest snapshot is in the file.
    """
    ids = defaultdict[str, set[str]](set)
    newest = max((day for _, day in publication.partitions(RESOURCES)), default="")
    for table in (COSTS, COST_EXPLORER_DAYS, RESOURCES, RESOURCE_METRICS):
        for (name, period), record in publication.partitions(table).items():
            if record.rows and (table != RESOURCES or period == newest):
                ids[name].add(built_for(record))
    rows = [
        (project.name, project_id_of(project))
        for project in tenant.all_projects
        if ids[project.name] <= {project_id_of(project)}
    ]
    fill_table(connection, PROJECT_IDENTITIES, rows)
