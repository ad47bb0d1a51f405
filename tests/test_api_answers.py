"""What the API answers: the same numbers as the command line, true to its own description.

Put here: examples, pages, exports, SQL, bad requests. Keep out: who may ask (test_api_access.py).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import openapi_spec_validator
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_pipeline.contracts.tables import MARTS
from finops_pipeline.marts.use_cases import use_case
from finops_pipeline.serve.api.answer_models import ProblemDetails
from finops_pipeline.serve.api.endpoint_table import endpoints
from finops_pipeline.serve.api.export_endpoints import exportable_tables
from finops_pipeline.serve.api.openapi_document import openapi_document
from finops_pipeline.serve.api.request_parameters import Mover
from finops_pipeline.serve.exact_json import exact_json
from tests.conftest import TemporaryInstallation
from tests.support.published_files import copy_installation
from tests.support.served_tenants import TENANTS, ServedTenants, serve_tenants


@pytest.fixture(scope="module")
def served(
    built: TemporaryInstallation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedTenants]:
    """Both tenants, served by one process."""
    data = tmp_path_factory.mktemp("served") / "data"
    copy_installation(built.data, data)
    with serve_tenants(data, serve_requests_per_minute=100_000) as served:
        yield served


@pytest.mark.parametrize("tenant", TENANTS)
@pytest.mark.parametrize("endpoint", endpoints(), ids=lambda e: f"{e.method} {e.path}")
def test_every_example_is_answered_as_described(
    served: ServedTenants, endpoint: Any, tenant: str
) -> None:
    response = served.send_example(endpoint, tenant)
    assert response.status_code == endpoint.status, response.text
    other = "globex" if tenant == "acme" else "acme"
    assert other not in response.text.lower()
    if endpoint.model:
        answer = endpoint.model.model_validate_json(response.content)
        assert answer.model_dump()
    headers = response.headers
    assert headers["cache-control"] == "private, no-store"
    assert headers["vary"] == "Authorization, Cookie"
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


def test_costs_are_those_of_the_command_line(
    served: ServedTenants, built: TemporaryInstallation
) -> None:
    question = {
        "start": "2026-08",
        "end": "2026-10",
        "group_by": ["service", "project"],
        "basis": "billed",
        "limit": 7,
        "filters": [{"field": "service", "values": ["AmazonS3"], "is_excluded": True}],
    }
    for tenant in TENANTS:
        answer = served.post(f"/tenants/{tenant}/costs", tenant, json=question).json()
        by_get = served.get(
            f"/tenants/{tenant}/costs?start=2026-08&end=2026-10&group_by=service&group_by=project"
            "&basis=billed&limit=7&where=service!%3DAmazonS3",
            tenant,
        ).json()
        out = built.finops(
            "costs", tenant, "--from", "2026-08", "--to", "2026-10", "--by", "service,project",
            "--basis", "billed", "--limit", "7", "--where", "service!=AmazonS3",
            "--format", "json",
        ).stdout  # fmt: skip
        expected = json.loads(out, parse_float=Decimal)
        assert answer == by_get
        amounts = [Decimal(row["billed_cost"]) for row in answer["rows"]]
        assert amounts == [row["billed_cost"] for row in expected["rows"]]
        assert all(isinstance(row["billed_cost"], str) for row in answer["rows"])
        assert Decimal(answer["totals"][0]["total"]) == expected["totals"][0]["total"]
        assert answer["sql"] == expected["sql"]


@pytest.mark.parametrize("tenant", TENANTS)
def test_an_answer_about_days_names_the_months_that_bill_them(
    served: ServedTenants, tenant: str
) -> None:
    days = "between date '2026-10-05' and date '2026-10-07'"
    asked = {"sql": f"select distinct billing_period from daily_costs where charge_date {days}"}
    billed = served.post(f"/tenants/{tenant}/sql", tenant, json=asked).json()["rows"]
    path = f"/tenants/{tenant}/costs?start=2026-10-05&end=2026-10-07"
    answer = served.get(path, tenant).json()
    named = {month["billing_period"] for month in answer["months"]}
    assert named == {month for (month,) in billed} | {"2026-10"}
    every = served.get(f"/tenants/{tenant}/costs?start=2020-01&end=2026-12", tenant).json()
    assert named < {month["billing_period"] for month in every["months"]}
    assert answer["missing_months"] == []


def test_pages_together_are_the_whole(served: ServedTenants) -> None:
    whole = served.get("/tenants/acme/reconciliation?page_size=1000").json()["rows"]
    assert len(whole) > 5
    rows, cursor, second = [], "", ""
    while cursor is not None and len(rows) < len(whole):
        page = served.get(f"/tenants/acme/reconciliation?page_size=4{cursor}").json()
        rows += page["rows"]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
        second = second or cursor
    assert rows == whole
    pages = [f"/tenants/acme/reconciliation?page_size={size}" for size in (4, 5)]
    tags = {served.get(page).headers["etag"] for page in (*pages, f"{pages[0]}{second}")}
    assert len(tags) == 3, "every page has a tag of its own"
    movers = served.get("/tenants/acme/drivers?by=resource&least=0").json()["rows"]
    first = served.get("/tenants/acme/drivers?by=resource&least=0&page_size=2").json()
    second = served.get(
        f"/tenants/acme/drivers?by=resource&least=0&page_size=2&cursor={first['next_cursor']}"
    ).json()
    assert [*first["rows"], *second["rows"]] == movers[:4]


def test_an_answer_that_is_asked_for_again_is_the_same(served: ServedTenants) -> None:
    path = "/tenants/acme/costs?last=3+months&group_by=service"
    first, second = served.get(path), served.get(path)
    assert first.content == second.content
    assert first.headers["etag"] == second.headers["etag"]
    unchanged = served.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


@pytest.mark.parametrize("tenant", TENANTS)
@pytest.mark.parametrize("table", ["monthly_costs", "costs", "projects"])
def test_an_export_has_every_row_in_every_format(
    served: ServedTenants, tenant: str, table: str
) -> None:
    path = f"/tenants/{tenant}/exports/{table}"
    count = served.post(
        f"/tenants/{tenant}/sql", tenant, json={"sql": f"select count(*) from {table}"}
    ).json()["rows"][0][0]
    text = served.get(f"{path}?format=csv", tenant)
    assert text.headers["content-type"] == "text/csv; charset=utf-8"
    assert f'filename="{tenant}-{table}.csv"' in text.headers["content-disposition"]
    records = list(csv.DictReader(io.StringIO(text.text)))
    parquet = pq.read_table(io.BytesIO(served.get(f"{path}?format=parquet", tenant).content))
    arrow = pa.ipc.open_stream(served.get(f"{path}?format=arrow", tenant).content).read_all()
    assert len(records) == parquet.num_rows == arrow.num_rows == count > 0
    assert parquet.schema.names == arrow.schema.names == list(records[0])
    if table == "monthly_costs":
        expected = sum(Decimal(record["billed_cost"]) for record in records)
        assert sum(parquet["billed_cost"].to_pylist()) == expected


def test_only_tables_of_the_contract_are_exported(served: ServedTenants) -> None:
    tables = served.get("/tenants/acme/exports").json()["tables"]
    assert {entry["table"] for entry in tables} == set(exportable_tables()) >= set(MARTS)
    for table in ("nothing", "partition_files", "..%2Fglobex", "costs;drop", "duckdb_tables"):
        response = served.get(f"/tenants/acme/exports/{table}")
        assert response.status_code in (404, 422), table
    months = served.get("/tenants/acme/exports/projects?start=2026-10")
    assert months.status_code == 422


def test_sql_says_when_it_was_cut(served: ServedTenants) -> None:
    answer = served.post("/tenants/acme/sql", json={"sql": "select range as i from range(5)",
                                                    "limit": 3}).json()  # fmt: skip
    assert answer["rows"] == [[0], [1], [2]]
    assert answer["truncated"] is True
    assert answer["columns"] == [{"name": "i", "type": "BIGINT"}]
    whole = served.post("/tenants/acme/sql", json={"sql": "select 1.50::decimal(38, 18) as a"})
    assert whole.json()["rows"] == [["1.5"]]
    assert whole.json()["truncated"] is False
    bound = {"sql": "select $name as n", "values": {"name": "x'; --"}}
    assert served.post("/tenants/acme/sql", json=bound).json()["rows"] == [["x'; --"]]


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", "/costs?unknown=1", {}, 422),
        ("GET", "/costs?start=2026-12&end=2026-01", {}, 422),
        ("GET", "/costs?last=10000+years", {}, 422),
        ("GET", "/costs?" + "&".join("group_by=service" for _ in range(40)), {}, 422),
        ("GET", "/costs?service=nosuchservice", {}, 422),
        ("GET", "/costs?where=service", {}, 422),
        ("GET", "/costs?basis=gross", {}, 422),
        ("GET", "/projects?page_size=0", {}, 422),
        ("GET", "/projects?page_size=1001", {}, 422),
        ("GET", "/status?start=2026-13", {}, 422),
        ("GET", "/status?start=2026-10&end=2026-09", {}, 422),
        ("GET", "/drivers?by=tenant", {}, 422),
        ("GET", "/drivers?least=1e9", {}, 422),
        ("GET", "/commitments?days=x", {}, 422),
        ("POST", "/costs", {"content": b"{not json"}, 422),
        ("POST", "/costs", {"content": b"\xff\xfe"}, 422),
        ("POST", "/costs", {"content": b"[" * 50_000}, 422),
        ("POST", "/costs", {"json": ["service"]}, 422),
        ("POST", "/costs", {"json": {"tenant": "globex"}}, 422),
        ("POST", "/costs", {"json": {"order": "largest_change"}}, 422),
        ("POST", "/costs", {"json": {"filters": [{"field": "service", "values": ["x" * 2000]}]}},
         422),
        ("POST", "/costs", {"content": b'"' + b"x" * 1_000_001 + b'"'}, 413),
        ("POST", "/sql", {"json": {"sql": "delete from costs"}}, 422),
        ("POST", "/sql", {"json": {"sql": "select * from read_csv('/etc/passwd')"}}, 422),
        ("POST", "/sql", {"json": {"sql": "select nosuchcolumn from projects"}}, 422),
        ("POST", "/sql", {"json": {"sql": "select 1", "limit": 10_001}}, 422),
        ("POST", "/sql", {"json": {"sql": "select 1", "tenant": "globex"}}, 422),
        ("POST", "/sql", {"json": {"sql": "select error('x')"}}, 422),
        ("GET", "/nothing", {}, 404),
        ("GET", "/projects/", {}, 404),
        ("GET", "//projects", {}, 404),
        ("DELETE", "/projects", {}, 405),
    ],
    ids=lambda value: str(value)[:50],
)  # fmt: skip
def test_a_bad_request_is_answered_with_a_problem(
    served: ServedTenants, method: str, path: str, options: dict[str, Any], status: int
) -> None:
    response = served.send(method, f"/tenants/acme{path}", "acme", **options)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = ProblemDetails.model_validate_json(response.content)
    assert problem.status == status
    assert problem.request_id == response.headers["x-request-id"]
    assert problem.found
    assert len(response.content) < 6_000
    assert "/lake/" not in response.text


def test_a_request_id_of_ones_own_is_used_if_it_is_well_formed(served: ServedTenants) -> None:
    for given, is_used in (("my-request-1", True), ("x", False), ("a b c d e f", False),
                           ("a" * 65, False), ("<script>alert</script>", False)):  # fmt: skip
        response = served.get("/me", headers={"X-Request-ID": given})
        assert (response.headers["x-request-id"] == given) is is_used


def test_a_defect_says_nothing_about_itself(
    served: ServedTenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(scope: Any) -> Any:
        raise ZeroDivisionError("globex /secret/path")

    monkeypatch.setattr(served.services.pool, "generation", break_down)
    response = served.get("/tenants/acme/projects")
    assert response.status_code == 500
    assert response.json()["type"] == "urn:finops:problem:internal-error"
    assert "secret" not in response.text
    assert "ZeroDivision" not in response.text


def test_the_openapi_document_is_valid() -> None:
    document = openapi_document()
    openapi_spec_validator.validate(document)
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["security"] == [{"HTTPBearer": []}, {"SessionCookie": []}]
            assert operation["summary"]
            assert operation["description"]


def test_movers_can_be_broken_down_by_what_the_query_takes() -> None:
    assert use_case("movers").values["by"].split(" | ") == [mover.value for mover in Mover]


def test_json_is_exact() -> None:
    value = {"a": Decimal("0.10"), "b": Decimal("1E+3"), "c": float("nan"), 3: [b"\x01"]}
    assert exact_json(value) == b'{"a":"0.1","b":"1000","c":null,"3":["01"]}'
