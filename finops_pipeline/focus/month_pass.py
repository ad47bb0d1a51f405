"""One pass over a month's landings: the costs partitions of several projects at once.

Put here: running the conversions, one file per project, and the check that each equals its part of
the bill. Keep out: which partitions are due (costs_partitions.py), how rows are converted (sql/).

Reads: landing   Writes: staged costs partitions
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from finops_pipeline.contracts import cur
from finops_pipeline.contracts.focus import CHARGE
from finops_pipeline.errors import IntegrityCheckFailed, counted
from finops_pipeline.focus.bill_conversions import CONVERSIONS
from finops_pipeline.focus.claimed_bill import claimed_bill
from finops_pipeline.focus.conformance import find_violations
from finops_pipeline.focus.conversion import LINE_ITEM_STATEMENTS
from finops_pipeline.focus.landed_bill import LandedBill, read_landed_bill
from finops_pipeline.focus.vocabulary import make_word_types
from finops_pipeline.lake import files
from finops_pipeline.lake.duck import (
    PARQUET_PARTS,
    Connection,
    DuckDBConversionError,
    OutOfMemory,
    ident,
    text,
)
from finops_pipeline.lake.layout import LANDING
from finops_pipeline.lake.publish import Publication
from finops_pipeline.ledger.bill_totals import BillTotal
from finops_pipeline.ledger.ledger import DeliveryRecord, Finding, ProjectTotal
from finops_pipeline.ledger.month_plan import MonthPlan, ProjectPlan
from finops_pipeline.log import LOGGER
from finops_pipeline.money import exact_sum
from finops_pipeline.tenants.model import SourceFormat

Totals = tuple[dict[str, Any], ...]

SOURCES_PER_STATEMENT = 8
"""Sources converted in one statement; each takes memory (40 small ones took a gigabyte)."""

_PLAIN_TEXT = "%s %s: the charges are written as plain text, which takes longer (%s)"


class MonthPass:
    """The charges of some projects in a month, written in one scan of each source.

    Args:
        projects: projects whose partitions are written; each holds a row group in memory.
    """

    def __init__(
        self, publication: Publication, plan: MonthPlan, projects: list[ProjectPlan]
    ) -> None:
        self._publication = publication
        self._plan = plan
        self._tenant = plan.tenant
        self._projects = projects
        self._month = plan.month
        self._deliveries = {d.source: d for d in plan.deliveries}
        self._folder = publication.scratch(f"costs-{plan.month}-{projects[0].name}")
        self.bills: dict[str, list[BillTotal]] = {}
        self.rows: dict[str, int] = {}
        self.totals: dict[str, Totals] = {}
        self.services: dict[str, list[ProjectTotal]] = {}
        self.findings: dict[str, list[Finding]] = {}
        # net amounts of charges and the negated ones of landed rows, which must add up to 0
        self._nets: dict[tuple[str, str, str], list[Decimal]] = {}

    def write(self, connection: Connection) -> None:
        """Write every project's file to scratch space, and check it.

        Afterwards, by project, `totals` and `services` hold the sums of its charges, `bills` those
        of its landed rows and `findings` the FOCUS rules that its charges break; `rows` holds, by
        source, the number of rows that belong to any of the projects.

        Raises:
            IntegrityCheckFailed: a partition does not equal its part of the bill, or a landed file
                is missing.
        """
        charges = {}
        for source, delivery in sorted(self._deliveries.items()):
            readers = [project for project in self._projects if source in project.sources]
            if readers and delivery.rows_kept:
                charges[source] = self._charges_query(connection, readers, delivery)
        if not charges:
            return
        self._copy_charges(connection, charges)
        if any(self._folder.iterdir()):
            self._sum_charges(connection)
            for violation in find_violations(connection, "written", self._month):
                self.findings.setdefault(violation.project, []).append(violation.finding)
        self._check_totals()

    def _copy_charges(self, connection: Connection, charges: Mapping[str, str]) -> None:
        """Write the charges of each source's query to one file per project."""
        types = {column.name: column.type for column in CHARGE}
        if len(charges) > SOURCES_PER_STATEMENT:
            self._copy(connection, self._write_separately(connection, charges, types), types)
            return
        everything = _union(charges.values())
        if not self._copy_as_words(connection, list(charges), everything):
            self._copy(connection, everything, types)

    def _copy_as_words(self, connection: Connection, sources: list[str], charges: str) -> bool:
        """Write charges with ENUM types (vocabulary.py); return whether that was possible."""
        types = {column.name: column.type for column in CHARGE}
        try:
            words = self._word_types(connection, sources)
            if words:
                self._copy(connection, charges, types | words)
            return bool(words)
        except (DuckDBConversionError, OutOfMemory) as error:
            # DuckDB's message may quote the bill, and what a bill says must not be in a log.
            what = (self._tenant.name, self._month, type(error).__name__)
            logging.getLogger(LOGGER).info(_PLAIN_TEXT, *what)
            files.clear_folder(self._folder)
            return False

    def _copy(self, connection: Connection, charges: str, types: Mapping[str, str]) -> None:
        connection.execute(
            f"copy (select {_typed(types)}, x_Project as project from ({charges}))"
            f" to {text(str(self._folder))} ({PARQUET_PARTS}, partition_by (project))"
        )

    def _word_types(self, connection: Connection, sources: list[str]) -> dict[str, str]:
        deliveries = [self._deliveries[source] for source in sources]
        formats = {SourceFormat(delivery.format) for delivery in deliveries}
        if any(CONVERSIONS[format].statements is not LINE_ITEM_STATEMENTS for format in formats):
            return {}
        rows = sum(delivery.rows_kept for delivery in deliveries)
        views = [_view_of(source) for source in sources]
        return make_word_types(connection, views, rows, len(self._projects))

    def _write_separately(
        self, connection: Connection, charges: Mapping[str, str], types: Mapping[str, str]
    ) -> str:
        """Write each source's charges to a file of its own; return SQL for all of them."""
        paths = []
        for number, select in enumerate(charges.values()):
            path = self._folder.with_name(f"{self._folder.name}-{number}.parquet")
            typed = f"select {_typed(types)}, x_Project from ({select})"
            connection.execute(f"copy ({typed}) to {text(str(path))} ({PARQUET_PARTS})")
            paths.append(str(path))
        return _union(
            f"from read_parquet({text(path)}, hive_partitioning = false)" for path in paths
        )

    def file(self, project: str) -> Path | None:
        """Return the file with a project's charges; None when it has none.

        Raises:
            IntegrityCheckFailed: they are in several files, of which only one would be published.
        """
        files = list((self._folder / f"project={project}").glob("*.parquet"))
        if len(files) > 1:
            raise IntegrityCheckFailed(
                f"{self._tenant.name}/{project} {self._month} was written to"
                f" {counted(len(files), 'file')}",
                "one file for each project and month",
                "Nothing was published; please report this",
            )
        return files[0] if files else None

    def _charges_query(
        self, connection: Connection, readers: list[ProjectPlan], delivery: DeliveryRecord
    ) -> str:
        """Return SQL for one source's charges; record the totals of its rows in `bills`."""
        bill = self._read_bill(connection, delivery)
        conversion = CONVERSIONS[bill.format]
        claimed = claimed_bill(connection, self._plan, readers, bill)
        view = _view_of(bill.source)
        connection.execute(f"create or replace temp view {view} as {claimed.rows}")
        query = connection.execute(conversion.statements.totals_query(view))
        for project, *key, rows_of, billed, effective, net in query.fetchall():
            account, service, line_type, currency = key
            rows_of -= claimed.shares.get((project, *key), 0)
            self._nets.setdefault((bill.source, project, currency), []).append(
                (net or Decimal(0)).copy_negate()
            )
            total = BillTotal(
                project=project,
                billing_period=self._month,
                source=bill.source,
                sub_account_id=account,
                service_code=service,
                line_item_type=line_type,
                billing_currency=currency,
                rows=rows_of,
                billed_cost=format(billed, "f"),
                effective_cost=format(effective, "f"),
            )
            self.bills.setdefault(project, []).append(total)
            self.rows[bill.source] = self.rows.get(bill.source, 0) + rows_of
        return conversion.statements.charges_query(view)

    def _read_bill(self, connection: Connection, delivery: DeliveryRecord) -> LandedBill:
        path = self._publication.checked(LANDING, delivery.source, self._month)
        if path is None:
            raise IntegrityCheckFailed(
                f"the landing of {self._tenant.name}/{delivery.source} {self._month} is missing",
                f"{counted(delivery.rows_kept, 'row')}, as landed",
                f"Ingest it again: finops ingest {self._tenant.name}; what was published stays",
            )
        return read_landed_bill(connection, path, delivery, self._plan.tag_spellings)

    def _sum_charges(self, connection: Connection) -> None:
        """Sum the charges that were written, per project and, for the history, per service."""
        glob = str(self._folder / "*" / "*.parquet")
        connection.execute(
            "create or replace temp view written as select * from"
            f" read_parquet({text(glob)}, hive_partitioning = true, hive_types_autocast = false)"
        )
        documented_types = ", ".join(text(kind) for kind in cur.KNOWN_LINE_TYPES)
        query = connection.execute(
            "select project, x_Source as source, BillingCurrency as billing_currency,"
            " x_RowKind as row_kind, count(*) as rows, sum(BilledCost) as billed_cost,"
            " sum(EffectiveCost) as effective_cost, sum(ListCost) as list_cost,"
            " sum(ContractedCost) as contracted_cost,"
            f" count(*) filter (x_LineItemType not in ({documented_types})) as unknown_line_items,"
            " sum(x_NetUnblendedCost) as net_cost, count(x_NetUnblendedCost) = count(*) as is_net"
            " from written group by all order by all"
        )
        names = [column[0] for column in query.description or []][1:]
        for project, *values in query.fetchall():
            row = dict(zip(names, values, strict=True))
            nets_key = (row["source"], project, row["billing_currency"])
            net, is_net = row.pop("net_cost"), row.pop("is_net")
            self._nets.setdefault(nets_key, []).append(net or Decimal(0))
            if is_net:
                row["net_billed_cost"] = net
            self.totals[project] = (*self.totals.get(project, ()), row)
        services = connection.execute(
            "select project, x_Source, ServiceName, BillingCurrency, count(*), sum(BilledCost),"
            " sum(EffectiveCost) from written group by all order by all"
        ).fetchall()
        for project, source, service, currency, charges, *costs in services:
            key = (self._deliveries[source].delivery_id, project, service, currency)
            total = ProjectTotal(*key, charges, *(format(cost, "f") for cost in costs))
            self.services.setdefault(project, []).append(total)

    def _landed_totals(self) -> dict[tuple[str, str, str], list[BillTotal]]:
        """Group the totals of landed rows by source, project and currency."""
        by_key: dict[tuple[str, str, str], list[BillTotal]] = {}
        for total in (total for totals in self.bills.values() for total in totals):
            key = (total.source, total.project, total.billing_currency)
            by_key.setdefault(key, []).append(total)
        return by_key

    def _check_totals(self) -> None:
        """Check that each row except negations became one charge, and that both bill the same."""
        for (source, project, currency), expected in self._landed_totals().items():
            lines = sum(t.rows for t in expected if t.line_item_type != "SavingsPlanNegation")
            billed = exact_sum(Decimal(t.billed_cost) for t in expected)
            charges = [
                t
                for t in self.totals.get(project, ())
                if t["source"] == source and t["billing_currency"] == currency
            ]
            count = sum(t["rows"] for t in charges if t["row_kind"] == "line")
            charged = exact_sum(t["billed_cost"] for t in charges)
            excess = exact_sum(self._nets[source, project, currency])
            if excess:
                raise IntegrityCheckFailed(
                    f"{self._tenant.name}/{project} {self._month}: the net costs of {source}'s"
                    f" charges differ by {excess:f} {currency} from those of its lines",
                    "net costs that are equal to the last decimal",
                    "Nothing was published; please report this with the month's line items",
                )
            if count != lines or charged != billed:
                raise IntegrityCheckFailed(
                    f"{self._tenant.name}/{project} {self._month}: {source} bills {billed:f}"
                    f" {currency} on {counted(lines, 'line')}, but its charges bill {charged:f} on"
                    f" {count}",
                    "one charge for each line, and sums that are equal to the last decimal",
                    "Nothing was published; please report this with the month's line items",
                )


def _view_of(source: str) -> str:
    return ident(f"rows of {source}")


def _union(queries: Iterable[str]) -> str:
    return "\nunion all by name\n".join(f"({query})" for query in queries)


def _typed(types: Mapping[str, str]) -> str:
    return ", ".join(f"cast({ident(n)} as {kind}) as {ident(n)}" for n, kind in types.items())
