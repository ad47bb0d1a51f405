"""The demo: two fictitious organisations with real export formats, run through Dagster.

Put here: the script of `make demo` and its output. Keep out: anything that other code needs.
Run as `python -m finops_pipeline.demo SEED MONTHS` with DAGSTER_HOME set.
"""

from __future__ import annotations

import sys

import dagster as dg
import typer

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.cli.show import complain, table
from finops_pipeline.errors import FinopsError, RegistryError
from finops_pipeline.orchestration.runs import materialize_tenant
from finops_pipeline.reconciliation.states import ReconciliationState
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.grants import NewGrant
from finops_pipeline.serve.access.token_administration import TokenAdministration, TokenRequest
from finops_pipeline.serve.access.verified_access import Role
from finops_pipeline.serve.queries import Query, open_answer
from finops_pipeline.settings import load_settings
from finops_pipeline.synthetic.estate import write_estate
from finops_pipeline.tenants.declare import apply, read_declaration
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.months import shift

BY_ENVIRONMENT = """
select billing_period, environment, billing_currency,
    sum(billed_cost) as billed_cost, sum(effective_cost) as effective_cost
from monthly_costs
group by all
order by all
"""

API_ADDRESS = "http://127.0.0.1:8000"
"""Where `finops serve` listens, unless it is given another port."""

_LABEL = "made by the demo"


def run(seed: int, months: int) -> None:
    """Write the bills, declare their tenants, run every stage and print the result.

    Raises:
        RegistryError: this installation has other tenants with the demo's names.
    """
    installation = Installation(load_settings())
    exports = installation.settings.data_folder / "demo-exports"
    last = clock.this_month()
    span = [shift(last, offset) for offset in range(1 - months, 1)]
    start = clock.stopwatch()
    _refuse_real_tenants(installation, str(exports))
    declaration = write_estate(exports, seed=seed, last_month=last, months=months)
    _print_progress(f"Made the bills of two organisations, {span[0]} to {last}: {exports}", start)
    declared = read_declaration(declaration)
    for line in apply(installation.registry, declared):
        typer.echo(f"  {line}")
    with dg.DagsterInstance.get() as instance:
        for tenant in declared:
            registered = installation.registry.tenant(tenant.name)
            materialize_tenant(instance, installation, registered, span)
            _print_progress(
                f"Materialized landing, costs and warehouse of {tenant.name} in Dagster", start
            )
    trusted = [_show(installation, tenant) for tenant in declared]
    _print_next_steps(installation, declared)
    if not all(trusted):
        raise RegistryError(
            "some months of the demo do not reconcile",
            "every month to be reconciled or open",
            "See which ones and why: finops status",
        )


def _refuse_real_tenants(installation: Installation, exports: str) -> None:
    for tenant in installation.registry.tenants():
        if tenant.name in ("acme", "globex"):
            for source in tenant.sources:
                if not source.location.startswith(exports):
                    raise RegistryError(
                        f"this installation already has a source {tenant.name}/{source.name}",
                        "a data folder without tenants acme and globex",
                        "Run the demo elsewhere: FINOPS_DATA=elsewhere make demo",
                    )


def _show(installation: Installation, tenant: Tenant) -> bool:
    typer.echo(f"\n{tenant.display_name} ({tenant.name})")
    with open_answer(installation, tenant.name, Query(BY_ENVIRONMENT)) as answer:
        names = answer.execute()
        table(names, answer.rows(), "cost by month and environment")
    statuses = installation.status(tenant.name)
    table(
        ("source", "billing_period", "state", "rows_read", "rows_quarantined", "bill", "charges"),
        [
            (
                status.source,
                status.billing_period,
                status.state,
                status.rows_read,
                status.rows_quarantined,
                status.source_cost,
                status.billed_cost,
            )
            for status in statuses
        ],
        "reconciliation: the total of the files, and that of the charges of all projects",
    )
    right = (ReconciliationState.RECONCILED, ReconciliationState.OPEN)
    return all(status.state in right for status in statuses)


def _print_next_steps(installation: Installation, tenants: list[Tenant]) -> None:
    finops = f"{sys.prefix}/bin/finops"
    typer.echo("\nNext steps:")
    for tenant in tenants:
        typer.echo(f"  {finops} open {tenant.name}      # the line that opens its DuckDB file")
    typer.echo(
        f"  {finops} costs acme --environment production --by service\n"
        f'  {finops} query acme "select * from monthly_costs limit 5"\n'
        f"  {finops} status\n"
        "  make dagster                # Dagster's UI on http://127.0.0.1:3000\n"
        f"  {finops} serve                # the API; then, as one organisation and the other:"
    )
    for line in api_lines(installation, tenants):
        typer.echo(f"  {line}")


def api_lines(
    installation: Installation, tenants: list[Tenant], address: str = API_ADDRESS
) -> list[str]:
    """Give each tenant a new token; return a line for curl that asks the API with it.

    Tokens of an earlier demo are revoked.
    """
    administration = TokenAdministration(AccessControl(installation), Actor.command_line())
    for token in administration.tokens():
        if token.label == _LABEL and token.state == "active":
            administration.revoke(token.prefix)
    lines = []
    for tenant in tenants:
        asked = TokenRequest(f"{tenant.name}/demo", 30, _LABEL, NewGrant(Role.ANALYST))
        created = administration.create(asked)
        url = f"{address}/v1/tenants/{tenant.name}/costs?environment=production&group_by=service"
        lines.append(f'curl -H "Authorization: Bearer {created.text}" "{url}"')
    return lines


def _print_progress(message: str, start: float) -> None:
    typer.echo(f"[{clock.stopwatch() - start:5.1f} s] {message}")


def main() -> int:
    """Run the demo from the command line and return the exit code."""
    try:
        run(int(sys.argv[1]), int(sys.argv[2]))
    except FinopsError as error:
        complain(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
