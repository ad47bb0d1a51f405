"""Clients of the API that read one tenant in every way, and which generation an answer shows.

Put here: the requests, and reading markers and sums from answers. Keep out: the generations
(generations.py), threads and times (racing_clients.py).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial

from tests.support.generations import MONTHS
from tests.support.racing_clients import Client, Exchange, ask, in_turn
from tests.support.served_tenants import ServedTenants

MARKER = re.compile(r"mk[0-9a-f]{12}")
COSTS = f"costs?start={MONTHS[0]}&end={MONTHS[-1]}&basis=billed&group_by=service"
BOTH = (
    "select 'charges' as kind, ServiceName as service, sum(BilledCost) as cost from costs"
    " group by all union all"
    " select 'months', service_name, sum(billed_cost) from monthly_costs group by all"
)
"""The Parquet files and the file of tables, in one statement."""
DATA_CHANGED = 409


@dataclass(frozen=True)
class Reader:
    """Reads a tenant with a token. `markers`: what the answer with an entity tag showed.

    `may_end`: an export may end before its end, because its tenant is purged meanwhile.
    """

    served: ServedTenants
    tenant: str
    token: str
    may_end: bool = False
    markers: dict[str, str] = field(default_factory=dict)

    def clients(self, count: int) -> list[Client]:
        """Return clients that ask for everything in turn, each from another beginning."""
        kinds: list[Client] = [
            self._costs,
            self._sql,
            partial(self._export, "costs", "BilledCost"),
            self._pages,
            self._unchanged,
            partial(self._export, "monthly_costs", "billed_cost"),
        ]
        return [in_turn(kinds, first) for first in range(count)]

    def markers_in(self, exchange: Exchange) -> set[str]:
        """Return the markers in an answer; of 304, those of the answer that still holds."""
        if exchange.response.status_code == 304:
            return {self.markers[exchange.response.headers["etag"]]}
        return set(MARKER.findall(exchange.response.text))

    def _ask(self, kind: str, path: str, **options: object) -> Exchange:
        path = f"/tenants/{self.tenant}/{path}"
        return ask(self.served, self.token, kind, path, **options)  # type: ignore[arg-type]

    def _costs(self) -> list[Exchange]:
        exchange = self._ask("costs", COSTS)
        if exchange.response.status_code == 200:
            for marker in self.markers_in(exchange):
                self.markers[exchange.response.headers["etag"]] = marker
        return [exchange]

    def _sql(self) -> list[Exchange]:
        return [self._ask("sql", "sql", method="POST", json={"sql": BOTH})]

    def _export(self, table: str, column: str) -> list[Exchange]:
        try:
            return [self._ask(f"export {column}", f"exports/{table}")]
        except AssertionError:  # of the client: the answer never becomes complete
            if not self.may_end:
                raise
            return []

    def _pages(self) -> list[Exchange]:
        path = "tag-coverage?tag=Team&page_size=1"
        pages = [self._ask("page", path)]
        while len(pages) < 4 and pages[-1].response.status_code == 200:
            cursor = pages[-1].response.json()["next_cursor"]
            if not cursor:
                break
            pages.append(self._ask("next page", f"{path}&cursor={cursor}"))
        served = [page for page in pages if page.response.status_code == 200]
        markers = {marker for page in served for marker in self.markers_in(page)}
        assert len(markers) <= 1, "the pages of one cursor are of one generation"
        return pages

    def _unchanged(self) -> list[Exchange]:
        before = self._costs()
        tag = before[0].response.headers.get("etag")
        if not tag:
            return before
        again = self._ask("unchanged", COSTS, headers={"If-None-Match": tag})
        if again.response.status_code == 200:
            for marker in self.markers_in(again):
                self.markers[again.response.headers["etag"]] = marker
        return [*before, again]


def sums_of(exchange: Exchange) -> list[Decimal]:
    """Return the sums of an answer that has costs of all months: SQL has two."""
    response = exchange.response
    if response.status_code != 200 or "page" in exchange.kind:
        return []
    if exchange.kind == "sql":
        rows = response.json(parse_float=Decimal)["rows"]
        return [_sum(row[2] for row in rows if row[0] == kind) for kind in ("charges", "months")]
    if exchange.kind.startswith("export "):
        records = csv.DictReader(io.StringIO(response.text))
        return [_sum(record[exchange.kind.removeprefix("export ")] for record in records)]
    return [_sum(row["billed_cost"] for row in response.json()["rows"])]


def _sum(values: Iterable[object]) -> Decimal:
    return sum((Decimal(str(value)) for value in values), Decimal(0))
