"""The tables of declared dimensions and rules, and the view of charges with their values.

Put here: the contracts of these tables and this view. Keep out: the marts that apply the rules
(allocation_marts.py), the declaration itself (tenants/dimensions.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import COUNT, DAY, FLAG, JSON, TEXT, Column, Table
from finops_pipeline.contracts.focus import COSTS

_RULE = Column("rule", TEXT, "Name of the rule.", False)

DIMENSIONS = Table(
    name="dimensions",
    kind="dimension",
    meaning="Dimensions of costs that the registry declares, such as team.",
    grain=("dimension",),
    columns=(
        Column("dimension", TEXT, "Name.", False),
        Column("display_name", TEXT, "Free text."),
    ),
)

ALLOCATION_RULES = Table(
    name="allocation_rules",
    kind="dimension",
    meaning="Rules that give charges the values of dimensions; the first that matches counts.",
    grain=("rule",),
    columns=(
        _RULE,
        Column("dimension", TEXT, "Dimension whose value it gives.", False),
        Column("position", COUNT, "Place in the order in which rules are tried.", False),
        Column("value", TEXT, "Literal value; null if the value comes from a tag."),
        Column("value_source", TEXT, "tag or cost_category, where the value comes from one."),
        Column("value_key", TEXT, "Key of the tag or cost category."),
        Column("mapping", TEXT, "Mapping that normalizes the value (value_mappings)."),
        Column("conditions", TEXT, "What it requires of a charge, as text.", False),
        Column("from_day", DAY, "First day on which it is valid; null if it always was."),
        Column("to_day", DAY, "First day on which it is no longer valid; null if it has no end."),
        Column("rule_version", COUNT, "Version since which the rule does what it does now.", False),
        Column("declared_on", DAY, "Day on which that version was declared."),
    ),
)

ALLOCATION_CONDITIONS = Table(
    name="allocation_conditions",
    kind="dimension",
    meaning="What rules require: for each field of a rule, a charge must match one pattern.",
    grain=("rule", "field", "key", "prefix", "middle", "suffix", "is_exact"),
    columns=(
        _RULE,
        Column(
            "field", TEXT,
            "account, project, region, service, resource, charge_category, tag or cost_category.",
            False,
        ),
        Column("key", TEXT, "Key of the tag or cost category; empty for other fields.", False),
        Column("prefix", TEXT, "What a value begins with; if is_exact, the whole value.", False),
        Column("middle", TEXT, "What it contains after the prefix.", False),
        Column("suffix", TEXT, "What it ends with.", False),
        Column("is_exact", FLAG, "Whether the value equals prefix.", False),
    ),
)  # fmt: skip

KEY_SPELLINGS = Table(
    name="key_spellings",
    kind="dimension",
    meaning="Keys that rules use, and the spellings that count as the same key.",
    grain=("field", "key", "spelling"),
    columns=(
        Column("field", TEXT, "tag or cost_category.", False),
        Column("key", TEXT, "Key as rules use it.", False),
        Column("spelling", TEXT, "Key as it may appear in charges.", False),
        Column("rank", COUNT, "If a charge has several spellings, the lowest rank counts.", False),
        Column("is_exact", FLAG, "Whether case, `-`, `_` and spaces matter.", False),
    ),
)

VALUE_MAPPINGS = Table(
    name="value_mappings",
    kind="dimension",
    meaning="Tag values, and the values that rules with this mapping use instead; case is ignored.",
    grain=("mapping", "spelling"),
    columns=(
        Column("mapping", TEXT, "Name of the mapping.", False),
        Column("spelling", TEXT, "Value as it may appear in charges.", False),
        Column("value", TEXT, "Value that it stands for.", False),
    ),
)

VALUES = Column("dimensions", JSON, "Dimension -> value, a JSON object as text; null: unallocated.")
RULES = Column(
    "allocation_rules",
    JSON,
    "Dimension -> rule that gave the value, a JSON object as text; `(project)`: the project's own"
    " label; null: no rule matched.",
)
VERSIONS = Column(
    "allocation_rule_versions", JSON, "Dimension -> version of the rule, a JSON object as text."
)

ALLOCATED_COSTS = Table(
    name="allocated_costs",
    kind="view",
    meaning="Every charge as in costs, with the values of its dimensions and the rules that gave"
    " them.",
    grain=("one charge",),
    columns=(
        *COSTS.columns,
        Column("x_Dimensions", VALUES.type, VALUES.meaning),
        Column("x_AllocationRule", RULES.type, RULES.meaning),
        Column("x_AllocationRuleVersion", VERSIONS.type, VERSIONS.meaning),
    ),
)

RULE_TABLES = (DIMENSIONS, ALLOCATION_RULES, ALLOCATION_CONDITIONS, KEY_SPELLINGS, VALUE_MAPPINGS)
