"""Files that other programs have changed: account ids read as numbers, fields missing or added.

Put here: what is repaired and reported, and what is refused. Keep out: values of kept rows that
cannot be read (test_unreadable_values.py), damaged deliveries (test_bad_input.py).
"""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import duckdb
import pytest

from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.foreign_bills import ForeignBills, built_foreign, foreign
from tests.support.globex import ask

__all__ = ["built_foreign", "foreign"]


def test_account_ids_of_a_spreadsheet_regain_their_zeros(foreign: ForeignBills) -> None:
    payer = "bill/PayerAccountId"
    ids = ("42", "1122334455.0", "000000000042", "111122223333.00", "4.2E+10", "unknown")
    lines = [
        row(str(2**number), account=id) | {payer: "7" if id == "unknown" else "111122223333"}
        for number, id in enumerate(ids)
    ]
    foreign.charges("legacy-cur", lines)
    by_account = foreign.ask(
        "select SubAccountId as a, BillingAccountId as p, sum(BilledCost)::int as b from costs"
        " group by all order by b"
    )
    assert [tuple(line.values()) for line in by_account] == [
        ("001122334455", "111122223333", 2),
        ("000000000042", "111122223333", 5),
        ("111122223333", "111122223333", 8),
        ("4.2E+10", "111122223333", 16),
        ("unknown", "000000000007", 32),
    ]
    assert foreign.ask("select project, sum(BilledCost)::int as b from costs where project = 'prod'"
                       " group by all") == [{"project": "prod", "b": 8}]  # fmt: skip
    status = foreign.status()
    assert status["account_ids_restored"] == 4
    assert "account ids of 4 rows had lost leading zeros" in status["reason"]


def test_account_ids_of_a_focus_export_regain_them_too(foreign: ForeignBills) -> None:
    focus_row = {
        "BilledCost": "5", "EffectiveCost": "5", "BillingCurrency": "USD",
        "BillingPeriodStart": "2026-09-01T00:00:00Z", "ChargeCategory": "Usage",
        "ChargePeriodStart": "2026-09-05T00:00:00Z", "SubAccountId": "42",
    }  # fmt: skip
    path = foreign.write_records("bill.csv", [list(focus_row), list(focus_row.values())])
    assert "account ids of 1 row restored to 12 digits" in foreign.ingest_file("focus", path)
    assert foreign.ask("select SubAccountId as a from costs") == [{"a": "000000000042"}]
    owners = [
        ("Snowflake", "Snowflake", "42"),
        ("NULL", "Microsoft", "42"),
        ("NULL", "Amazon Web Services, Inc.", "000000000042"),
        ("AWS", "A reseller", "000000000042"),
        ("NULL", "NULL", "000000000042"),
    ]
    lines = [
        focus_row | {"ProviderName": provider, "InvoiceIssuerName": issuer, "BilledCost": str(cost)}
        for cost, (provider, issuer, _) in enumerate(owners)
    ]
    charges = foreign.charges("focus", lines)
    restored = {int(float(c["BilledCost"])): c["SubAccountId"] for c in charges}
    assert restored == {cost: account for cost, (_, _, account) in enumerate(owners)}


@pytest.mark.parametrize(("change", "found"), [(-1, "6"), (+1, "8")])
def test_records_with_more_or_fewer_fields_than_the_header(
    foreign: ForeignBills, change: int, found: str
) -> None:
    header = [*row("1"), "resourceTags/user:Team"]
    record = [*row("1000").values(), "pay"]
    records = [record[:change] if change < 0 else [*record, "more"]] * 3
    path = foreign.write_records("bill.csv", [header, *records])
    said = foreign.ingest_file("legacy-cur", path, ok=False)
    assert f"bill.csv has 7 fields in its header, but {found} in each record" in said
    assert "as many fields in each record as in the header" in said
    assert "Download or export the file again" in said
    assert ask("select sum(BilledCost)::int as b from costs") == [{"b": 3}]


def test_a_delivery_of_such_records_is_refused_with_the_reason(
    empty: TemporaryInstallation, tmp_path: Path
) -> None:
    """The month that was published stays, and its status has the reason."""
    declared = "tenants:\n"
    for tenant in ("acme", "globex"):
        declared += (
            f"- name: {tenant}\n"
            f"  sources: [{{name: payer, format: legacy-cur, location: {tenant}/cur}}]\n"
            "  projects: [{name: prod, accounts: ['111122223333']}]\n"
        )
        deliver(tmp_path / tenant / "cur", [row("3")])
    (tmp_path / "tenants.yaml").write_text(declared)
    empty.apply(tmp_path / "tenants.yaml")
    for tenant in ("acme", "globex"):
        assert not empty.ingest(tenant).failed
    manifest = deliver(tmp_path / "acme/cur", [row("4"), row("5")], assembly="two")
    file = manifest.with_name("cur-1.csv.gz")
    header, *records = gzip.decompress(file.read_bytes()).decode().splitlines()
    short = [record.rpartition(",")[0] for record in records]
    file.write_bytes(gzip.compress("\n".join([header, *short]).encode()))
    assert empty.ingest("acme").failed
    for tenant in ("acme", "globex"):
        assert empty.rows(tenant, "select BilledCost::int as b from costs") == [{"b": "3"}]
    (status,) = empty.rows("acme", "select reason from data_status")
    assert "cur-1.csv.gz has 6 fields in its header, but 5 in each record" in status["reason"]


def test_the_log_of_another_tenants_file_is_not_replayed(
    empty: TemporaryInstallation, tmp_path: Path
) -> None:
    """DuckDB itself refuses it: the files of two tenants never have the same id."""
    lines = ["tenants:"]
    for name in ("acme", "globex"):
        deliver(tmp_path / name, [row("1")])
        source = f"{{name: payer, format: legacy-cur, location: {tmp_path / name}}}"
        lines += [f"  - name: {name}", f"    sources: [{source}]"]
    (tmp_path / "tenants.yaml").write_text("\n".join(lines))
    empty.apply(tmp_path / "tenants.yaml")
    copies = {}
    for name in ("acme", "globex"):
        assert not empty.ingest(name).failed
        copies[name] = tmp_path / f"{name}.duckdb"
        shutil.copy(empty.installation.folder(name).warehouse, copies[name])
    log = tmp_path / "acme.duckdb.wal"
    with duckdb.connect(copies["acme"]) as writer:
        writer.execute("pragma disable_checkpoint_on_shutdown")
        writer.execute("insert into projects (project) values ('secret of acme')")
        shutil.copy(log, tmp_path / "globex.duckdb.wal")
    with pytest.raises(duckdb.Error):
        duckdb.connect(copies["globex"])
