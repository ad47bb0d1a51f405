"""acme, into which a test imports files of any format, and globex, which must not change.

For tests of bills from other producers: import a file as `finops ingest-file` does, and
ask as `finops query` does. Keep out: what each file should become.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TemporaryInstallation
from tests.support.bills import row, write_csv
from tests.support.globex import ask, finops
from tests.support.published_files import copy_installation

ACCOUNT, MONTH = "111122223333", "2026-09"
FORMATS = ("legacy-cur", "cur-2.0", "focus")
GLOBEX_COST = Decimal(3)


@dataclass(frozen=True)
class ForeignBills:
    """acme and globex with a source for each format, named after it."""

    folder: Path

    def ingest_file(self, format: str, *paths: Path, ok: bool = True) -> str:
        """Import files into acme's source of a format; return what the command says."""
        source = f"acme/{format.replace('.', '-')}"
        code, output = finops("ingest-file", source, *map(str, paths))
        assert (code == 0) is ok, output
        return output

    def charges(self, format: str, rows: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
        """Import rows as a CSV file; return acme's charges, and check that globex has its own."""
        path = self.folder / "bill.csv"
        write_csv(path, list(rows))
        self.ingest_file(format, path)
        assert ask("select sum(BilledCost) as b from costs") == [{"b": f"{GLOBEX_COST:.18f}"}]
        return self.ask("from costs order by ChargeDescription, x_LineItemId, x_RowKind")

    def ask(self, sql: str) -> list[dict[str, Any]]:
        """Query acme; amounts are exact text."""
        return ask(sql, "acme")

    def status(self) -> dict[str, Any]:
        """The only row of acme's `data_status`."""
        (status,) = self.ask("from data_status")
        return status

    def write_records(self, name: str, records: Sequence[Sequence[str]]) -> Path:
        """Write a CSV record by record, as they may differ in their number of fields."""
        text = io.StringIO(newline="")
        csv.writer(text).writerows(records)
        path = self.folder / name
        path.write_bytes(text.getvalue().encode())
        return path


@pytest.fixture(scope="session")
def built_foreign(tmp_path_factory: pytest.TempPathFactory) -> TemporaryInstallation:
    """Two tenants that claim the same account; globex has a bill of 3. Read only."""
    folder = tmp_path_factory.mktemp("foreign")
    made = TemporaryInstallation(folder / "data")
    declared = "tenants:\n"
    for tenant in ("acme", "globex"):
        sources = ", ".join(f"{{name: {f.replace('.', '-')}, format: {f}}}" for f in FORMATS)
        projects = f"{{name: prod, accounts: ['{ACCOUNT}']}}"
        declared += f"- name: {tenant}\n  sources: [{sources}]\n  projects: [{projects}]\n"
    (folder / "tenants.yaml").write_text(declared)
    made.apply(folder / "tenants.yaml")
    bill = folder / "globex.csv"
    write_csv(bill, [row(str(GLOBEX_COST))])
    code, output = finops("ingest-file", "globex/legacy-cur", str(bill), data=made.data)
    assert code == 0, output
    return made


@pytest.fixture
def foreign(
    built_foreign: TemporaryInstallation, empty: TemporaryInstallation, tmp_path: Path
) -> ForeignBills:
    """A copy of the two tenants to change."""
    copy_installation(built_foreign.data, empty.data)
    return ForeignBills(tmp_path)
