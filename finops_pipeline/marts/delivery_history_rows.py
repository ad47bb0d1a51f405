"""Fill `delivery_history`: what every delivery came to, by project and service.

Put here: from the ledger's totals to the table in the tenant's file. Keep out: making the totals
(focus/costs_partitions.py), telling one month's history (reconciliation/delivery_history.py).

Reads: ledger   Writes: <tenant>.duckdb
"""

from __future__ import annotations

from collections.abc import Iterator

from finops_pipeline.contracts.tables import DELIVERY_HISTORY
from finops_pipeline.lake import files
from finops_pipeline.lake.duck import Connection, text
from finops_pipeline.lake.publish import Publication
from finops_pipeline.lake.warehouse import WAREHOUSE


def fill_history(connection: Connection, publication: Publication) -> None:
    """Write the table anew, as the publication will leave the ledger.

    By way of a CSV: a year of deliveries is some 100,000 rows, which one by one would take
    minutes.
    """
    whole = f"{WAREHOUSE}.{DELIVERY_HISTORY.name}"
    scratch = publication.scratch("delivery_history.csv")
    files.write_csv(scratch, _rows(publication))
    types = ", ".join(f"{text(c.name)}: {text(c.type)}" for c in DELIVERY_HISTORY.columns)
    connection.execute(f"delete from {whole}")
    connection.execute(
        f"insert into {whole} select * replace (nullif(execution_id, '') as execution_id)"
        f" from read_csv({text(str(scratch))}, auto_detect = false, header = false, delim = ',',"
        " quote = '\"', escape = '\"', new_line = '\\n', allow_quoted_nulls = false,"
        " hive_partitioning = false,"
        f" columns = {{{types}}}) order by {', '.join(DELIVERY_HISTORY.grain)}"
    )


def _rows(publication: Publication) -> Iterator[tuple[object, ...]]:
    told = {one.delivery_id: one for one in publication.ledger.delivery_summaries()}
    for total in publication.delivery_totals():
        delivery = told.get(total.delivery_id)
        if delivery is not None:
            yield (
                delivery.source,
                delivery.billing_period,
                delivery.landed_at,
                delivery.delivery_id,
                delivery.execution_id,
                delivery.current,
                total.project,
                total.service_name,
                total.billing_currency,
                total.charges,
                total.billed_cost,
                total.effective_cost,
            )
