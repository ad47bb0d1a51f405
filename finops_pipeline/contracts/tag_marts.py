"""The table of required tags and the mart that measures them.

Put here: their contracts. Keep out: their SQL (marts/sql), the declaration
(tenants/required_tags.py), marts of single keys (resource_marts.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import FLAG, JSON, MONEY, TEXT, Column, Table
from finops_pipeline.contracts.mart_columns import GROUP_COLUMNS, PERIOD, PROJECT_COLUMNS

_SET = Column("required_set", TEXT, "Name of the set of required tags.", False)

REQUIRED_TAG_KEYS = Table(
    name="required_tag_keys",
    kind="dimension",
    meaning="Declared sets of required tags, with one row per key and spelling.",
    grain=("required_set", "tag_key", "spelling"),
    columns=(
        _SET,
        Column("tag_key", TEXT, "Key that is required.", False),
        Column("spelling", TEXT, "Key as it may appear in charges.", False),
        Column("is_exact", FLAG, "Whether case, `-`, `_` and spaces matter.", False),
        Column("allowed_values", JSON, "Allowed values, a JSON list as text; null: any."),
        Column("services", JSON, "Services that the set covers, a JSON list as text; null: all."),
        Column("projects", JSON, "Projects that the set covers, a JSON list as text; null: all."),
        Column(
            "environments", JSON, "Environments that it covers, a JSON list as text; null: all."
        ),
    ),
)

REQUIRED_TAG_COVERAGE = Table(
    name="required_tag_coverage",
    kind="mart",
    meaning=(
        "How much of the taggable cost has all tags of a declared set. Never add up different"
        " sets."
    ),
    grain=(
        "billing_period", "required_set", "project", "sub_account_id", "service_name",
        "billing_currency",
    ),
    columns=(
        PERIOD, _SET, *PROJECT_COLUMNS, GROUP_COLUMNS[0], GROUP_COLUMNS[2], GROUP_COLUMNS[-1],
        Column("taggable_cost", MONEY, "Effective cost of usage with a resource.", False),
        Column("tagged_cost", MONEY, "The part with an allowed value of every key.", False),
        Column("untagged_cost", MONEY, "taggable_cost minus tagged_cost.", False),
    ),
)  # fmt: skip
