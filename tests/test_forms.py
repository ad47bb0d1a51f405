"""Every form of AWS's deliveries, from the real S3-compatible store, exact against the truth.

Covers: rows, billed and effective cost per project, account and line item type of each form, two
tenants at once; several reports in one place; two payers in one bucket; folders brought by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from finops_pipeline.lake.warehouse import reading
from tests.conftest import Installation
from tests.estate_in_s3 import may_read
from tests.export_forms import FORMS, MONTH, SOURCES, declaration, write_form
from tests.servers import Store

BUCKET = "export-forms"
TENANTS = tuple(SOURCES)
ATHENA = ("cur-athena",)


@dataclass
class Forms:
    """Installations with a source for each form, made when a form of theirs is first asked for.

    Forms of one kind share an installation: a source each, the same projects for all.
    """

    store: Store
    home: Path
    made: dict[str, Installation] = field(default_factory=dict)
    truths: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)

    def of(self, form: str) -> Installation:
        kind = FORMS[form].format
        if kind not in self.made:
            self.made[kind] = self._ingested(kind)
        return self.made[kind]

    def _ingested(self, kind: str) -> Installation:
        made = Installation(self.home / kind / "data")
        locations: dict[str, dict[str, str]] = {tenant: {} for tenant in TENANTS}
        for name in (name for name, form in FORMS.items() if form.format == kind):
            for tenant in TENANTS:
                folder = self.home / "written" / tenant / name
                for month in ("2026-09", "2026-10") if name in ATHENA else (MONTH,):
                    written = write_form(folder, tenant, name, month)
                    self.truths[tenant, name, month] = written.truth
                inside = written.report.relative_to(self.home / "written")
                locations[tenant][name] = f"s3://{BUCKET}/{inside}"
                self.store.bring(folder, f"{BUCKET}/{tenant}/{name}")
        declared = self.home / f"{kind}.yaml"
        more = {"profile": "{tenant}", "endpoint_url": self.store.url}
        declared.write_text(yaml.safe_dump(declaration(locations, **more)))
        made.apply(declared)
        for tenant in TENANTS:
            made.ingest(tenant)
        return made


@pytest.fixture(scope="module")
def credentials(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "credentials"
    lines = []
    for tenant in TENANTS:
        key, secret = store.add_user(f"forms-{tenant}", may_read(BUCKET, tenant))
        lines += [f"[{tenant}]", f"aws_access_key_id = {key}", f"aws_secret_access_key = {secret}"]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def all_forms(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Forms:
    return Forms(store, tmp_path_factory.mktemp("forms"))


@pytest.fixture
def forms(all_forms: Forms, credentials: Path, monkeypatch: pytest.MonkeyPatch) -> Forms:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    return all_forms


def exactly(made: Installation, tenant: str, source: str, month: str, true: dict[str, Any]) -> None:
    """Status and charges of a source's month against the truth, to the last decimal."""
    told = {(s.source, s.billing_period): s for s in made.house.status(tenant)}[source, month]
    assert told.state == "reconciled", told.reason
    assert told.rows_read == told.rows_kept == true["rows"]
    assert told.source_cost == told.billed_cost == Decimal(true["billed_cost"])
    assert told.effective_cost == Decimal(true["effective_cost"])


def charged(made: Installation, tenant: str, key: str, source: str) -> dict[str, list[Decimal]]:
    """Billed and effective cost of a source's month by a column of `costs`."""
    sql = (
        f"select {key} as x_key, sum(BilledCost), sum(EffectiveCost) from costs"
        f" where x_Source = '{source}' and billing_period = '{MONTH}' group by all"
    )
    folder = made.house.folder(tenant)
    with reading(folder) as connection:
        return {row[0]: list(row[1:]) for row in connection.execute(sql).fetchall()}


@pytest.mark.parametrize("tenant", TENANTS)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_from_the_store_is_exact(forms: Forms, form: str, tenant: str) -> None:
    made = forms.of(form)
    months = {key[2]: true for key, true in forms.truths.items() if key[:2] == (tenant, form)}
    for month, true in months.items():
        exactly(made, tenant, form, month, true)
    true = months[MONTH]
    projects = {
        name: [Decimal(costs["billed_cost"]), Decimal(costs["effective_cost"])]
        for name, costs in true["by_project"].items()
    }
    nothing = [Decimal(0)] * 2
    by_project = charged(made, tenant, "project", form)
    assert {name: by_project.get(name, nothing) for name in projects} == projects
    by_account = charged(made, tenant, "SubAccountId", form)
    assert {name: costs[0] for name, costs in by_account.items()} == {
        name: Decimal(billed) for name, billed in true["by_account"].items()
    }
    by_service = charged(made, tenant, "ServiceName", form)
    assert len(by_service) > 3 and "AWS" not in by_service
