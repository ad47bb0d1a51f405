"""The tables of a tenant's dimensions and rules, which the SQL of allocations reads.

Put here: a declaration as rows of these tables, in the file being built or for one connection. Keep
out: the declaration (tenants/dimensions.py), the SQL that applies it (sql/allocations.sql).

Writes: <tenant>.duckdb (dimensions, allocation_rules and others)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from finops_pipeline.contracts.allocation_tables import (
    ALLOCATION_CONDITIONS,
    ALLOCATION_RULES,
    DIMENSIONS,
    KEY_SPELLINGS,
    RULE_TABLES,
    VALUE_MAPPINGS,
)
from finops_pipeline.contracts.column import Table
from finops_pipeline.lake.duck import Connection, ident
from finops_pipeline.lake.warehouse import WAREHOUSE
from finops_pipeline.marts.status_tables import Rows, fill_table
from finops_pipeline.tenants.dimension_rule import Rule
from finops_pipeline.tenants.dimensions import Dimensions
from finops_pipeline.tenants.rule_conditions import parse_pattern


def fill_rules(connection: Connection, section: Dimensions) -> None:
    """Fill the tables of rules in the file being built, and make them visible to SQL."""
    for table, rows in _rows(section).items():
        fill_table(connection, table, rows)
        connection.execute(f"create or replace view {table.name} as from {WAREHOUSE}.{table.name}")


def show_rules(connection: Connection, section: Dimensions) -> None:
    """Let the SQL of one connection read these rules instead of the published ones."""
    for table, rows in _rows(section).items():
        names = [ident(column.name) for column in table.columns]
        texts = [
            [None if v is None else str(v) for v in column] for column in _columns(table, rows)
        ]
        casts = ", ".join(
            f"unnest(?::varchar[])::{column.type} as {name}"
            for name, column in zip(names, table.columns, strict=True)
        )
        connection.execute(f"create or replace temp table {table.name} as select {casts}", texts)


def _columns(table: Table, rows: Rows) -> list[list[object]]:
    return [[row[position] for row in rows] for position in range(len(table.columns))]


def _rows(section: Dimensions) -> Mapping[Table, Rows]:
    """Return the rows of every table, in the order of its columns."""
    every: dict[Table, Rows] = {
        DIMENSIONS: [(d.name, d.display_name or None) for d in section.names],
        ALLOCATION_RULES: [
            _rule_row(section, rule, position)
            for position, rule in enumerate(section.rules_in_order, 1)
        ],
        ALLOCATION_CONDITIONS: [
            row for rule in section.rules for row in _conditions(section, rule)
        ],
        KEY_SPELLINGS: sorted(set(_spellings(section))),
        VALUE_MAPPINGS: list(_mappings(section)),
    }
    return {table: every[table] for table in RULE_TABLES}


def _rule_row(section: Dimensions, rule: Rule, position: int) -> tuple[object, ...]:
    source, key = rule.source_of_value or (None, None)
    return (
        rule.name,
        rule.dimension,
        position,
        rule.value or None,
        source,
        _key(section, source, key) if source and key else None,
        rule.mapping or None,
        rule.conditions_in_words,
        rule.from_day,
        rule.to_day,
        rule.version,
        rule.declared_on,
    )


def _key(section: Dimensions, field: str, key: str) -> str:
    """Return the declared key, if this is a spelling of it; otherwise the key itself."""
    return (section.tag_key(key) if field == "tag" else None) or key


def _conditions(section: Dimensions, rule: Rule) -> Iterator[tuple[object, ...]]:
    for requirement in rule.when.requirements():
        key = _key(section, requirement.field, requirement.key)
        for pattern in sorted({parse_pattern(text) for text in requirement.patterns}, key=repr):
            yield (
                *(rule.name, requirement.field, key),
                *(pattern.prefix, pattern.middle, pattern.suffix, pattern.is_exact),
            )


def _spellings(section: Dimensions) -> Iterator[tuple[str, str, str, int, bool]]:
    """Yield the spellings of every key that rules read: field, key, spelling, rank, is_exact."""
    for field, key in _keys_read(section):
        text = section.tag_key(key) if field == "tag" else None
        if text is None:
            yield field, key, key, 1, True
        else:
            for rank, spelling in enumerate((text, *section.tag_keys[text]), 1):
                yield field, text, spelling, rank, False


def _keys_read(section: Dimensions) -> Iterator[tuple[str, str]]:
    for rule in section.rules:
        yield from ((r.field, r.key) for r in rule.when.requirements() if r.key)
        if rule.source_of_value:
            yield rule.source_of_value


def _mappings(section: Dimensions) -> Iterator[tuple[str, str, str]]:
    for name, mapping in section.mappings.items():
        for value, spellings in mapping.items():
            unique = {spelling.strip().lower(): spelling for spelling in (*spellings, value)}
            for spelling in unique.values():
                yield name, spelling, value
