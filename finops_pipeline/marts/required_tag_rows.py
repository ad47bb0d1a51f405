"""Required sets of tags as rows of the table that SQL reads.

Put here: a declaration as rows. Keep out: the declaration (tenants/required_tags.py), the SQL
(sql/required_tag_coverage.sql).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from finops_pipeline.marts.status_tables import Rows
from finops_pipeline.tenants.model import Tenant


def required_tag_rows(tenant: Tenant) -> Rows:
    """Return a row for each key of each set, and for each declared spelling of the key."""
    section = tenant.dimensions
    rows = []
    for name, required in tenant.required_tags.items():
        limits = [_json(t) for t in (required.services, required.projects, required.environments)]
        for key in required.keys:
            text = section.tag_key(key)
            spellings = dict.fromkeys((key, text, *section.tag_keys[text]) if text else (key,))
            allowed = _json(required.values.get(key, ()))
            rows += [(name, key, each, text is None, allowed, *limits) for each in spellings]
    return rows


def _json(texts: Sequence[str]) -> str | None:
    return json.dumps(list(texts)) if texts else None
