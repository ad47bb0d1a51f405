"""Conformance of charges to the FOCUS rules, checked for every row on each build and on demand.

Put here: applying the rules to charges, violations, checking the published files again. Keep out:
the rules (contracts/focus_rules.py), sums (marts/checks), showing them (cli/validate.py).

A violation is reported with the numbers and does not stop a build: a bill is what AWS made it.

Reads: costs, ledger
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from finops_pipeline.contracts.column import Column
from finops_pipeline.contracts.focus import CHARGE
from finops_pipeline.contracts.focus_rules import (
    CONTRACT_RULE,
    SHARED_VALUE_RULES,
    row_rules,
    rules,
    value_rules,
)
from finops_pipeline.contracts.rules import Rule
from finops_pipeline.lake.duck import (
    Connection,
    DuckDBError,
    Limits,
    columns_of,
    ident,
    text,
)
from finops_pipeline.lake.layout import COSTS, TenantFolder, place_path
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.ledger.ledger import Finding, PartitionRecord
from finops_pipeline.ledger.stored_files import Place, StoredFile, read_stored_files
from finops_pipeline.tenants.months import check_month

_OF_CHARGE = ("x_LineItemType", "x_LineItemId", "SubAccountId", "ServiceName", "ChargeCategory")
_KEYS = 'project, x_Source as "source"'


@dataclass(frozen=True)
class Violation:
    """A finding (source, rule, rows), with the project and month of its charges."""

    project: str
    billing_period: str
    finding: Finding


def find_violations(connection: Connection, relation: str, month: str) -> list[Violation]:
    """Apply every rule to charges.

    Args:
        relation: SQL for charges with their `project`.
        month: the billing period of their folder.

    Returns:
        one violation per project, source and broken rule, in this order.
    """
    connection.execute(
        "create or replace temp view checked_charges as"
        f" select *, {text(month)} as billing_period from {relation}"
    )
    exports = _exports(connection)
    counts = [*_by_row(connection), *_by_key(connection), *_by_value(connection)]
    violations = []
    for project, source, name, rows, example in counts:
        is_export_gap = rules()[name].is_export_gap and (project, source) in exports
        finding = Finding(source, name, rows, is_export_gap, example)
        violations.append(Violation(project, month, finding))
    return sorted(violations, key=lambda v: (v.project, v.finding.source, v.finding.rule))


_Count = tuple[str, str, str, int, str]
"""Project, source, rule, number of rows that break it, an example row."""


def _exports(connection: Connection) -> set[tuple[str, str]]:
    """List projects and sources whose rows come from a FOCUS export (no line item types)."""
    return set(
        connection.execute(
            f"select {_KEYS} from checked_charges group by all having count(x_LineItemType) = 0"
        ).fetchall()
    )


def _by_row(connection: Connection) -> list[_Count]:
    # Counting without groups is cheaper, and most months break hardly any rule.
    ((*totals,),) = connection.execute(
        f"select {_counts(row_rules())} from checked_charges"
    ).fetchall()
    rules_broken = [rule for rule, count in zip(row_rules(), totals, strict=True) if count]
    if not rules_broken:
        return []
    rows = connection.execute(
        f"select {_KEYS}, {_counts(rules_broken)} from checked_charges group by all"
    ).fetchall()
    broken = {
        (project, source, rule.name): count
        for project, source, *counts in rows
        for rule, count in zip(rules_broken, counts, strict=True)
        if count
    }
    return [
        (project, source, rule.name, broken[project, source, rule.name], example)
        for rule in rules_broken
        for project, source, example in _examples(connection, rule)
    ]


def _counts(rules_of_rows: Sequence[Rule]) -> str:
    return ", ".join(f"count_if({rule.broken})" for rule in rules_of_rows)


def _examples(connection: Connection, rule: Rule) -> list[tuple[str, str, str]]:
    """Read one row of each project and source that breaks a rule, as JSON."""
    names = dict.fromkeys((*_OF_CHARGE, *_columns_read(rule)))
    fields = ", ".join(f"{text(name)}: {ident(name)}" for name in names)
    return connection.execute(
        f"select {_KEYS}, min(to_json(row)::varchar) from (select project, x_Source,"
        f" (select {{{fields}}}) as row from checked_charges where {rule.broken}) group by all"
    ).fetchall()


def _columns_read(rule: Rule) -> list[str]:
    """List the columns that a rule reads, for its examples."""
    identifiers = set(re.findall(r"\w+", rule.broken))
    return [column.name for column in CHARGE if column.name in identifiers]


def _by_key(connection: Connection) -> list[_Count]:
    parts = [
        f"select {_KEYS}, {text(rule.name)} as rule, {rule.key} as key, count(*) as charges,"
        f" min({rule.value})::varchar as one, max({rule.value})::varchar as other"
        f" from checked_charges where {rule.key} is not null and {rule.value} is not null"
        f" group by all having min({rule.value}) <> max({rule.value})"
        for rule in SHARED_VALUE_RULES
    ]
    return connection.execute(
        'select project, "source", rule, sum(charges)::bigint,'
        " min(to_json({'key': key, 'one': one, 'other': other})::varchar)"
        f" from ({' union all '.join(parts)}) group by all"
    ).fetchall()


def _by_value(connection: Connection) -> list[_Count]:
    parts = [
        f'select project, "source", {text(rule.name)} as rule, charges, value from (select {_KEYS},'
        f" {rule.column} as value, count(*) as charges from checked_charges"
        f" where value is not null group by all) where {rule.broken}"
        for rule in value_rules()
    ]
    return connection.execute(
        'select project, "source", rule, sum(charges)::bigint,'
        " min(to_json({'value': left(value, 500)})::varchar)"
        f" from ({' union all '.join(parts)}) group by all"
    ).fetchall()


def summarize_violations(record: PartitionRecord) -> str:
    """Summarize the rules that a partition breaks in one line, without known gaps; '' if none."""
    broken = sorted({f.rule for f in record.findings if not f.is_known_gap})
    if not broken:
        return ""
    more = f" and {len(broken) - 2} more" if len(broken) > 2 else ""
    return f"breaks FOCUS rules: {', '.join(broken[:2])}{more} (finops validate lists the rows)"


def find_published_violations(
    folder: TenantFolder, limits: Limits, month: str | None = None, project: str | None = None
) -> tuple[int, list[Violation]]:
    """Apply every rule again to the published files of charges, as they are on the disk now.

    Args:
        month: only this billing period; None: all.
        project: only this project; None: all.

    Returns:
        the number of files checked, and the violations. A file that is missing, cannot be read or
        does not have the contract's columns violates the rule `columns of the contract`.

    Raises:
        Unknown: nothing has been built for this tenant yet.
    """
    if month is not None:
        check_month(month)
    ledger = open_ledger(folder)
    stored = read_stored_files(ledger)
    partitions = [
        (name, period)
        for (name, period), record in sorted(ledger.partitions(COSTS).items())
        if record.rows and month in (None, period) and project in (None, name)
    ]
    violations: list[Violation] = []
    with reading(folder) as connection:
        limits.apply(connection)
        for name, period in partitions:
            place = Place(COSTS, name, period)
            violations += _validate_file(connection, folder, place, stored.get(place))
    return len(partitions), violations


def _validate_file(
    connection: Connection, folder: TenantFolder, place: Place, file: StoredFile | None
) -> list[Violation]:
    project, month = place.key, place.billing_period
    path = folder.stored(file) if file else folder.store / place_path(place, folder.tenant)
    relation = f"read_parquet({text(str(path))}, hive_partitioning = false)"
    try:
        problem = _contract_differences(columns_of(connection, relation))
        if not problem:
            charges = f"(select *, {text(project)} as project from {relation})"
            return find_violations(connection, charges, month)
    except DuckDBError as error:
        problem = str(error).splitlines()[0].replace(f"{folder.root}/", "")
    example = json.dumps({"file": problem})
    return [Violation(project, month, Finding("", CONTRACT_RULE, 1, False, example))]


def _contract_differences(columns: dict[str, str], contract: Sequence[Column] = CHARGE) -> str:
    """Describe how a file's columns differ from the contract; '' when they do not."""
    promised = {column.name: column.type for column in contract}
    differences = [f"{name} is missing" for name in promised if name not in columns]
    differences += [f"{name} is not in the contract" for name in columns if name not in promised]
    differences += [
        f"{name} is {kind} instead of {promised[name]}"
        for name, kind in columns.items()
        if name in promised and kind != promised[name]
    ]
    return "; ".join(differences)
