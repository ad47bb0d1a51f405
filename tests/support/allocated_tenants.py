"""acme and globex with rules for dimensions, built on an estate of invented bills.

Put here: the rules, fixtures with both tenants, reading what was built. Keep out: what rules make
of charges (test_allocations.py).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from finops_pipeline.application.installation import Installation
from finops_pipeline.settings import Settings
from tests.conftest import TemporaryInstallation
from tests.support.globex import finops
from tests.support.published_files import copy_installation
from tests.support.second_opinion_allocations import COSTS, GROUP, add_up, read_charges

TENANTS = ("acme", "globex")
SECTION: dict[str, Any] = {
    "names": ["team", {"name": "cost_centre", "display_name": "Cost centre"}, "environment",
              "area", "business_unit", "owner"],
    "tag_keys": {"env": ["Environment"], "cost_centre": ["CostCenter", "cost-center"]},
    "mappings": {
        "environments": {"production": ["prod", "live"], "development": ["dev"]},
        "teams": {"website": ["WEB", "www"], "platform": []},
    },
    "rules": [
        {"name": "lambda-since", "dimension": "team", "value": "=serverless",
         "when": {"services": ["*Lambda*", "*S3*"], "charge_categories": ["Usage"]}},
        {"name": "web-eu", "dimension": "team", "value": "web-eu",
         "when": {"tags": {"Team": ["web", "we*"]}, "regions": "eu-*"}},
        {"name": "team-tag", "dimension": "team", "value_from": "tag Team", "mapping": "teams"},
        {"name": "tax", "dimension": "team", "value": "finance",
         "when": {"charge_categories": "Tax"}},
        {"name": "centre", "dimension": "cost_centre", "value_from": "tag cost_center"},
        {"name": "env", "dimension": "environment", "value_from": "tag ENV",
         "mapping": "environments"},
        {"name": "area", "dimension": "area", "value_from": "cost_category Area"},
        {"name": "small-area", "dimension": "area", "value_from": "cost_category area"},
        {"name": "owner-tag", "dimension": "owner", "value_from": "tag Owner", "priority": 1},
        {"name": "instances", "dimension": "owner", "value": "operations", "priority": 2,
         "when": {"resources": ["i-*", "arn:*:instance*"]}},
    ],
}  # fmt: skip
"""Rules that read every field; their values differ per tenant in `sections`."""


def sections(tenant: str) -> dict[str, Any]:
    """The section that a tenant declares: acme's rules have dates, globex has another value."""
    section = copy.deepcopy(SECTION)
    rules = section["rules"]
    if tenant == "acme":
        rules[0] |= {"from": first("2026-09", 12), "to": first("2026-10", 20)}
        rules[3] |= {"from": first("2026-10", 1)}
    else:
        rules[1]["value"] = "globex-web"
        rules.append({"name": "prod", "dimension": "business_unit", "value": "shop",
                      "when": {"projects": "unassigned"}})  # fmt: skip
    return section


def first(month: str, day: int) -> Any:
    return yaml.safe_load(f"{month}-{day:02d}")


@dataclass(frozen=True)
class Allocated:
    """Two tenants with rules, built."""

    data: Path
    folder: Path

    def tenant_folder(self, tenant: str) -> Path:
        """A tenant's folder."""
        return self.data / "lake" / f"tenant={tenant}"

    def finops(self, *arguments: str, data: Path | None = None) -> str:
        """Run a command that succeeds (on another data folder); return its output."""
        code, output = finops(*arguments, data=data or self.data)
        assert code == 0, output
        return output

    def declare(self, **of_tenants: dict[str, Any]) -> Path:
        """Write a tenants.yaml with these sections."""
        entries = [{"name": name, "dimensions": section} for name, section in of_tenants.items()]
        file = self.folder / "rules.yaml"
        file.write_text(yaml.safe_dump({"tenants": entries}, sort_keys=False))
        return file

    def apply(self, **of_tenants: dict[str, Any]) -> str:
        """Declare sections and build; return what `finops apply` says."""
        output = self.finops("apply", str(self.declare(**of_tenants)))
        for tenant in of_tenants:
            self.finops("ingest", tenant)
        return output

    def mart(self, tenant: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
        """The rows of dimension_costs: group -> charges and costs."""
        names = ", ".join((*GROUP, "charges", *COSTS))
        rows = self.rows(tenant, f"select {names} from dimension_costs")
        return {row[: len(GROUP)]: row[len(GROUP) :] for row in rows}

    def rows(self, tenant: str, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query on a tenant's file."""
        file = self.tenant_folder(tenant) / f"{tenant}.duckdb"
        with duckdb.connect(str(file), read_only=True) as db:
            return db.execute(sql).fetchall()

    def labels(self, tenant: str) -> dict[str, dict[str, Any]]:
        """The labels of a tenant's projects."""
        declared = Installation(Settings(data=self.data)).registry.tenant(tenant)
        return {
            p.name: {"environment": p.environment, "business_unit": p.business_unit}
            for p in declared.projects
        }

    def second_opinion(self, tenant: str, section: dict[str, Any]) -> dict[Any, Any]:
        """What dimension_costs should have."""
        charges = read_charges(self.tenant_folder(tenant))
        return add_up(charges, section, self.labels(tenant))


def allocate(data: Path, folder: Path) -> Allocated:
    made = Allocated(data, folder)
    made.apply(**{tenant: sections(tenant) for tenant in TENANTS})
    return made


@pytest.fixture(scope="module")
def allocated(built: TemporaryInstallation, tmp_path_factory: pytest.TempPathFactory) -> Allocated:
    """The estate with rules for both tenants. Read only."""
    folder = tmp_path_factory.mktemp("allocated")
    copy_installation(built.data, folder / "data")
    return allocate(folder / "data", folder)


@pytest.fixture
def changeable(allocated: Allocated, tmp_path: Path) -> Allocated:
    """A copy that a test may change."""
    copy_installation(allocated.data, tmp_path / "data")
    return Allocated(tmp_path / "data", tmp_path)
