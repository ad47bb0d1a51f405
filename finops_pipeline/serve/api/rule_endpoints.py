"""Endpoints that declare a tenant's dimensions and rules: list, declare, try out, remove.

Put here: rules as a tenant's administrator declares them. Keep out: what is declared
(application/rule_declarations.py).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from finops_pipeline.application.rule_declarations import (
    declare_rules,
    read_rules,
    remove_rule,
    try_section,
)
from finops_pipeline.serve.api.data_request import Data
from finops_pipeline.serve.api.declaration_models import RulesBody, SectionBody
from finops_pipeline.serve.api.tenant_changes import (
    administered,
    answer_changed,
    calculating,
    changing,
    listed,
)

RuleName = Annotated[str, Path(max_length=100, description="Its name.", examples=["web-team"])]


def list_declared_rules(data: Data) -> Response:
    """List the dimensions and rules in the order in which rules are tried.

    `declaration` is what PUT takes.
    """
    declared = read_rules(administered(data))
    rows = map(asdict, declared.rules)
    return listed(data, rows, version=declared.version, declaration=declared.section)


def put_rules(data: Data, asked: RulesBody) -> Response:
    """Declare dimensions and rules in place of all earlier ones.

    Values change with the next ingest. Send the `version` that you have read, so that nobody's
    change in between is lost.
    """
    own = administered(data)
    with changing(data, "rules") as lines:
        lines += declare_rules(own, asked.as_section(), asked.version)
    return answer_changed(data, changes=lines)


def try_rules(data: Data, asked: SectionBody) -> Response:
    """Show which charges other rules would give other values; nothing is changed."""
    own = administered(data)
    with calculating(data):
        changes = try_section(own, asked.as_entry())
    return listed(data, map(asdict, changes))


def delete_rule(data: Data, rule: RuleName) -> Response:
    """Remove one rule; the others stay as they are. Values change with the next ingest."""
    own = administered(data)
    with changing(data, f"rule {rule}") as lines:
        lines += remove_rule(own, rule)
    return answer_changed(data, changes=lines)
