"""Claims with unusual values, and negations whose holder another claim decides.

Put here: values that SQL, JSON or patterns could misread, and shares that a claim of another
project changes. Keep out: ordinary claims (test_claims.py), what a claim may say
(test_claim_declarations.py).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from finops_pipeline.contracts.cur import canonical
from finops_pipeline.lake.warehouse import reading
from tests.conftest import TemporaryInstallation
from tests.support.bills import row, write_csv
from tests.support.globex import finops

FORMS = ("legacy-cur", "cur-2.0", "focus")
HOSTILE = (
    "it's \"x\"", "'; drop table costs; --", "%", "_", "é" * 256, "🙂\u202e\u0301", "a\nb\tc",
    "a\\b/c~d", "null", "1e5", "$x ? {0}",
)  # fmt: skip
KEYS = {"Env": "", "o'k \"~/$.*": "odd key ", "x_Project": "column name "}
"""Tag keys, each with what is put before the values."""

Declared = dict[str, list[dict[str, Any]]]


def declare(made: TemporaryInstallation, folder: Path, claims: Declared, **more: Any) -> None:
    """Declare acme and globex with the same projects, and a source of every form."""
    tenants = [
        {
            "name": tenant,
            "sources": [{"name": form.replace(".", "-"), "format": form} for form in FORMS],
            "projects": [{"name": name, "claims": of} for name, of in claims.items()],
            **more,
        }
        for tenant in ("acme", "globex")
    ]
    path = folder / "tenants.yaml"
    path.write_text(yaml.safe_dump({"tenants": tenants}), encoding="utf-8")
    made.apply(path)


def rows_of(form: str) -> list[dict[str, str]]:
    """One row of 1 for each key and hostile value, and one of 100 with a harmless value."""
    lines = []
    for key, before in KEYS.items():
        for value in [*HOSTILE, "other"]:
            cost, text = ("100", value) if value == "other" else ("1", before + value)
            if form == "focus":
                tags = {"Tags": json.dumps({key: text}), "x_Project": "p9", "x_Claim": "c"}
                lines.append({
                    "BillingCurrency": "USD", "BillingPeriodStart": "2026-09-01T00:00:00Z",
                    "ChargeCategory": "Usage", "ChargePeriodStart": "2026-09-02T00:00:00Z",
                    "EffectiveCost": cost, "BilledCost": cost, "ServiceName": "S3", **tags,
                })  # fmt: skip
            elif form == "cur-2.0":
                line = {canonical(name): each for name, each in row(cost).items()}
                lines.append(line | {"tags": json.dumps({f"resourceTags/user:{key}": text})})
            else:
                lines.append(row(cost, **{f"resourceTags/user:{key}": text}))
    return lines


@pytest.mark.parametrize("form", FORMS)
def test_a_claim_takes_exactly_its_value_whatever_that_looks_like(
    empty: TemporaryInstallation, tmp_path: Path, form: str
) -> None:
    claims = {
        f"key-{number}": [{"tags": {key: [before + v for v in HOSTILE]}, "priority": number}]
        for number, (key, before) in enumerate(KEYS.items())
    }
    declare(empty, tmp_path, claims)
    write_csv(tmp_path / "bill.csv", rows_of(form))
    source = f"acme/{form.replace('.', '-')}"
    code, output = finops("ingest-file", source, str(tmp_path / "bill.csv"), data=empty.data)
    assert code == 0, output
    with reading(empty.installation.folder("acme")) as connection:
        sums = dict(
            connection.execute(
                "select project, sum(BilledCost)::integer from costs group by all"
            ).fetchall()
        )
    assert sums == {**dict.fromkeys(claims, len(HOSTILE)), "unassigned": 300}
    assert "No charge would move" in finops("project", "preview", "acme", data=empty.data)[1]


def covered(region: str, day: int, cost: str, kind: str) -> dict[str, str]:
    plan = {"savingsPlan/SavingsPlanARN": "arn:aws:savingsplans::111122223333:savingsplan/one"}
    place = {"product/regionCode": region, "lineItem/LineItemType": kind}
    return row(cost, day=f"2026-09-{day:02}", **place, **plan)


def test_the_rest_of_negations_is_in_one_project_when_another_claim_changes(
    empty: TemporaryInstallation, tmp_path: Path
) -> None:
    """`west` has most of the negations until `east` gets those of later days."""
    used, negated = "SavingsPlanCoveredUsage", "SavingsPlanNegation"
    places = (("us-west-2", 1, "50"), ("us-east-1", 2, "30"), ("us-east-1", 9, "40"))
    lines = [covered(region, day, cost, used) for region, day, cost in places]
    lines += [covered(region, day, f"-{cost}", negated) for region, day, cost in places]
    lines.append(covered("us-east-1", 2, "0.5", negated))
    write_csv(tmp_path / "bill.csv", lines)
    account = {"accounts": ["111122223333"], "priority": 5}
    east = {**account, "regions": ["us-east-1"]}
    found = []
    for day in ("2026-09-05", "2026-09-20"):
        declare(empty, tmp_path, {
            "west": [{**account, "regions": ["us-west-2"]}],
            "east": [{**east, "to": day}], "late": [{**east, "from": day}],
        })  # fmt: skip
        command = ("ingest-file", "acme/legacy-cur", str(tmp_path / "bill.csv"))
        code, output = (
            finops("ingest", "acme", data=empty.data)
            if found
            else finops(*command, data=empty.data)
        )
        assert code == 0, output
        with reading(empty.installation.folder("acme")) as connection:
            found.append(
                connection.execute(
                    "select project, sum(BilledCost)::decimal(9, 1)::varchar from costs"
                    " group by all having sum(BilledCost) <> 0"
                ).fetchall()
            )
    assert found == [[("west", "0.5")], [("east", "0.5")]]
