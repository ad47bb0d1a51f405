"""Closed statements as files: for people, in backups, after damage.

Put here: written statements, and what becomes of closed ones in a folder. Keep out: numbers and
closing (test_statements.py).
"""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from finops_pipeline.application.closed_statements import list_statements, read_statements
from finops_pipeline.ledger.ownership import Identity
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver
from tests.support.globex import finops
from tests.support.published_files import copy_installation, published_files, store_copy
from tests.support.stated_tenants import MONTH, TENANTS, Stated, base, bill, stated

__all__ = ["base", "stated"]


@pytest.fixture(scope="module")
def closed(base: Stated, tmp_path_factory: pytest.TempPathFactory) -> Stated:
    """Both tenants, acme's month closed; to read only."""
    copy = Stated(tmp_path_factory.mktemp("closed") / "own")
    shutil.copytree(base.folder, copy.folder, ignore=shutil.ignore_patterns("data"))
    copy_installation(base.made.data, copy.made.data)
    copy.close()
    return copy


# ---- files


def written(closed: Stated, suffix: str) -> Path:
    path = closed.folder / f"statement.{suffix}"
    closed.finops("show", "acme", "--month", MONTH, "-o", str(path))
    return path


def test_files_of_all_formats_have_the_same_lines(closed: Stated) -> None:
    (version,) = read_statements(closed.installation, "acme", MONTH)
    amounts = [line.amount for line in version.lines]
    frame = pl.read_parquet(written(closed, "parquet"))
    assert sorted(frame["amount"].to_list()) == sorted(amounts)
    assert frame.schema["amount"] == pl.Decimal(38, 18)
    rows = list(csv.DictReader(io.StringIO(written(closed, "csv").read_text())))
    assert sorted(Decimal(r["amount"]) for r in rows) == sorted(amounts)
    loaded = json.loads(written(closed, "json").read_text(), parse_float=Decimal)
    assert sorted(Decimal(r["amount"]) for r in loaded) == sorted(amounts)
    assert written(closed, "xlsx").read_bytes()[:2] == b"PK"
    only = closed.finops("show", "acme", "--month", MONTH, "--project", "dev", "--format", "csv")
    assert {r["project"] for r in csv.DictReader(io.StringIO(only))} == {"dev"}


def test_the_page_is_self_contained_and_escaped(closed: Stated) -> None:
    page = written(closed, "html").read_text()
    assert "<img" not in page and "<b>" not in page and "<script" not in page.lower()
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "&lt;b&gt;Acme &amp; Sons&lt;/b&gt;" in page
    assert not re.search(r"https?://|src=\"|href=|@import|url\(", page)
    assert page.count("<section>") == page.count("</section>") == 4
    for text in ("shop", "live", "102.02", "Mark-up 5.5 %", "reconciled", "@page", "2026-11"):
        assert text in page, text
    sheets = page.split("<section>")[1:]
    for sheet in sheets:
        amounts = re.findall(r'<td class="amount">(-?[\d,.]+)</td>', sheet)
        numbers = [Decimal(a.replace(",", "")) for a in amounts]
        assert sum(numbers[:-1]) == numbers[-1]


def test_a_file_is_not_written_into_the_data_folder(closed: Stated) -> None:
    path = closed.made.data / "statement.html"
    output = closed.finops("show", "acme", "--month", MONTH, "-o", str(path), ok=False)
    assert "own files" in output and not path.exists()


# ---- the folder


