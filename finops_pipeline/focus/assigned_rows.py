"""Rows with the projects to which claims assign them, as SQL.

Put here: assigning each kind of row once, and charges that follow their resource, commitment or
account. Keep out: matching claims (claim_matching.py), the values they ask about
(claim_columns.py), claims to accounts alone (owned_rows.py).

Rows with the same values of everything that claims compare are one kind. There are few kinds,
because all values that no claim names count as the same value. So the rows are joined once to a
short table, however many claims there are, and no value of a claim becomes part of the join's SQL.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from finops_pipeline.contracts.services import SERVICES
from finops_pipeline.focus.claim_columns import ClaimedColumns
from finops_pipeline.focus.claim_matching import Assigner, Assignment, ChargeValues
from finops_pipeline.lake.duck import Connection, ident, text
from finops_pipeline.ledger.claims import OwnedClaim
from finops_pipeline.tenants.claim import Claim
from finops_pipeline.tenants.model import FOLLOW, UNASSIGNED, Tenant
from finops_pipeline.tenants.months import end_day, first_day

WITHOUT_VALUE = "without_value"
"""Stands for the claim of charges that no claim takes and that lack a value that one requires."""

_PREFIX = "x_kind "
"""Distinguishes columns of the table of kinds from those of the rows."""

TAKEN_BY = '"x_kind claim"'
"""The column with the claim that takes a row; a bill may itself have a column `x_Claim`."""

_OTHER = ""
"""Stands for all values of a tag that no claim names."""

_SERVICE_NAMES = {code: name for code, name, *_ in SERVICES}


@dataclass(frozen=True)
class AssignmentRules:
    """What decides the projects of a source's charges in a month.

    `claims`: all claims to them, in the order in which they take charges; `fallback`: the project
    of charges that lack a claimed value, or `follow`.
    """

    place: str
    month: str
    claims: Sequence[OwnedClaim]
    fallback: str


def rules_of(
    tenant: Tenant, source: str, month: str, claims: Sequence[OwnedClaim]
) -> AssignmentRules:
    """Return the rules for a source's charges in a month, given all claims to them."""
    readers = {p.name for p in tenant.active_projects if source in tenant.sources_of(p, month)}
    rule = tenant.without_value
    fallback = rule if rule in readers or rule == FOLLOW else UNASSIGNED
    return AssignmentRules(f"{tenant.name}/{source} {month}", month, claims, fallback)


def assigned_rows(connection: Connection, rows: ClaimedColumns, rules: AssignmentRules) -> str:
    """Return SQL for the rows with `x_Project`, and with the name of the claim in `TAKEN_BY`.

    Creates tables on the connection that the SQL reads.

    Raises:
        RegistryError: claims of two projects, of equal priority, take the same charge.
    """
    kinds = _Kinds(connection, rows, rules)
    kinds.store()
    joined = f"from {rows.relation} as x_rows join {kinds.table} as x_kinds on {kinds.condition}"
    if not kinds.has_followers:
        return f"(select x_rows.*, x_Project, x_kinds.x_Claim as {TAKEN_BY} {joined})"
    resources, commitments = kinds.store_leaders()
    project = (
        f"coalesce(x_kinds.x_Project, case when {rows.resource} is not null then x_resource.project"
        f" when {rows.commitment} is not null then x_commitment.project"
        f" else x_kinds.x_account_project end, {text(UNASSIGNED)})"
    )
    return (
        f"(select x_rows.*, {project} as x_Project, x_kinds.x_Claim as {TAKEN_BY} {joined}"
        f" left join {resources} as x_resource on x_kinds.x_Project is null"
        f" and {rows.resource} = x_resource.x_id"
        f" left join {commitments} as x_commitment on x_kinds.x_Project is null"
        f" and {rows.commitment} = x_commitment.x_id)"
    )


