"""Commands that declare the claims of a project, list them and remove one.

Put here: `project add`, `project release`, `project show`. Keep out: the rules (tenants/), what
claims would move (project_preview.py), lists of projects (declarations.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Annotated

import typer

from finops_pipeline.cli.declarations import print_changes
from finops_pipeline.cli.show import open_installation, say, split, table
from finops_pipeline.cli.text_table import Layout
from finops_pipeline.errors import Unknown
from finops_pipeline.tenants.declare import apply
from finops_pipeline.tenants.model import UNASSIGNED, Claim, Project, Tenant

ProjectName = Annotated[str, typer.Argument(metavar="TENANT/PROJECT")]
Texts = list[str] | None
_ACCOUNT_DIGITS = 12


def project_add(
    project: ProjectName,
    account: Annotated[Texts, typer.Option(help="AWS account id; repeatable.")] = None,
    tag: Annotated[
        Texts, typer.Option(metavar="KEY=VALUE", help="Claim charges with this tag; repeatable.")
    ] = None,
    cost_category: Annotated[
        Texts, typer.Option(metavar="KEY=VALUE", help="The same for a cost category; repeatable.")
    ] = None,
    region: Annotated[Texts, typer.Option(help="Claim charges in this region; repeatable.")] = None,
    service: Annotated[
        Texts, typer.Option(help="Claim charges of this service (name or code); repeatable.")
    ] = None,
    priority: Annotated[
        int | None, typer.Option(help="The claim with the lowest number takes a charge.")
    ] = None,
    environment: Annotated[str, typer.Option(help="Such as prod, staging or dev.")] = "",
    business_unit: Annotated[str, typer.Option(help="Business unit.")] = "",
    from_day: Annotated[
        str, typer.Option("--from", metavar="YYYY-MM-DD", help="First day of the claim.")
    ] = "",
    to_day: Annotated[
        str, typer.Option("--to", metavar="YYYY-MM-DD", help="First day after the claim.")
    ] = "",
    source: Annotated[Texts, typer.Option(help="Source of its bills; repeatable.")] = None,
    display_name: Annotated[str, typer.Option(help="Free text for people.")] = "",
) -> None:
    """Declare a project, or give it more claims; options not given stay unchanged.

    With --tag, --cost-category, --region, --service or --priority, all options together form one
    claim, and a charge has to meet all of them. Without these, each account is a claim of its own.
    """
    conditions: dict[str, object] = {
        "tags": _parse_pairs("--tag", tag),
        "cost_categories": _parse_pairs("--cost-category", cost_category),
        "regions": region,
        "services": service,
        "priority": priority,
        "from": _parse_day("--from", from_day),
        "to": _parse_day("--to", to_day),
    }
    requested = {field: value for field, value in conditions.items() if value or value == 0}
    _require_account(requested, account)
    labels: dict[str, object] = {
        "environment": environment,
        "business_unit": business_unit,
        "display_name": display_name,
        "sources": tuple(source or ()),
    }
    tenant_name, name = split(project, "PROJECT")
    registry = open_installation().registry
    with registry.locked():
        tenant = registry.tenant(tenant_name)
        declared = next((p for p in tenant.projects if p.name == name), Project(name=name))
        changed = _with_options(declared, labels, _add_claims(declared, account or [], requested))
        declaration = tenant.model_copy(update={"projects": (changed,), "sources": ()})
        print_changes(apply(registry, [declaration]))


def _require_account(requested: dict[str, object], accounts: Texts) -> None:
    """Refuse days if nothing is claimed on them."""
    if requested and requested.keys() <= {"from", "to"} and not accounts:
        raise typer.BadParameter(
            "--from and --to say on which days accounts are claimed; add --account"
        )


def _with_options(
    declared: Project, labels: dict[str, object], claims: dict[str, object]
) -> Project:
    """Return the declaration of a project: labels as given or as declared, and its claims."""
    fields = {field: value or getattr(declared, field) for field, value in labels.items()}
    return Project.model_validate({"name": declared.name, **fields, **claims})


def _add_claims(
    declared: Project, accounts: list[str], requested: dict[str, object]
) -> dict[str, object]:
    """Return a project's fields with one more claim, or with a claim to each of the accounts."""
    if requested.keys() <= {"from", "to"}:
        return {"accounts": [{"id": account, **requested} for account in accounts]}
    claim = Claim.model_validate({**({"accounts": accounts} if accounts else {}), **requested})
    return {"claims": (*(c for c in declared.claims if c != claim), claim)}