def test_closed_statements_survive_backups_rebuilds_and_a_lost_ledger(stated: Stated) -> None:
    first = stated.close().lines
    made, data = stated.made, stated.made.data
    assert finops("backup", "--all", str(stated.folder / "backup"), data=data)[0] == 0
    code, output = finops("rebuild", "acme", data=data)
    assert code == 0, output
    assert read_statements(stated.installation, "acme", MONTH)[0].lines == first
    folder = made.folder("acme")
    for name in ("ledger.sqlite", ".ledger-copy.sqlite"):
        (folder / name).unlink()
    code, output = finops("rebuild", "acme", data=data)
    assert code == 0, output
    assert read_statements(stated.installation, "acme", MONTH)[0].lines == first
    assert stated.rows("select count(*) from statements") == [(len(first),)]
    file = next((folder / "statements").glob("*/*/*.parquet")).resolve()
    content = file.read_bytes()
    file.chmod(0o600)
    file.write_bytes(content[:-1] + b"X")
    code, output = finops("verify", "acme", data=data)
    assert code and file.name in output and "from a backup" in output
    output = stated.finops("show", "acme", "--month", MONTH, ok=False)
    assert "is not the file that was published" in output
    # damage of a statement stops no bill, and is reported with each run
    deliver(stated.folder / "acme" / "cur", bill("3"), MONTH, "three")
    (failed,) = made.ingest("acme").failed
    assert "statements is left out" in failed.reason and "from a backup" in failed.reason
    assert stated.rows("select sum(billed_cost) from monthly_bill")[0][0] > 20
    for table in ("statement_preview", "statements"):
        code, output = finops("query", "acme", f"from {table}", data=data)
        assert code and "from a backup" in output and "rebuild" not in output
    output = stated.finops("adjust", "acme", "--month", MONTH, ok=False)
    assert "is not the file that was published" in output
    code, output = finops("restore", str(stated.folder / "backup"), "acme", "--replace", data=data)
    assert code == 0, output
    assert read_statements(stated.installation, "acme", MONTH)[0].lines == first
    assert finops("verify", "acme", data=data)[0] == 0


def lose_the_ledger(made: TemporaryInstallation) -> None:
    for name in ("ledger.sqlite", ".ledger-copy.sqlite"):
        (made.folder("acme") / name).unlink()


def test_a_rebuilt_ledger_takes_over_only_its_own_statements(stated: Stated) -> None:
    first = stated.close().lines
    stated.close("globex")
    made, data = stated.made, stated.made.data
    (own,), (foreign,) = (published_files(made.folder(t), "statements") for t in TENANTS)
    id_of_own = made.installation.folder("acme").identity
    later = store_copy(own, own.parent, id_of_own, "* replace ('2999-01-01' as closed_at)")
    shutil.copy(foreign, own.parent)
    lose_the_ledger(made)
    code, output = finops("rebuild", "acme", data=data)
    assert code == 0, output
    aside = made.folder("acme") / ".set-aside"
    assert {path.name for path in aside.rglob("*.parquet")} == {later.name, foreign.name}
    assert read_statements(stated.installation, "acme", MONTH)[0].lines == first
    assert stated.rows("select count(*) from statements") == [(len(first),)]
    # neither another tenant's alone, nor one that names another installation
    shutil.copy(foreign, own.parent)
    store_copy(own, own.parent, Identity("acme", "of-another-installation"))
    own.unlink()
    lose_the_ledger(made)
    code, output = finops("rebuild", "acme", data=data)
    assert code == 0, output
    assert stated.rows("select count(*) from statements") == [(0,)]
    assert list_statements(stated.installation, "acme") == []
    assert len(list_statements(stated.installation, "globex")) == 2


def test_statements_restored_into_another_installation_survive_a_lost_ledger(
    stated: Stated, tmp_path: Path
) -> None:
    first = stated.close().lines
    backup, other = tmp_path / "backup", TemporaryInstallation(tmp_path / "other")
    assert finops("backup", "acme", str(backup), data=stated.made.data)[0] == 0
    other.installation.registry.ensure_installation_id()
    code, output = finops("restore", str(backup), "acme", data=other.data)
    assert code == 0, output
    lose_the_ledger(other)
    finops("rebuild", "acme", data=other.data)
    assert read_statements(other.installation, "acme", MONTH)[0].lines == first


def test_purging_a_tenant_deletes_its_statements(stated: Stated) -> None:
    stated.close("globex")
    for command in ("remove", "purge"):
        assert finops("tenant", command, "globex", "--yes", "globex", data=stated.made.data)[0] == 0
    assert not list(stated.made.data.rglob("statement-*.parquet"))
