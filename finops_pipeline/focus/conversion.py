"""The conversions in sql/: the statements that they consist of, and the reference data they read.

Put here: the steps of each conversion, loading them, a fingerprint of everything that decides the
result. Keep out: which bill format uses which conversion (bill_conversions.py), running them
(month_pass.py), the rules themselves (sql/).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources

from finops_pipeline.contracts import cur
from finops_pipeline.contracts.documented import DOCUMENTED
from finops_pipeline.contracts.focus import CHARGE
from finops_pipeline.contracts.focus_rules import rules
from finops_pipeline.contracts.services import REGIONS, SERVICES
from finops_pipeline.lake.duck import Connection
from finops_pipeline.ledger.ledger import fingerprint_of

_SQL = resources.files("finops_pipeline.focus") / "sql"


@dataclass(frozen=True)
class Statements:
    """The statements that convert the normalized rows of a bill to charges.

    `rows` is the name under which the SQL reads the landed rows; `steps` are the files in sql/
    that convert them, each reading its predecessor by name; `totals` sums the landed rows.
    """

    rows: str
    steps: tuple[str, ...]
    totals: str

    def charges_query(self, view: str) -> str:
        """Return SQL for the charges that the rows of a view become."""
        *earlier, last = self.steps
        return f"{self._ctes(view, earlier)} select * from ({sql_text(last)})"

    def totals_query(self, view: str) -> str:
        """Return SQL for the totals of a view's rows before conversion."""
        return f"{self._ctes(view, [])} select * from ({sql_text(self.totals)}) order by all"

    def _ctes(self, view: str, steps: list[str]) -> str:
        # Materializing would store, and spill, every column of every row between two scans.
        bodies = {self.rows: f"from {view}"} | {name: sql_text(name) for name in steps}
        parts = [f"{name} as not materialized ({body})" for name, body in bodies.items()]
        return f"with {', '.join(parts)}"


LINE_ITEM_STATEMENTS = Statements(
    "line_items", ("cur_classified", "cur_priced", "cur_charges"), "cur_totals"
)
FOCUS_ROW_STATEMENTS = Statements("focus_rows", ("focus_charges",), "focus_totals")


def conversion_fingerprint() -> str:
    """Fingerprint everything that decides how a row is converted and which rules check it."""
    parts = [
        file.read_text(encoding="utf-8")
        for file in sorted(_SQL.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".sql")
    ]
    parts += [repr(CHARGE), repr(SERVICES), repr(REGIONS), repr(cur.COLUMNS)]
    parts += [
        repr(LINE_ITEM_STATEMENTS),
        repr(FOCUS_ROW_STATEMENTS),
        repr(sorted(DOCUMENTED)),
        repr(rules()),
    ]
    return fingerprint_of(parts)


def sql_text(name: str) -> str:
    """Return the text of a file in sql/."""
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")


def prepare(connection: Connection) -> None:
    """Create the macros, services and regions that the conversions read."""
    connection.execute(sql_text("macros"))
    connection.execute(
        "create or replace table services (service_code varchar, service_name varchar,"
        " service_category varchar, service_subcategory varchar)"
    )
    _insert(connection, "services", SERVICES)
    connection.execute("create or replace table regions (region_id varchar, region_name varchar)")
    _insert(connection, "regions", REGIONS)


def _insert(connection: Connection, table: str, rows: Iterable[Sequence[str | None]]) -> None:
    """Insert rows by one statement, which takes a tenth of the time of one for each row."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    values = ", ".join("unnest(?::varchar[])" for _ in columns)
    connection.execute(f"insert into {table} select {values}", columns)
