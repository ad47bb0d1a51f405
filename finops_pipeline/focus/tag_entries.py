"""Entries of a map of tags: selecting some of them, and naming their keys.

Put here: AWS's prefixes of keys, in Python and in SQL. Keep out: reading columns and maps
(tag_columns.py).

Sources: AWS "Resource tags columns" and "Tag columns" of the CUR 2.0 table dictionary.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from finops_pipeline.lake.duck import text

_RESOURCE, COST = "resourceTags/", "costCategory/"
OTHERS = ("accountTag/", "userAttribute/", "iamPrincipal/")
_FOREIGN = (*OTHERS, COST)


@dataclass(frozen=True)
class Entries:
    """A selection of a map's entries, and their new names, in Python and in SQL.

    It has the entries whose key has one of the prefixes, or with `is_rest` those whose key has none
    of them. `name` takes a key; `expression` is SQL of a key `k`.
    """

    prefixes: tuple[str, ...]
    is_rest: bool
    name: Callable[[str], str]
    expression: str

    def has(self, key: str) -> bool:
        """Check whether the entry of a key is selected."""
        return key.startswith(self.prefixes) is not self.is_rest

    @property
    def condition(self) -> str:
        """SQL of whether an entry `e` is selected; empty if all are."""
        tests = " or ".join(f"starts_with(e.key, {text(prefix)})" for prefix in self.prefixes)
        return f"({tests}) = {str(not self.is_rest).lower()}" if tests else ""


def tag_name(key: str) -> str:
    """Return a resource tag's own key: users' keys without AWS's prefix, AWS's with `aws:`.

    Only a key that AWS itself prefixes with `aws_` is AWS's: `user_aws_x` is a user's `aws_x`.
    """
    if key.startswith(_RESOURCE):
        return key.removeprefix(_RESOURCE).removeprefix("user:")
    if re.match("user[_:]", key):
        return key[5:]
    return re.sub("^aws_", "aws:", key)


SQL_OF_NAME = (
    f"case when starts_with(k, '{_RESOURCE}')"
    f" then regexp_replace(k, '^{_RESOURCE}(user:)?', '')"
    " when regexp_matches(k, '^user[_:]') then substr(k, 6)"
    " when starts_with(k, 'aws_') then 'aws:' || substr(k, 5) else k end"
)
OF_RESOURCES = Entries(_FOREIGN, True, tag_name, SQL_OF_NAME)
OF_OTHERS = Entries(OTHERS, False, lambda key: key, "k")
OF_COSTS = Entries(
    (COST,),
    False,
    lambda key: key.removeprefix(COST),
    f"regexp_replace(k, '^{COST}', '')",
)
PLAIN = Entries((), True, lambda key: key, "k")
