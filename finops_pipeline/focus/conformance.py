"""Do charges keep FOCUS's rules? Every row of every partition is asked, when it is built and anew.

Put here: asking the rules of charges, what was found, the published files asked again. Keep out:
the rules (contracts/focus_rules.py), sums (marts/checks), how findings look (cli/validate.py).

A finding is told and kept beside the numbers; it stops nothing, for a bill is what AWS made it.

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
    ONE_FOR,
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
from finops_pipeline.lake.layout import COSTS, TenantFolder
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.ledger.ledger import Finding, Ledger, PartitionRecord
from finops_pipeline.tenants.months import check_month

_OF_CHARGE = ("x_LineItemType", "x_LineItemId", "SubAccountId", "ServiceName", "ChargeCategory")
_KEYS = 'project, x_Source as "source"'


@dataclass(frozen=True)
class Found:
    """A finding and where: `rows` of `source` in a project's month break `rule`."""

    project: str
    billing_period: str
    finding: Finding


def findings_of(connection: Connection, relation: str, month: str) -> list[Found]:
    """Ask every rule of charges.

    Args:
        relation: SQL of charges with their `project`.
        month: the billing period (folder) that they stand in.

    Returns:
        one for each project, source and rule that is broken, in order.
    """
    connection.execute(
        "create or replace temp view asked_charges as"
        f" select *, {text(month)} as billing_period from {relation}"
    )
    exports = _exports(connection)
    counts = [*_by_row(connection), *_by_key(connection), *_by_value(connection)]
    return sorted(
        (
            Found(project, month, Finding(source, name, rows, known, example))
            for project, source, name, rows, example in counts
            for known in [rules()[name].known_gap and (project, source) in exports]
        ),
        key=lambda found: (found.project, found.finding.source, found.finding.rule),
    )


_Count = tuple[str, str, str, int, str]
"""project, source, rule, rows, example"""


def _exports(connection: Connection) -> set[tuple[str, str]]:
    """Those whose rows are of a FOCUS export: they have no line item type."""
    return set(
        connection.execute(
            f"select {_KEYS} from asked_charges group by all having count(x_LineItemType) = 0"
        ).fetchall()
    )


def _by_row(connection: Connection) -> list[_Count]:
    asked = ", ".join(f"count_if({rule.broken})" for rule in row_rules())
    rows = connection.execute(f"select {_KEYS}, {asked} from asked_charges group by all").fetchall()
    broken = {
        (project, source, rule.name): count
        for project, source, *counts in rows
        for rule, count in zip(row_rules(), counts, strict=True)
        if count
    }
    found: list[_Count] = []
    for rule in row_rules():
        if any(name == rule.name for _, _, name in broken):
            said = ", ".join(dict.fromkeys((*_OF_CHARGE, *_reads(rule))))
            examples = connection.execute(
                f"select {_KEYS}, min(to_json(row)::varchar) from (select project, x_Source,"
                f" (select {{{_struct(said)}}}) as row from asked_charges where {rule.broken})"
                " group by all"
            ).fetchall()
            found += [
                (project, source, rule.name, broken[project, source, rule.name], example)
                for project, source, example in examples
            ]
    return found


def _reads(rule: Rule) -> list[str]:
    """Columns that a rule looks at: an example shows them."""
    words = set(re.findall(r"\w+", rule.broken))
    return [column.name for column in CHARGE if column.name in words]


def _struct(names: str) -> str:
    return ", ".join(f"{text(name)}: {ident(name)}" for name in names.split(", "))


def _by_key(connection: Connection) -> list[_Count]:
    parts = [
        f"select {_KEYS}, {text(rule.name)} as rule, {rule.key} as key, count(*) as charges,"
        f" min({rule.value})::varchar as one, max({rule.value})::varchar as other"
        f" from asked_charges where {rule.key} is not null and {rule.value} is not null"
        f" group by all having min({rule.value}) <> max({rule.value})"
        for rule in ONE_FOR
    ]
    return connection.execute(
        'select project, "source", rule, sum(charges)::bigint,'
        " min(to_json({'key': key, 'one': one, 'other': other})::varchar)"
        f" from ({' union all '.join(parts)}) group by all"
    ).fetchall()


def _by_value(connection: Connection) -> list[_Count]:
    parts = [
        f'select project, "source", {text(rule.name)} as rule, charges, value from (select {_KEYS},'
        f" {rule.column} as value, count(*) as charges from asked_charges"
        f" where value is not null group by all) where {rule.broken}"
        for rule in value_rules()
    ]
    return connection.execute(
        'select project, "source", rule, sum(charges)::bigint,'
        " min(to_json({'value': left(value, 500)})::varchar)"
        f" from ({' union all '.join(parts)}) group by all"
    ).fetchall()


def broken_words(record: PartitionRecord) -> str:
    """In one line: how many rules a partition's charges break, known gaps aside; '' when none."""
    broken = sorted({f.rule for f in record.findings if not f.is_known_gap})
    if not broken:
        return ""
    more = f" and {len(broken) - 2} more" if len(broken) > 2 else ""
    return f"rules broken: {', '.join(broken[:2])}{more} (finops validate tells which rows)"


def validate(
    folder: TenantFolder, limits: Limits, month: str | None = None, project: str | None = None
) -> tuple[int, list[Found]]:
    """Ask every rule anew of the published files of charges, as they lie on the disk now.

    Args:
        month: only this billing period; None: all.
        project: only this project; None: all.

    Returns:
        how many files were asked, and what was found. A file that is gone, cannot be read or has
        not the contract's columns is a finding of the rule `columns of the contract`.

    Raises:
        Unknown: nothing has been built for this tenant yet.
    """
    if month is not None:
        check_month(month)
    partitions = [
        (name, period)
        for (name, period), record in sorted(Ledger(folder.ledger).partitions(COSTS).items())
        if record.rows and month in (None, period) and project in (None, name)
    ]
    found: list[Found] = []
    with reading(folder) as connection:
        limits.apply(connection)
        for name, period in partitions:
            path = folder.partition(COSTS, name, period)
            relation = f"read_parquet({text(str(path))}, hive_partitioning = false)"
            try:
                wrong = _against_contract(columns_of(connection, relation))
                if wrong:
                    found.append(_unread(name, period, wrong))
                    continue
                charges = f"(select *, {text(name)} as project from {relation})"
                found += findings_of(connection, charges, period)
            except DuckDBError as error:
                said = str(error).splitlines()[0].replace(f"{folder.root}/", "")
                found.append(_unread(name, period, said))
    return len(partitions), found


def _against_contract(columns: dict[str, str], wanted: Sequence[Column] = CHARGE) -> str:
    """How a file's columns differ from the contract; nothing when they do not."""
    promised = {column.name: column.type for column in wanted}
    said = [f"{name} is missing" for name in promised if name not in columns]
    said += [f"{name} is too many" for name in columns if name not in promised]
    said += [
        f"{name} is {kind} instead of {promised[name]}"
        for name, kind in columns.items()
        if name in promised and kind != promised[name]
    ]
    return "; ".join(said)


def _unread(project: str, month: str, said: str) -> Found:
    example = json.dumps({"file": said})
    return Found(project, month, Finding("", CONTRACT_RULE, 1, False, example))
