"""SELECTs that would take hours or gigabytes, each of its own kind.

Put here: the statements. Keep out: limits and what has to hold after a bomb (test_query_limits.py).
"""

from __future__ import annotations


def bombs() -> dict[str, str]:
    """Return name -> statement."""
    doubled = ", ".join(
        f"a{i} as not materialized (select l.x from a{i - 1} l, a{i - 1} r)" for i in range(1, 26)
    )
    numbers = ",".join(str(number) for number in range(140_000))
    big = "range(300000000)"
    return {
        # one function call
        "levenshtein": "select levenshtein(repeat('ab', 100000), repeat('ba', 100000))",
        "repeat": "select length(repeat('x', 4000000000))",
        "repeat in rows": "select sum(length(repeat('x', 500000000 + i::int)))"
        " from range(100) t(i)",
        "lpad": "select length(lpad('x', 2000000000, 'y'))",
        "format": "select length(format('{:>2000000000}', 'x'))",
        "hex": "select length(hex(hex(hex(repeat('x', 400000000)))))",
        "strip_accents": "select length(strip_accents(repeat('é', 400000000)))",
        "list_sort": f"select list_sort(list_transform({big}, lambda x: x * 7919 % 1000003))[1]",
        "list_aggregate": f"select list_aggregate({big}, 'string_agg', ',')",
        "list_reduce": f"select list_reduce({big}, lambda a, b: a + b % 7)",
        "generate_series": "select length(generate_series(1, 3000000000))",
        "json depth": "select json_extract(repeat('[', 100000000) || repeat(']', 100000000), '$')",
        "map": "select map_from_entries(list_transform(range(30000000),"
        " lambda x: (x, repeat('y', 100))))",
        "sleep": "select sleep_ms(60000)",
        # planning
        "doubled subqueries": f"with a0 as not materialized (select 1 as x), {doubled}"
        " select count(*) from a25",
        "unions": " union all ".join(["select 1"] * 20_000),
        "in": f"select 1 where 5 in ({numbers})",
        "parentheses": "select * from (" * 3_000 + "select 1" + ")" * 3_000,
        "sum": "select " + "+".join(["1"] * 200_000),
        "megabytes": "select '" + "x" * 2_000_000 + "'",
        # rows
        "range": "select count(*) from range(1000000000000) t(i) where i % 7 = 3",
        "series": "select sum(g) from generate_series(1, 1000000000000) t(g)",
        "cross join": "select count(*) from range(100000000) a(x), range(100000000) b(y)"
        " where (x * y) % 3 = 1",
        "charges": "select count(*) from costs a, costs b, costs c"
        " where a.BilledCost + b.BilledCost > c.BilledCost",
        "recursion": "with recursive r as (select 1 as n union all select n + 1 from r)"
        " select count(*) from r",
        "wide recursion": "with recursive r as (select 1 as n union all"
        " select n + 1 from r, range(10)) select count(*) from r",
        "sort": "select * from (select hash(i) as h, repeat('x', 100) as t"
        " from range(1000000000) t(i)) order by h limit 5 offset 900000000",
        "group by": "select count(*) from (select i, count(*) from range(10000000000) t(i)"
        " group by i)",
        "string_agg": "select length(string_agg(repeat('x', 1000), ',')) from range(1000000000)",
        "list": "select length(list(repeat('x', 100) || i)) from range(1000000000) t(i)",
        "window": "select max(m) from (select median(i) over (order by i rows between 1000000"
        " preceding and current row) as m from range(10000000) t(i))",
        "regexp": "select count(*) from range(100000000) t(i)"
        " where regexp_matches(repeat('a', 5000) || i, '^(a|aa)+$')",
        "unnest": "select count(*) from (select unnest(range(100000)), unnest(range(i))"
        " from range(100000) t(i))",
        # the answer
        "rows": "select i from range(1000000000) t(i)",
        "wide rows": "select repeat('x', 100000000) from range(1000)",
        "bytes": "select repeat('x', 5000) from range(100000)",
    }
