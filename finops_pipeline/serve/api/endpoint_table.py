"""Every address of the API: method, path, who may use it, what answers.

Put here: the table, and adding it to an application. Keep out: the endpoints themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from inspect import cleandoc
from typing import Any

from fastapi import APIRouter, Security
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from finops_pipeline.contracts.waste_tables import WASTE_FINDINGS
from finops_pipeline.serve.api.admin_endpoints import (
    create_token,
    give_grant,
    list_audit,
    list_grants,
    list_tenant_tokens,
    revoke_token,
    take_grant,
)
from finops_pipeline.serve.api.admin_models import AuditPage, Grants, NewTokenAnswer, Tokens
from finops_pipeline.serve.api.answer_models import (
    Caller,
    Costs,
    DriverRow,
    EnvironmentRow,
    ExportableTables,
    OpenTenants,
    Page,
    RequiredTagCoverageRow,
    SqlAnswer,
    TagCoverageRow,
    commitment_row,
    transfer_row,
)
from finops_pipeline.serve.api.cost_endpoints import ask_costs, get_costs, run_sql
from finops_pipeline.serve.api.export_endpoints import export_table, list_exports
from finops_pipeline.serve.api.ingest_endpoints import list_ingests, request_ingest, show_ingest
from finops_pipeline.serve.api.invoice_endpoints import (
    enter_invoice,
    list_invoice_totals,
    withdraw_invoice,
)
from finops_pipeline.serve.api.principal_endpoints import list_tenants, show_caller
from finops_pipeline.serve.api.project_endpoints import (
    create_project,
    list_declared_projects,
    preview_claims,
    remove_project,
    rename_project,
    update_project,
)
from finops_pipeline.serve.api.report_endpoints import (
    list_commitments,
    list_data_transfer,
    list_drivers,
    list_required_tag_coverage,
    list_tag_coverage,
)
from finops_pipeline.serve.api.row_models import row_model
from finops_pipeline.serve.api.rule_endpoints import (
    delete_rule,
    list_declared_rules,
    put_rules,
    try_rules,
)
from finops_pipeline.serve.api.table_endpoints import (
    LISTED_TABLES,
    list_environments,
    table_endpoint,
)
from finops_pipeline.serve.api.verified_route import (
    AdminRoute,
    AnalystRoute,
    PrincipalRoute,
    ReaderRoute,
)
from finops_pipeline.serve.api.waste_endpoints import list_waste
from finops_pipeline.serve.api.write_models import (
    Changes,
    ClaimPreviewAnswer,
    DeclaredProjects,
    DeclaredRuleList,
    IngestAnswer,
    Ingests,
    InvoiceAnswer,
    Invoices,
    RuleTrial,
)

PREFIX = "/v1"
OF_TENANT = "/tenants/{tenant}"


@dataclass(frozen=True)
class Endpoint:
    """One method of one address.

    `example`: a request below /v1 for the documentation, which a test sends; for a POST `body` is
    its JSON.
    """

    action: str
    path: str
    function: Callable[..., Any]
    model: type[BaseModel] | None
    example: str
    method: str = "GET"
    route: type[PrincipalRoute] = ReaderRoute
    body: str = ""
    summary: str = ""
    status: int = 200

    @property
    def has_entity_tag(self) -> bool:
        """Whether an answer can be asked for again by its entity tag."""
        is_export = self.function in (export_table, list_exports)
        return self.method == "GET" and self.route is ReaderRoute and not is_export


@cache
def endpoints() -> tuple[Endpoint, ...]:
    """List every endpoint."""
    return (
        _of_caller("me", show_caller, Caller),
        _of_caller("tenants", list_tenants, OpenTenants),
        *_of_tables(),
        _of_tenant("environments", list_environments, Page[EnvironmentRow]),
        _of_tenant("costs", get_costs, Costs, "?environment=prod&last=3+months&group_by=service"),
        Endpoint(
            "costs", f"{OF_TENANT}/costs", ask_costs, Costs, "/tenants/acme/costs", "POST",
            body='{"last": "3 months", "group_by": ["service"], "limit": 5}',
        ),
        _of_tenant("drivers", list_drivers, Page[DriverRow], "?by=service&least=10"),
        _of_tenant("commitments", list_commitments, Page[commitment_row()], "?days=90"),  # type: ignore[arg-type,misc]
        _of_tenant("tag-coverage", list_tag_coverage, Page[TagCoverageRow], "?tag=Team"),
        _of_tenant(
            "required-tag-coverage", list_required_tag_coverage, Page[RequiredTagCoverageRow]
        ),
        _of_tenant("data-transfer", list_data_transfer, Page[transfer_row()], "?start=2026-09"),  # type: ignore[arg-type,misc]
        _of_tenant("waste", list_waste, Page[row_model(WASTE_FINDINGS)], "?state=found"),  # type: ignore[arg-type,misc]
        Endpoint(
            "sql", f"{OF_TENANT}/sql", run_sql, SqlAnswer, "/tenants/acme/sql", "POST",
            AnalystRoute,
            '{"sql": "select project, sum(billed_cost) as cost from monthly_costs group by all"}',
        ),
        _of_tenant("exports", list_exports, ExportableTables),
        Endpoint(
            "export", f"{OF_TENANT}/exports/{{table}}", export_table, None,
            "/tenants/acme/exports/monthly_costs?format=csv&start=2026-10",
        ),
        *_for_admins(),
        *_declarations(),
    )  # fmt: skip


_PROJECT = '{"name": "web-shop", "environment": "prod", "claims": [{"tags": {"Team": ["web"]}}]}'
_RULES = (
    '{"names": ["team"], "rules": [{"name": "web-team", "dimension": "team", "value": "web",'
    ' "when": {"tags": {"Team": ["web", "shop"]}}}]}'
)
_INVOICE = '{"source": "payer", "month": "2026-10", "amount": "12345.67", "currency": "USD"}'
_OF_INVOICE = "?source=payer&month=2026-10"


def _declarations() -> Iterator[Endpoint]:
    """Yield what administrators declare, enter and ask for: action, path, what answers."""
    one, rule = "/projects/{project}", "/rules/{rule}"
    for method, action, path, function, model, body in (
        ("GET", "declared-projects", "", list_declared_projects, DeclaredProjects, ""),
        ("POST", "projects", "", create_project, Changes, _PROJECT),
        ("PATCH", "projects", one, update_project, Changes, '{"environment": "prod"}'),
        ("POST", "project-names", f"{one}/name", rename_project, Changes, '{"name": "shop"}'),
        ("DELETE", "projects", one, remove_project, Changes, ""),
        ("POST", "project-preview", "", preview_claims, ClaimPreviewAnswer,
         f'{{"projects": [{_PROJECT}]}}'),
        ("GET", "rules", "", list_declared_rules, DeclaredRuleList, ""),
        ("PUT", "rules", "", put_rules, Changes, _RULES),
        ("POST", "rule-test", "", try_rules, RuleTrial, _RULES),
        ("DELETE", "rules", rule, delete_rule, Changes, ""),
        ("GET", "invoices", "", list_invoice_totals, Invoices, ""),
        ("PUT", "invoices", "", enter_invoice, InvoiceAnswer, _INVOICE),
        ("DELETE", "invoices", "", withdraw_invoice, InvoiceAnswer, ""),
        ("GET", "ingests", "", list_ingests, Ingests, ""),
        ("POST", "ingests", "", request_ingest, IngestAnswer, ""),
        ("GET", "ingest", "/ingests/{request_id}", show_ingest, IngestAnswer, ""),
    ):  # fmt: skip
        path = path or f"/{action}"
        query = _OF_INVOICE if function is withdraw_invoice else ""
        query = "?confirmation=staging" if function is remove_project else query
        names = {"project": "prod", "rule": "web-team", "request_id": "0123456789abcdef"}
        names["project"] = "staging" if function in (remove_project, rename_project) else "prod"
        example = f"/tenants/acme{path}{query}".format(**names)
        status = {create_project: 201, request_ingest: 202}.get(function, 200)
        yield Endpoint(
            action, OF_TENANT + path, function, model, example, method, AdminRoute, body,
            status=status,
        )  # fmt: skip


def _for_admins() -> Iterator[Endpoint]:
    grant = '{"principal": "acme/reports", "role": "viewer", "environments": ["prod"]}'
    token = '{"principal": "acme/reports", "days": 30, "role": "viewer"}'
    for method, path, function, model, query, body, status in (
        ("GET", "/audit", list_audit, AuditPage, "?page_size=2", "", 200),
        ("GET", "/grants", list_grants, Grants, "", "", 200),
        ("GET", "/tokens", list_tenant_tokens, Tokens, "", "", 200),
        ("POST", "/tokens", create_token, NewTokenAnswer, "", token, 201),
        ("POST", "/grants", give_grant, None, "", grant, 204),
        ("DELETE", "/grants", take_grant, None, "?principal=acme/reports", "", 204),
        ("DELETE", "/tokens/{prefix}", revoke_token, None, "", "", 204),
    ):
        yield Endpoint(
            path.split("/")[1],
            OF_TENANT + path,
            function,
            model,
            f"/tenants/acme{path}{query}".format(prefix="fow_9ZxYw3Ab"),
            method,
            AdminRoute,
            body,
            status=status,
        )


def _of_caller(action: str, function: Callable[..., Any], model: type[BaseModel]) -> Endpoint:
    return Endpoint(action, f"/{action}", function, model, f"/{action}", route=PrincipalRoute)


def _of_tenant(
    action: str, function: Callable[..., Any], model: type[BaseModel], query: str = ""
) -> Endpoint:
    path = f"{OF_TENANT}/{action}"
    return Endpoint(action, path, function, model, path.format(tenant="acme") + query)


def _of_tables() -> Iterator[Endpoint]:
    for path, table in LISTED_TABLES.items():
        yield Endpoint(
            path.strip("/").replace("/", "-"),
            f"{OF_TENANT}{path}",
            table_endpoint(table),
            Page[row_model(table)],  # type: ignore[arg-type,misc]
            f"/tenants/acme{path}?page_size=2",
            summary=table.meaning,
        )


def add_endpoints(router: APIRouter) -> None:
    """Add the routes of all endpoints."""
    bearer = HTTPBearer(auto_error=False, description="A token from `finops token create`.")
    for endpoint in endpoints():
        router.add_api_route(
            PREFIX + endpoint.path,
            endpoint.function,
            methods=[endpoint.method],
            name=endpoint.action,
            summary=endpoint.summary or _first_line(endpoint.function),
            description=endpoint.summary or cleandoc(endpoint.function.__doc__ or ""),
            response_model=endpoint.model,
            status_code=endpoint.status,
            dependencies=[Security(bearer)],
            operation_id=f"{endpoint.method.lower()}_{endpoint.action.replace('-', '_')}",
            route_class_override=endpoint.route,
        )


def _first_line(function: Callable[..., Any]) -> str:
    return (function.__doc__ or "").partition("\n")[0]
