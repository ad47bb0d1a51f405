"""Tags of a bill in every spelling: in maps and flat columns, of resources and of other things.

Put here: which key a tag has in Tags, and what is kept apart. Keep out: tags of many columns and
files (test_edge_cases.py).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_pipeline.contracts.cur import canonical
from tests.support.bills import row, write_csv
from tests.support.foreign_bills import ForeignBills, built_foreign, foreign
from tests.support.globex import finops
from tests.support.tiers import some_every_day

__all__ = ["built_foreign", "foreign"]

TAGS = {
    "resourceTags/Team": "pay", "resourceTags/Name": "web-1", "resourceTags/aws_x": "mine",
    "resourceTags/aws:createdBy": "root", "accountTag/Team": "platform",
    "userAttribute/title": "engineer", "iamPrincipal/role": "deployer", "costCategory/Area": "shop",
}  # fmt: skip
OF_RESOURCE = {"Team": "pay", "Name": "web-1", "aws_x": "mine", "aws:createdBy": "root"}
OF_OTHERS = {key: TAGS[key] for key in TAGS if key[:4] in ("acco", "user", "iamP")}
SHOWN = "Tags, x_OtherTags, x_CostCategories, ResourceName from costs order by BilledCost desc"


in_one_form_every_day = pytest.mark.parametrize("form", some_every_day(["parquet", "csv"]))
in_the_other_form_every_day = pytest.mark.parametrize("form", some_every_day(["csv", "parquet"]))


def bill(cost: str, **columns: Any) -> dict[str, Any]:
    line = {canonical(name): value for name, value in row(cost).items()}
    return line | {"line_item_resource_id": f"i-{cost}"} | columns


def write_parquet(path: Path, lines: list[dict[str, Any]]) -> None:
    maps = {name for line in lines for name, value in line.items() if isinstance(value, dict)}
    kind = pa.map_(pa.string(), pa.string())
    columns = {
        name: pa.array([list(line[name].items()) for line in lines], kind)
        if name in maps
        else pa.array([line[name] for line in lines])
        for name in lines[0]
    }
    pq.write_table(pa.table(columns), path)


def shown(foreign: ForeignBills, lines: list[dict[str, Any]], form: str) -> list[list[Any]]:
    """Import lines as Parquet with maps, or as CSV with JSON cells; return their tags."""
    path = foreign.folder / f"bill.{form}"
    if form == "parquet":
        write_parquet(path, lines)
    else:
        cells = [
            {n: json.dumps(v) if isinstance(v, dict) else v for n, v in line.items()}
            for line in lines
        ]
        write_csv(path, cells)
    foreign.ingest_file("cur-2.0", path)
    return [
        [*(value and json.loads(value) for value in list(line.values())[:3]), line["ResourceName"]]
        for line in foreign.ask(f"select {SHOWN}")
    ]


@in_one_form_every_day
def test_prefixes_of_the_column_tags_cid_1398_1453(foreign: ForeignBills, form: str) -> None:
    """Reports: cloud-intelligence-dashboards-framework#1398, #1453."""
    lines = [bill("30", tags=TAGS), bill("12", tags={"accountTag/Team": "platform"})]
    assert shown(foreign, lines, form) == [
        [OF_RESOURCE, OF_OTHERS, {"Area": "shop"}, "web-1"],
        [{}, {"accountTag/Team": "platform"}, {}, None],
    ]
    query = ("queries", "run", "acme", "applications_by_month", "--from", "2026-09",
             "--to", "2026-09", "--set", "tag=Team", "--format", "json")  # fmt: skip
    code, output = finops(*query)
    by_team = {r["tag_value"]: float(r["billed_cost"]) for r in json.loads(output)}
    assert (code, by_team) == (0, {"pay": 30, None: 12})
    assert foreign.ask("select count(*) as n from conformance where not is_known_gap"
                       " and rule like '%ags%'") == [{"n": 0}]  # fmt: skip


@in_the_other_form_every_day
def test_the_column_tags_stands_beside_resource_tags(foreign: ForeignBills, form: str) -> None:
    """AWS "Resource tags columns": `tags` has the same tags, in their own spelling."""
    old = {"user_team": "pay", "user_name": "web-1"}
    both = bill("30", tags=TAGS, resource_tags=old, cost_category={"Area": "shop"})
    assert shown(foreign, [both], form) == [[OF_RESOURCE, OF_OTHERS, {"Area": "shop"}, "web-1"]]


@in_one_form_every_day
def test_a_users_own_aws_x_is_never_shown_as_that_of_aws(foreign: ForeignBills, form: str) -> None:
    tags = {"user_aws_x": "mine", "aws_created_by": "root", "user_name": "web-1"}
    assert shown(foreign, [bill("1", resource_tags=tags)], form) == [
        [{"aws_x": "mine", "aws:created_by": "root", "name": "web-1"}, None, None, "web-1"]
    ]


