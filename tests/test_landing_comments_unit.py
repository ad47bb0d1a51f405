"""Comments on the columns of a landing.

Put here: which columns have one. Keep out: comments in a tenant's file (test_explained_files.py).
"""

from __future__ import annotations

from finops_pipeline.marts.about import MOST_COMMENTED_COLUMNS, landing_comments


def test_a_landing_with_very_many_tags_has_comments_on_the_other_columns() -> None:
    tags = [f"resourceTags/user:Tag{number}" for number in range(MOST_COMMENTED_COLUMNS)]
    few, many = (
        landing_comments("payer", ["lineItem/UsageAccountId", *some]) for some in (tags[:9], tags)
    )
    assert len(few.columns) == 10
    assert many.columns == {"lineItem/UsageAccountId": few.columns["lineItem/UsageAccountId"]}
    assert "without a comment are tags" in many.own and "without a comment" not in few.own
