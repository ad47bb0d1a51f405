"""New paths in the views of a tenant's file: after a move of the folder, or an upgrade.

Put here: rewriting quoted paths in stored definitions. Keep out: writing new views
(marts/views.py).

Only a quoted string that finops wrote as a path is replaced. Everything else, such as a column of a
bill whose name looks like a path, stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

from finops_pipeline.lake.comments import read_comments, write_comments
from finops_pipeline.lake.duck import Connection, DuckDBError, ident, text
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.moved_notice import notice_path

_QUOTED = re.compile(r"""\"(?:[^"]|"")*"|'(?:[^']|'')*'""")
"""A quoted identifier or a string, as DuckDB spells them."""

Replacement = Callable[[str], list[str] | None]
"""Returns the paths to put in the place of a string, or None if the string is not a path."""


def rewrite_views(connection: Connection, catalog: str, replace: Replacement) -> None:
    """Replace the paths in all views of an attached file.

    A view whose new paths cannot be read, for example because a file is lost, is left out; the next
    refresh writes it again or says what is missing.
    """
    views = connection.execute(
        "select view_name, sql from duckdb_views() where database_name = ? and not internal"
        " order by view_oid",
        [catalog],
    ).fetchall()
    comments = read_comments(connection, catalog)
    connection.execute(f"use {ident(catalog)}")
    for name, sql in views:
        body = re.sub(r"^CREATE (OR REPLACE )?VIEW .*? AS ", "", sql, count=1, flags=re.S)
        try:
            connection.execute(f"create or replace view {ident(name)} as {_rewrite(body, replace)}")
        except DuckDBError:
            connection.execute(f"drop view {ident(name)}")
    connection.execute("use memory")
    write_comments(connection, catalog, comments)


def _rewrite(sql: str, replace: Replacement) -> str:
    def quoted(match: re.Match[str]) -> str:
        if match[0].startswith('"'):
            return match[0]
        paths = replace(match[0][1:-1].replace("''", "'"))
        if paths is None:
            return match[0]
        return text(paths[0]) if len(paths) == 1 else f"[{', '.join(map(text, paths))}]"

    return _QUOTED.sub(quoted, sql)


def move_root(old: str, new: TenantFolder) -> Replacement:
    """Return a function that replaces paths below one folder with the same paths below another.

    The name of a notice is replaced with the current sentence; older versions had others.
    """

    def replace(value: str) -> list[str] | None:
        if not value.startswith(f"{old}/.store/"):
            return None
        path = f"{new.root}{value.removeprefix(old)}"
        is_notice = "/billing_period=-/" in path
        return [str(notice_path(new, Path(path).parents[2].name)) if is_notice else path]

    return replace


def resolve_globs(paths_by_old_name: dict[str, str]) -> Replacement:
    """Return a replacement of an older version's relative patterns with the files that they match.

    Args:
        paths_by_old_name: absolute path in the store, by the path that the older version gave the
            file, relative to the tenant's folder.
    """

    def replace(value: str) -> list[str] | None:
        if not re.match(r"(costs|landing|quarantine|cost_explorer_daily)/[^/]+=", value):
            return None
        return [new for old, new in sorted(paths_by_old_name.items()) if fnmatchcase(old, value)]

    return replace