def test_the_same_tags_in_flat_columns(foreign: ForeignBills) -> None:
    flat = {"resource_tags_user_aws_x": "mine", "resource_tags_aws_created_by": "root",
            "accountTag/Team": "platform", "iam_principal_role": "deployer",
            "costCategory/Area": "shop", "resourceTags/user:Name": "web-1"}  # fmt: skip
    assert shown(foreign, [bill("1", **flat)], "csv") == [
        [
            {"aws_x": "mine", "aws:created_by": "root", "Name": "web-1"},
            {"accountTag/Team": "platform", "iamPrincipal/role": "deployer"},
            {"Area": "shop"},
            "web-1",
        ]
    ]


def test_more_keys_than_are_read_one_by_one(foreign: ForeignBills) -> None:
    many = {f"resourceTags/user:T{n}": str(n) for n in range(70)}
    tags = TAGS | many | {"resourceTags/Team": "pay"}
    ((of_resource, of_others, costs, name),) = shown(foreign, [bill("1", tags=tags)], "parquet")
    assert of_resource == OF_RESOURCE | {f"T{n}": str(n) for n in range(70)}
    assert (of_others, costs, name) == (OF_OTHERS, {"Area": "shop"}, "web-1")


def test_more_flat_columns_than_are_read_one_by_one_opencost_2898(foreign: ForeignBills) -> None:
    """Report opencost/opencost#2898: thousands of tag columns. Empty tags are no tags."""
    many = {f"resourceTags/user:T{n}": str(n) if n % 3 else "" for n in range(300)}
    odd = {'resourceTags/user:a "b"': 'c "d" \\', "costCategory/Area": "shop"}
    ((tags, _, costs, _),) = shown(foreign, [bill("1", **many, **odd)], "csv")
    assert tags == {f"T{n}": str(n) for n in range(300) if n % 3} | {'a "b"': 'c "d" \\'}
    assert costs == {"Area": "shop"}


LEGACY = {"resourceTags/user:CostCenter": "cc1", "resourceTags/user:Name": "web-1",
          "resourceTags/aws:createdBy": "root"}  # fmt: skip
SNAKE = {"user_cost_center": "cc1", "user_name": "web-1", "aws_created_by": "root"}
SPELLED = {"CostCenter": "cc1", "Name": "web-1", "aws:createdBy": "root"}
CHANGED = {"CostCenter": "cost_center", "Name": "name", "aws:createdBy": "aws:created_by"}


def import_legacy(foreign: ForeignBills, **tags: str) -> None:
    line = row("8", day="2026-08-05") | {"lineItem/ResourceId": "i-1"} | LEGACY | tags
    foreign.ingest_file("legacy-cur", foreign.write_records("old.csv", [[*line], [*line.values()]]))


def tags_by_month(foreign: ForeignBills) -> dict[str, tuple[Any, Any, str]]:
    rows = foreign.ask("select billing_period, Tags, x_TagKeys, ResourceName from costs")
    return {
        r["billing_period"]: (
            json.loads(r["Tags"]),
            json.loads(r["x_TagKeys"] or "null"),
            r["ResourceName"],
        )
        for r in rows
    }


@pytest.mark.parametrize("form", some_every_day(["flat", "parquet", "csv"]))
def test_a_tag_is_one_key_over_the_change_of_export_opencost_4036(
    foreign: ForeignBills, form: str
) -> None:
    """Report: opencost/opencost#4036. The bill's own spelling is kept in x_TagKeys."""
    import_legacy(foreign)
    if form == "flat":
        flat = {f"resource_tags_{key}": value for key, value in SNAKE.items()}
        shown(foreign, [bill("30", **flat)], "csv")
    else:
        shown(foreign, [bill("30", resource_tags=SNAKE)], form)
    assert tags_by_month(foreign) == {
        "2026-08": (SPELLED, None, "web-1"),
        "2026-09": (SPELLED, CHANGED, "web-1"),
    }
    query = ("queries", "run", "acme", "applications_by_month", "--from", "2026-08",
             "--to", "2026-09", "--set", "tag=CostCenter", "--format", "json")  # fmt: skip
    costs = [(r["tag_value"], float(r["billed_cost"])) for r in json.loads(finops(*query)[1])]
    assert costs == [("cc1", 8), ("cc1", 30)]


def test_a_legacy_report_that_comes_later_spells_the_tags_too(foreign: ForeignBills) -> None:
    """Until then, and for keys that could stand for two tags, the bill's own key stays."""
    shown(foreign, [bill("30", resource_tags=SNAKE | {"user_team": "pay"})], "parquet")
    own = {"cost_center": "cc1", "name": "web-1", "aws:created_by": "root", "team": "pay"}
    assert tags_by_month(foreign) == {"2026-09": (own, None, "web-1")}
    import_legacy(foreign, **{"resourceTags/user:Team": "a", "resourceTags/user:team": "b"})
    code, output = finops("ingest", "acme")
    assert code == 0, output
    assert tags_by_month(foreign)["2026-09"] == (SPELLED | {"team": "pay"}, CHANGED, "web-1")
