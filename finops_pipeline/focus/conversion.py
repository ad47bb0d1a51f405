"""The conversions in sql/ and what they read beside a bill: macros, services, regions.

Put here: loading them and telling when they have changed. Keep out: running them (month.py).
"""

from __future__ import annotations

from importlib import resources

from finops_pipeline.contracts import cur
from finops_pipeline.contracts.documented import DOCUMENTED
from finops_pipeline.contracts.focus import CHARGE
from finops_pipeline.contracts.focus_rules import rules
from finops_pipeline.contracts.services import REGIONS, SERVICES
from finops_pipeline.lake.duck import Connection
from finops_pipeline.ledger.ledger import fingerprint_of

_ALL = ("macros", "cur_charges", "focus_charges", "cur_totals", "focus_totals")
_SQL = resources.files("finops_pipeline.focus") / "sql"


def conversion_mark() -> str:
    """A checksum of everything that decides what a row becomes, and what is asked of it."""
    parts = [sql_text(name) for name in _ALL]
    parts += [repr(CHARGE), repr(SERVICES), repr(REGIONS), repr(cur.COLUMNS)]
    parts += [repr(sorted(DOCUMENTED)), repr(rules())]
    return fingerprint_of(parts)


def sql_text(name: str) -> str:
    """The text of one of the conversions in sql/."""
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")


def prepare(connection: Connection) -> None:
    """Give a connection what the conversions read beside a bill: macros, services, regions."""
    connection.execute(sql_text("macros"))
    connection.execute(
        "create or replace table services (service_code varchar, service_name varchar,"
        " service_category varchar, service_subcategory varchar)"
    )
    connection.executemany("insert into services values (?, ?, ?, ?)", [list(s) for s in SERVICES])
    connection.execute("create or replace table regions (region_id varchar, region_name varchar)")
    connection.executemany("insert into regions values (?, ?)", [list(r) for r in REGIONS])