def _parse_pairs(option: str, texts: Texts) -> dict[str, list[str]]:
    """Read `KEY=VALUE` options; values of the same key are alternatives."""
    pairs = defaultdict[str, list[str]](list)
    for text in texts or []:
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise typer.BadParameter(f"{text!r} is not KEY=VALUE", param_hint=option)
        pairs[key].append(value)
    return dict(pairs)


def _parse_day(option: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is not a day written YYYY-MM-DD", param_hint=option
        ) from error


def project_release(
    project: ProjectName,
    claim: Annotated[
        str,
        typer.Argument(
            metavar="CLAIM", help="Account id, or the number that finops project show lists."
        ),
    ],
) -> None:
    """Remove a claim of a project, as if it had never been made."""
    tenant_name, name = split(project, "PROJECT")
    registry = open_installation().registry
    with registry.locked():
        tenant = registry.tenant(tenant_name)
        declared = tenant.project(name)
        accounts = tuple(each for each in declared.accounts if each.id != claim)
        names = [f"claim {claim}" != each for each, _ in declared.own_claims]
        claims = tuple(c for c, stays in zip(declared.claims, names, strict=True) if stays)
        if (accounts, claims) == (declared.accounts, declared.claims):
            raise _not_claimed(tenant, name, claim)
        changed = declared.model_copy(update={"accounts": accounts, "claims": claims})
        unchanged = tuple(p for p in tenant.projects if p.name != name)
        registry.save(tenant.model_copy(update={"projects": (*unchanged, changed)}))
    what = "account" if accounts != declared.accounts else "claim"
    say(f"~ project {project}: {what} {claim} released")


def _not_claimed(tenant: Tenant, project: str, account: str) -> Unknown:
    """Return the error of a claim that does not exist, with the project that has it."""
    holders = [p.name for p in tenant.projects if account in {claim.id for claim in p.accounts}]
    others = f"; {tenant.name}/{holders[0]} does" if holders else ""
    return Unknown(
        f"project {tenant.name}/{project} does not claim account {account}{others}"
        if len(account) == _ACCOUNT_DIGITS
        else f"project {tenant.name}/{project} has no claim with the number {account}",
        "an account or the number of a claim of the project",
        f"Release it there: finops project release {tenant.name}/{holders[0]} {account}"
        if holders
        else f"List its claims: finops project show {tenant.name}/{project}",
    )


def project_show(project: ProjectName) -> None:
    """List the claims of a project, in order of priority."""
    tenant_name, name = split(project, "PROJECT")
    tenant = open_installation().registry.tenant(tenant_name)
    declared = tenant.project(name)
    rows = sorted(_claim_rows(declared), key=lambda row: row[1])
    empty = (
        f"No claims. Add one: finops project add {project} --account 111122223333\n"
        "Options such as --tag, --region or --service claim only part of the account."
    )
    if name == UNASSIGNED:
        empty = f"No claims: {project} has all charges that no other project claims."
    layout = Layout(f"{project}: claims in order of priority", if_empty=empty)
    table(("number", "priority", "claims charges with", "from", "to"), rows, layout=layout)
    if tenant.without_value:
        say(f"Charges that lack a value which a claim requires go to: {tenant.without_value}")


def _claim_rows(project: Project) -> Iterable[tuple[str, int, str, str, str]]:
    for name, claim in (*project.own_claims, *project.account_claims):
        conditions = claim.model_copy(update={"from_day": None, "to_day": None}).in_words
        days = (str(claim.from_day or ""), str(claim.to_day or ""))
        number = name.removeprefix("claim ") if name.startswith("claim") else ""
        yield number, claim.priority, conditions, *days