class _Kinds:
    """The kinds of rows of one source and month, each with its project."""

    def __init__(
        self, connection: Connection, rows: ClaimedColumns, rules: AssignmentRules
    ) -> None:
        self._connection = connection
        self._rows = rows
        self._rules = rules
        self._starts = _starts_of_periods(rules)
        claims = [each.claim for each in rules.claims]
        self._asked = {
            "tags": _values_by_key(pair for claim in claims for pair in claim.tags),
            "cost_categories": _values_by_key(p for claim in claims for p in claim.cost_categories),
        }
        self._keys = self._list_keys()
        self.table = ident(f"kinds of {rows.name}")
        self.has_followers = False

    def _list_keys(self) -> dict[str, str]:
        """Return SQL of the values that claims compare, by their column in the table."""
        rows, claims = self._rows, [each.claim for each in self._rules.claims]
        after = [f"({rows.day} >= date {text(str(day))})::integer" for day in self._starts[1:]]
        keys = {"account": rows.account}
        keys["period"] = f"({' + '.join(after)})::varchar" if after else "'0'"
        if asking := [claim for claim in claims if claim.regions]:
            keys["region"] = self._where_asked(asking, rows.region)
        if asking := [claim for claim in claims if claim.services]:
            keys["service"] = self._where_asked(asking, rows.service)
            keys["service_code"] = self._where_asked(asking, rows.service_code)
        for kind, named in self._asked.items():
            for number, (key, values) in enumerate(named.items()):
                asking = [claim for claim in claims if key in dict(getattr(claim, kind))]
                value = f"nullif({getattr(rows, kind)[key]}, '')"
                listed = ", ".join(text(each) for each in sorted(values))
                keys[f"{kind} {number}"] = self._where_asked(
                    asking,
                    f"case when {value} in ({listed}) then {value}"
                    f" when {value} is not null then {text(_OTHER)} end",
                )
        return keys

    def _where_asked(self, asking: Sequence[Claim], value: str) -> str:
        """Return SQL of a value, read only for rows of the accounts whose claims compare it."""
        if not all(claim.accounts for claim in asking):
            return value
        accounts = sorted({account for claim in asking for account in claim.accounts})
        listed = ", ".join(map(text, accounts))
        return f"case when trim({self._rows.account}) in ({listed}) then {value} end"

    @property
    def condition(self) -> str:
        """SQL that is true if a row is of the kind in `x_kinds`."""
        return " and ".join(
            f"{value} is not distinct from x_kinds.{ident(_PREFIX + name)}"
            for name, value in self._keys.items()
        )

    def store(self) -> None:
        """Create the table of kinds."""
        rows, names = self._rows, list(self._keys)
        selected = ", ".join(self._keys.values())
        kinds = self._connection.execute(
            f"select {selected}, bool_or({rows.is_evidence}) from {rows.relation} group by"
            f" {', '.join(str(n + 1) for n in range(len(names)))}"
        ).fetchall()
        assigner = Assigner(self._rules.place, self._rules.claims)
        assigned = [
            (
                kind[:-1],
                kind[-1],
                assigner.assign(self._values(dict(zip(names, kind, strict=False)))),
            )
            for kind in kinds
        ]
        leaders = _projects_of_accounts(assigned)
        table = [
            (*kind, *self._project_and_claim(assignment), leaders.get(kind[0] or ""))
            for kind, _, assignment in assigned
        ]
        self.has_followers = any(row[-3] is None for row in table)
        self._create(
            self.table,
            [*(_PREFIX + name for name in names), "x_Project", "x_Claim", "x_account_project"],
            table,
        )

    def _project_and_claim(self, assignment: Assignment) -> tuple[str | None, str | None]:
        if assignment.project is not None:
            return assignment.project, assignment.claim or None
        fallback = self._rules.fallback
        return None if fallback == FOLLOW else fallback, WITHOUT_VALUE

    def _values(self, kind: Mapping[str, str | None]) -> ChargeValues:
        tags, categories = self._asked["tags"], self._asked["cost_categories"]
        code = kind.get("service_code")
        name = kind.get("service") or _SERVICE_NAMES.get(code or "") or code or "AWS"
        return ChargeValues(
            account=kind["account"],
            day=self._starts[int(kind["period"] or 0)],
            region=kind.get("region"),
            services=frozenset(filter(None, (name, code))),
            tags=_entries(kind, "tags", tags),
            cost_categories=_entries(kind, "cost_categories", categories),
        )

    def store_leaders(self) -> tuple[str, str]:
        """Create tables of the resources and commitments whose rows are all in one project."""
        rows = self._rows
        tables = []
        for kind, value in (("resources", rows.resource), ("commitments", rows.commitment)):
            table = ident(f"{kind} of {rows.name}")
            self._connection.execute(
                f"create or replace temp table {table} as select x_id, min(project) as project from"
                f" (select {value} as x_id, x_kinds.x_Project as project from {rows.relation} join"
                f" {self.table} as x_kinds on {self.condition} where x_kinds.x_Project is not null"
                f" and {rows.is_evidence}) where x_id is not null group by x_id"
                " having count(distinct project) = 1"
            )
            tables.append(table)
        return tables[0], tables[1]

    def _create(self, table: str, names: list[str], rows: list[tuple[Any, ...]]) -> None:
        """Create a table of texts and fill it by column."""
        columns = ", ".join(f"{ident(name)} varchar" for name in names)
        self._connection.execute(f"create or replace temp table {table} ({columns})")
        if rows:
            values = [list(column) for column in zip(*rows, strict=True)]
            unnested = ", ".join("unnest(?::varchar[])" for _ in names)
            self._connection.execute(f"insert into {table} select {unnested}", values)


def _starts_of_periods(rules: AssignmentRules) -> list[date]:
    """Return the first day of each part of a month in which the same claims are valid."""
    first, end = first_day(rules.month), end_day(rules.month)
    days = {day for each in rules.claims for day in (each.claim.from_day, each.claim.to_day) if day}
    return [first, *sorted(day for day in days if first < day < end)]


def _values_by_key(pairs: Iterable[tuple[str, Collection[str]]]) -> dict[str, set[str]]:
    """Return all values that claims name, by key."""
    by_key = defaultdict[str, set[str]](set)
    for key, values in pairs:
        by_key[key].update(values)
    return dict(sorted(by_key.items()))


def _entries(
    kind: Mapping[str, str | None], name: str, requested: Mapping[str, Collection[str]]
) -> dict[str, str]:
    """Return the tags or cost categories of a kind of row, by key."""
    values = {key: kind[f"{name} {number}"] for number, key in enumerate(requested)}
    return {key: value for key, value in values.items() if value is not None}


def _projects_of_accounts(
    assigned: Iterable[tuple[Sequence[str | None], bool, Assignment]],
) -> dict[str, str]:
    """Map accounts to their project if all charges, except those that follow, are in one."""
    projects = defaultdict[str, set[str]](set)
    for kind, is_evidence, assignment in assigned:
        account = kind[0]
        if account and is_evidence and assignment.project is not None:
            projects[account].add(assignment.project)
    return {account: min(of) for account, of in projects.items() if len(of) == 1}
