"""The CSV that Cost Explorer's console downloads, imported with `finops ingest-file`.

Put here: its forms, the checks of totals and cells, and how a file completes an earlier one. Keep
out: the API (test_cost_explorer.py).
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TemporaryInstallation
from tests.support.globex import ask, finops
from tests.support.published_files import overwrite, published_file

BY_SERVICE = """\
"Service","EC2-Instances($)","Support (Developer)($)","S3($)","Total costs($)"
"Service total","3.5000000001","29","0.0000000002","32.5000000003"
"2026-09-30","1.25","","0.0000000001","1.2500000001"
"2026-10-01","2.2500000001","29","0.0000000001","31.2500000002"

"""
BY_ACCOUNT = """\
"Linked account","111122223333","001122334455","Total costs"
"Linked account name","Acme, Prod($)","dev($)","Total costs ($)"
"Linked account total","10.5","-0.25","10.25"
"2026-10-01","4","","4"
"2026-10-02","6.5","-0.25","6.25"
"""
LONG = """\
Date,Service,Linked account,Cost(USD)
2026-10-01,EC2-Instances,111122223333,1.5
2026-10-01,S3,Acme Dev (001122334455),0.0000000001
2026-10-02,S3,001122334455,
"""


@pytest.fixture
def made(empty: TemporaryInstallation, tmp_path: Path) -> TemporaryInstallation:
    """Two tenants that claim the same account, each with sources for imported files."""
    names = ("console", "by-account", "long")
    sources = [{"name": name, "format": "cost-explorer"} for name in names]
    sources.append({"name": "bill", "format": "legacy-cur"})
    prod = {"name": "prod", "accounts": ["111122223333"]}
    tenants = [{"name": n, "sources": sources, "projects": [prod]} for n in ("acme", "globex")]
    path = tmp_path / "tenants.yaml"
    path.write_text(json.dumps({"tenants": tenants}))
    empty.apply(path)
    return empty


def import_download(
    made: TemporaryInstallation, source: str, text: str | bytes, *more: str
) -> tuple[int, str]:
    """Run `finops ingest-file` on a download of this text; returns exit code and output."""
    path = made.data.parent / "costs.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return finops("ingest-file", f"acme/{source}", str(path), *more, data=made.data)


def rows(made: TemporaryInstallation, source: str) -> list[tuple[Any, ...]]:
    """A source's rows in the tenant's file: month, day, project, account, service, costs."""
    answer = ask(
        "select billing_period, charge_date, project, sub_account_id, service_name,"
        " billed_cost::varchar as billed, effective_cost::varchar as effective, billing_currency"
        f" from cost_explorer_daily where source = '{source}' order by all",
        "acme",
        made.data,
    )
    costs = ("billed", "effective")
    return [
        tuple(Decimal(v) if k in costs and v is not None else v for k, v in row.items())
        for row in answer
    ]


def test_by_service(made: TemporaryInstallation) -> None:
    code, out = import_download(made, "console", "\ufeff" + BY_SERVICE.replace("\n", "\r\n"))
    assert code == 0, out
    small = Decimal("0.0000000001")
    assert rows(made, "console") == [
        (*["2026-09", "2026-09-30", "unassigned"], None, *charge, None, "USD")
        for charge in (("EC2-Instances", Decimal("1.25")), ("S3", small))
    ] + [
        (*["2026-10", "2026-10-01", "unassigned"], None, *charge, None, "USD")
        for charge in (
            ("EC2-Instances", Decimal("2.2500000001")),
            ("S3", small),
            ("Support (Developer)", Decimal(29)),
        )
    ]
    assert finops("status", "globex", data=made.data)[0] == 0
    assert not any((made.folder("globex") / "landing").rglob("*.parquet"))


def test_by_account_goes_to_projects(made: TemporaryInstallation) -> None:
    code, out = import_download(made, "by-account", BY_ACCOUNT.replace("dev($)", "dev(€)"))
    assert (code, "one currency" in out) == (1, True)
    assert import_download(made, "by-account", BY_ACCOUNT.replace("($)", "(€)"))[0] == 0
    assert {row[7] for row in rows(made, "by-account")} == {"EUR"}
    code, out = import_download(made, "by-account", BY_ACCOUNT)
    assert code == 0, out
    assert rows(made, "by-account") == [
        ("2026-10", "2026-10-01", "prod", "111122223333", None, Decimal(4), None, "USD"),
        ("2026-10", "2026-10-02", "prod", "111122223333", None, Decimal("6.5"), None, "USD"),
        ("2026-10", "2026-10-02", "unassigned", "001122334455", None, Decimal("-0.25"), None,
         "USD"),
    ]  # fmt: skip


def test_the_long_form(made: TemporaryInstallation) -> None:
    code, out = import_download(made, "long", LONG, "--metric", "amortized")
    assert code == 0, out
    charges = [row[2:7] for row in rows(made, "long")]
    assert charges == [
        ("prod", "111122223333", "EC2-Instances", None, Decimal("1.5")),
        ("unassigned", "001122334455", "S3", None, Decimal("0.0000000001")),
        ("unassigned", "001122334455", "S3", None, Decimal(0)),
    ]


def test_a_metric_completes_the_other_and_replaces_itself(made: TemporaryInstallation) -> None:
    assert import_download(made, "by-account", BY_ACCOUNT)[0] == 0
    landing = (made.folder("acme"), "landing", "by-account", "2026-10")
    before = published_file(*landing).read_bytes()
    code, out = import_download(made, "by-account", BY_ACCOUNT)
    assert (code, "landed" in out) == (0, False), "the same file again changes nothing"
    assert published_file(*landing).read_bytes() == before
    amortized = BY_ACCOUNT.replace('"4","","4"', '"5","","5"').replace('"10.5"', '"11.5"')
    amortized = amortized.replace('"10.25"', '"11.25"')
    assert import_download(made, "by-account", amortized, "--metric", "amortized")[0] == 0
    first = rows(made, "by-account")[0]
    assert first[5:7] == (Decimal(4), Decimal(5))
    assert import_download(made, "by-account", SINGLE_DAY)[0] == 0
    assert [row[1:2] + row[5:7] for row in rows(made, "by-account")] == [
        ("2026-10-01", Decimal(4), Decimal(5)),
        ("2026-10-02", Decimal(7), Decimal("6.5")),
        ("2026-10-02", None, Decimal("-0.25")),
    ]


SINGLE_DAY = """\
"Linked account","111122223333","Total costs"
"Linked account name","x($)","Total costs($)"
"Linked account total","7","7"
"2026-10-02","7","7"
"""


def test_another_tenants_days_are_not_merged(made: TemporaryInstallation) -> None:
    """A landing that is not the published one is not read, and the cure that is named works."""
    assert import_download(made, "by-account", BY_ACCOUNT)[0] == 0
    foreign = made.data.parent / "foreign.csv"
    foreign.write_text(SINGLE_DAY.replace("7", "777").replace("10-02", "10-03"))
    assert finops("ingest-file", "globex/by-account", str(foreign), data=made.data)[0] == 0
    landing = ("landing", "by-account", "2026-10")
    own = published_file(made.folder("acme"), *landing)
    overwrite(own, published_file(made.folder("globex"), *landing).read_bytes())
    code, out = import_download(made, "by-account", SINGLE_DAY)
    assert code == 1 and "is not the file that was published" in out
    assert [row[5] for row in rows(made, "by-account")] == [4, Decimal("6.5"), Decimal("-0.25")]
    code, out = finops("rebuild", "acme", "--month", "2026-10", data=made.data)
    assert code == 1 and "load its files: finops ingest-file acme/by-account FILE" in out
    assert import_download(made, "by-account", BY_ACCOUNT)[0] == 0
    assert [row[5] for row in rows(made, "by-account")] == [4, Decimal("6.5"), Decimal("-0.25")]


def test_days_that_are_lost_with_their_file_are_counted(made: TemporaryInstallation) -> None:
    assert import_download(made, "by-account", BY_ACCOUNT)[0] == 0
    published_file(made.folder("acme"), "landing", "by-account", "2026-10").unlink()
    code, out = import_download(made, "by-account", SINGLE_DAY)
    assert code == 0, out
    assert "is lost; import again: 1 other day and the amortized costs" in out
    assert [row[1] for row in rows(made, "by-account")] == ["2026-10-02"]


TOTALS = {
    "a column": ('"0.0000000002"', '"0.0000000009"', "the total of S3 is 0.0000000009 USD"),
    "a day": ('"1.2500000001"', '"2.2500000001"', "the total of 2026-09-30 is 2.2500000001 USD"),
    "the corner": ('"32.5000000003"', '"32.6"', "the total is 32.6 USD"),
    "a row cut off": ('"2026-10-01","2.2500000001","29","0.0000000001","31.2500000002"\n', "",
                      "EC2-Instances is 3.5000000001 USD, but its rows add up to 1.25"),
}  # fmt: skip
MALFORMED = {
    "thousands": (
        '"29","0.0000000001"',
        '"2,900","0.0000000001"',
        "has the cost '2,900' in 2026-10-01",
    ),
    "no number": ('"1.25",""', '"NaN",""', "has the cost 'NaN'"),
    "monthly": ("2026-09-30", "2026-09-01", "has monthly costs"),
    "hourly": ("2026-09-30", "2026-09-30T01:00:00", "has a row for '2026-09-30T01:00:00'"),
    "a day twice": ("2026-09-30", "2026-10-01", "has 2026-10-01 twice"),
    "currencies": ("S3($)", "S3(USX)", "one currency"),
    "no total row": ('"Service total"', '"2026-09-29"', "no row 'Service total'"),
    "no total column": ("Total costs", "Sum", "the last column to be Total costs"),
    "a column twice": ('"S3($)"', '"EC2-Instances($)"', "two columns named 'EC2-Instances'"),
    "a cell too few": ('"1.25",', "", "row 3 has 4 cells"),
    "another form": ('"Service"', '"Region"', "begins with 'Region'"),
}


def test_a_wrong_file_is_refused_and_changes_nothing(
    made: TemporaryInstallation,
) -> None:
    assert import_download(made, "console", BY_SERVICE)[0] == 0
    before = rows(made, "console")
    for name, (old, new, reason) in {**TOTALS, **MALFORMED}.items():
        assert old in BY_SERVICE
        code, out = import_download(made, "console", BY_SERVICE.replace(old, new, 1))
        assert code == 1, name
        assert f"costs.csv {reason}" in out or reason in out, (name, out)
        assert "Traceback" not in out
    for raw in (b"", b"\xff\xfe\x00", b'"Service"\n', b"\n\n\n"):
        code, out = import_download(made, "console", raw)
        assert (code, "costs.csv" in out) == (1, True), raw
    code, out = import_download(made, "by-account", BY_ACCOUNT.replace("001122334455", "dev team"))
    assert (code, "names the account 'dev team'" in out) == (1, True)
    assert rows(made, "console") == before


def test_two_cuts_of_a_day_do_not_count_twice(made: TemporaryInstallation) -> None:
    assert import_download(made, "console", BY_SERVICE)[0] == 0
    code, out = import_download(made, "console", BY_ACCOUNT, "--metric", "amortized")
    assert code == 1
    assert "costs of that day with another breakdown" in out
    assert "Declare a source for each breakdown" in out
    assert {row[3] for row in rows(made, "console")} == {None}
    assert import_download(made, "console", BY_ACCOUNT)[0] == 0, "the same metric: the newest wins"
    assert {row[4] for row in rows(made, "console") if row[0] == "2026-10"} == {None}


def test_a_metric_is_for_cost_explorer_only(made: TemporaryInstallation) -> None:
    code, out = import_download(made, "bill", BY_SERVICE, "--metric", "amortized")
    assert code == 1
    assert "a source of the format cost-explorer" in out


def test_totals_may_be_rounded(made: TemporaryInstallation) -> None:
    """Totals summed as floats or cut to cents, over columns of 10 decimals, are accepted."""
    rounded = BY_SERVICE.replace('"3.5000000001"', '"3.5"').replace('"32.5000000003"', '"32.5"')
    rounded = rounded.replace('"0.0000000002"', '"0"').replace('"1.2500000001"', '"1.25"')
    rounded = rounded.replace('"31.2500000002"', '"31.25"')
    code, out = import_download(made, "console", rounded)
    assert code == 0, out
