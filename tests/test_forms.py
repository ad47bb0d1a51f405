"""Every form of AWS's deliveries, read from a real S3-compatible store, equals the truth exactly.

Covers: rows, billed and effective cost per project, account and line item type of each form, two
tenants at once; several reports in one place; two payers in one bucket; imported folders.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from finops_pipeline.lake.warehouse import reading
from finops_pipeline.landing.column_names import renames_of
from finops_pipeline.synthetic.estate import DeliveryRequest, write_delivery
from tests.conftest import TemporaryInstallation
from tests.support.estate_in_s3 import may_read
from tests.support.export_forms import (
    FORMS,
    LAST_MONTH,
    MONTH,
    SEED,
    SOURCES,
    declaration,
    write_form,
)
from tests.support.globex import finops
from tests.support.servers import Store
from tests.support.synthetic_bills import digests
from tests.support.tiers import some_every_day

BUCKET = "export-forms"
TENANTS = tuple(SOURCES)
ATHENA = ("cur-athena",)
PARTS = {
    (f, t): (n + at) % 2 * 2 or n % 4 not in (1, 2)
    for n, f in enumerate(FORMS)
    for at, t in enumerate(TENANTS)
}
"""Parts of all forms and tenants. The gate takes part 0: half of the forms, each of one tenant, so
every format and both tenants; `make torture` takes all."""
of_all_parts = pytest.mark.parametrize(
    ("form", "tenant"),
    [pytest.param(*k, marks=[pytest.mark.torture] if p else []) for k, p in PARTS.items()],
)


@dataclass
class Forms:
    """Installations with a source for each form, made when one of their forms is first needed.

    Forms of one format share an installation: one source each, the same projects for all.
    """

    store: Store
    home: Path
    made: dict[tuple[str, int], TemporaryInstallation] = field(default_factory=dict)
    truths: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def of(self, form: str, tenant: str) -> TemporaryInstallation:
        """The installation that has a source in this form, of this tenant."""
        wanted = FORMS[form].format, PARTS[form, tenant]
        if wanted not in self.made:
            self.made[wanted] = self._ingested(*wanted)
        return self.made[wanted]

    def _ingested(self, kind: str, part: int) -> TemporaryInstallation:
        made = TemporaryInstallation(self.home / f"{kind}-{part}" / "data")
        locations: dict[str, dict[str, str]] = {tenant: {} for tenant in TENANTS}
        for (name, tenant), its_part in PARTS.items():
            if (FORMS[name].format, its_part) != (kind, part):
                continue
            folder = self.home / "written" / tenant / name
            for month in ("2026-09", "2026-10") if name in ATHENA else (MONTH,):
                written = write_form(folder, tenant, name, month)
                self.truths[tenant, name, month] = written.truth
            inside = written.report.relative_to(self.home / "written")
            locations[tenant][name] = f"s3://{BUCKET}/{inside}"
            self.store.upload(folder, f"{BUCKET}/{tenant}/{name}")
        declared = self.home / f"{kind}-{part}.yaml"
        more = {"profile": "{tenant}", "endpoint_url": self.store.url}
        declared.write_text(yaml.safe_dump(declaration(locations, **more)))
        made.apply(declared)
        for tenant in TENANTS:
            self.warnings += [s.reason for s in made.ingest(tenant).steps if s.reason]
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


def exactly(
    made: TemporaryInstallation, tenant: str, source: str, month: str, true: dict[str, Any]
) -> None:
    """Status and charges of a source's month against the truth, to the last decimal."""
    status = {(s.source, s.billing_period): s for s in made.installation.status(tenant)}[
        source, month
    ]
    # Several forms of one bill count twice (test_repeated_bills.py), and nothing else differs.
    differing = {
        comparison.against
        for comparison in made.installation.reconciled(tenant).comparisons
        if (comparison.source, comparison.billing_period) == (source, month)
        and comparison.state == "differs"
    }
    assert differing <= {"other bill"}
    assert status.state == ("differs" if differing else "reconciled"), status.reason
    assert status.rows_read == status.rows_kept == true["rows"]
    assert status.source_cost == status.billed_cost == Decimal(true["billed_cost"])
    assert status.effective_cost == Decimal(true["effective_cost"])


def charged(
    made: TemporaryInstallation, tenant: str, key: str, source: str
) -> dict[str, list[Decimal]]:
    """Billed and effective cost of a source's month by a column of `costs`."""
    sql = (
        f"select {key} as x_key, sum(BilledCost), sum(EffectiveCost) from costs"
        f" where x_Source = '{source}' and billing_period = '{MONTH}' group by all"
    )
    folder = made.installation.folder(tenant)
    with reading(folder) as connection:
        return {row[0]: list(row[1:]) for row in connection.execute(sql).fetchall()}


@of_all_parts
def test_every_form_from_the_store_is_exact(forms: Forms, form: str, tenant: str) -> None:
    made = forms.of(form, tenant)
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
    # All forms contain the same bill, which is the only thing to warn about.
    assert all(w.startswith("bills_apart: ") and "; " not in w for w in forms.warnings)


@of_all_parts
def test_tags_survive_every_form_and_nothing_is_unknown(
    forms: Forms, form: str, tenant: str
) -> None:
    made = forms.of(form, tenant)
    sql = f"""
        select count(Tags), count(*) filter (coalesce(Tags->>'Team', Tags->>'team') = 'web'),
            count(x_UnknownColumns), count(*) filter (regexp_matches(Tags, 'user[_:]'))
        from costs where x_Source = '{form}'
    """
    with reading(made.installation.folder(tenant)) as connection:
        (counts,) = connection.execute(sql).fetchall()
    (drifts,) = {s.drift for s in made.installation.status(tenant) if s.source == form}
    assert drifts is None
    if form == "cur2-subset":
        assert counts == (0, 0, 0, 0)
    else:
        assert counts[0] > 0 and counts[1] > 10 and counts[2:] == (0, 0)


@pytest.mark.parametrize("form", some_every_day(FORMS, every=5))
def test_the_same_form_is_the_same_bytes(form: str, tmp_path: Path) -> None:
    for copy in ("one", "two"):
        write_form(tmp_path / copy, "globex", form)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


@pytest.mark.parametrize(
    ("query", "renames"),
    [
        ("select bill_bill_type as kind from t", {"kind": "bill_bill_type"}),
        ('SELECT t.bill_bill_type "Kind Of" FROM t', {"kind of": "bill_bill_type"}),
        ("select product['sku'] as s, t.product.region from t",
         {"s": "product_sku", "region": "product_region"}),
        ("select resource_tags.user_team as team from t where bill_bill_type = 'x' limit 5",
         {"team": "resource_tags_user_team"}),
        ("select lower(bill_bill_type) as kind, 1 as one, Tags['Team'] as team from t", {}),
        ("select * from t", {}),
        ("select from where", {}),
        ("drop table t", {}),
        ("", {}),
    ],
)  # fmt: skip
def test_the_query_of_an_export_gives_its_column_renames(
    query: str, renames: dict[str, str]
) -> None:
    with duckdb.connect() as connection:
        assert renames_of(connection, query) == renames


def sources_at(
    home: Path, store: Store, places: dict[str, str], kind: str
) -> TemporaryInstallation:
    """An installation whose tenant acme reads a source (name -> place) for each."""
    made = TemporaryInstallation(home / "data")
    more = {"format": kind, "profile": "acme", "endpoint_url": store.url}
    sources = [
        {"name": name, "location": f"s3://{BUCKET}/acme/{place}"} | more
        for name, place in places.items()
    ]
    declared = home / "tenants.yaml"
    declared.write_text(yaml.safe_dump({"tenants": [{"name": "acme", "sources": sources}]}))
    made.apply(declared)
    return made


def test_a_location_of_several_reports_serves_only_the_report_named_like_the_source(
    forms: Forms, tmp_path: Path
) -> None:
    """A single report is used; of several, the source's namesake; else the refusal names all."""
    report = write_form(tmp_path, "acme", "cur-zip-new")
    other = write_form(tmp_path / "other", "globex", "cur-gz-over")
    focus = write_form(tmp_path, "acme", "focus-1-2")
    forms.store.upload(report.report, f"{BUCKET}/acme/one/first")
    forms.store.upload(focus.report, f"{BUCKET}/acme/one/focus")
    for name, written in (("first", report), ("second", other), ("third", focus)):
        forms.store.upload(written.report, f"{BUCKET}/acme/many/{name}")
    places = {"alone": "one", "second": "many", "lost": "many"}
    made = sources_at(tmp_path, forms.store, places, "legacy-cur")
    refused = made.ingest("acme").failed
    exactly(made, "acme", "alone", MONTH, report.truth)
    exactly(made, "acme", "second", MONTH, other.truth)
    assert [step.subject for step in refused] == ["acme/lost"]
    reason = refused[0].reason
    assert f"s3://{BUCKET}/acme/many contains several reports: first, second" in reason
    assert "third" not in reason and f"s3://{BUCKET}/acme/many/first" in reason


def test_the_manifest_of_another_report_in_a_folder_is_ignored(
    forms: Forms, tmp_path: Path
) -> None:
    """A report's own manifest is named like the report; any other manifest is not used."""
    report = write_form(tmp_path, "acme", "cur2-parquet-over")
    stray = report.report / f"metadata/BILLING_PERIOD={MONTH}/another-Manifest.json"
    stray.write_text('{"dataFiles": ["s3://x/another.parquet"]}')
    forms.store.upload(report.report, f"{BUCKET}/acme/mixed/{report.report.name}")
    forms.store.upload(report.report, f"{BUCKET}/acme/mixed/renamed")
    places = {"own": f"mixed/{report.report.name}", "renamed": "mixed/renamed"}
    made = sources_at(tmp_path, forms.store, places, "cur-2.0")
    (refused,) = made.ingest("acme").failed
    exactly(made, "acme", "own", MONTH, report.truth)
    assert refused.subject == "acme/renamed" and "has 2 manifests" in refused.reason


def test_two_payers_can_share_a_bucket(forms: Forms, tmp_path: Path) -> None:
    bills = {}
    for source in ("payer", "labs"):
        fields: dict[str, Any] = {"tenant": "acme", "source": source, "month": MONTH}
        request = DeliveryRequest(
            seed=SEED, last_month=LAST_MONTH, form=FORMS["cur2-gz-new"], **fields
        )
        bills[source] = write_delivery(tmp_path / source, request)
        report = bills[source].manifest.parents[2]
        forms.store.upload(report, f"{BUCKET}/acme/payers/{source}")
    places = {source: f"payers/{source}" for source in bills}
    made = sources_at(tmp_path, forms.store, places, "cur-2.0")
    assert not made.ingest("acme").failed
    for source, bill in bills.items():
        exactly(made, "acme", source, MONTH, bill.truth)
    payers = {source: charged(made, "acme", "BillingAccountId", source) for source in bills}
    assert [len(costs) for costs in payers.values()] == [1, 1]
    assert set(payers["payer"]) == {"111122223333"} and set(payers["labs"]) == {"888899990000"}


IMPORTED_FORMS = ("cur-zip-new", "cur-athena", "cur2-gz-new", "focus-1-0")


@pytest.mark.parametrize("name", some_every_day(IMPORTED_FORMS, every=2))
def test_imported_folders_count_every_bill_and_name_every_other_file(
    tmp_path: Path, name: str
) -> None:
    """Two months of a form in one folder; a file that is not a bill is named and not counted."""
    sources = [{"name": name, "format": FORMS[name].format}]
    declared = tmp_path / "tenants.yaml"
    tenants = [{"name": tenant, "sources": sources} for tenant in TENANTS]
    declared.write_text(yaml.safe_dump({"tenants": tenants}))
    made = TemporaryInstallation(tmp_path / "data")
    made.apply(declared)
    truths, folder = {}, tmp_path / "imported" / name
    for month in ("2026-08", MONTH):
        written = write_form(tmp_path / name, "acme", name, month)
        truths[month] = written.truth
    _copy_bills(written.report, folder)
    for other in (".hidden.csv", "deep/_SUCCESS.csv", "READ ME.txt"):
        (folder / other).write_text("no bill")
    code, output = finops("ingest-file", f"acme/{name}", str(folder), data=made.data)
    assert code == 0, output
    assert "3 files that are not bills: .hidden.csv, READ ME.txt, deep/_SUCCESS.csv" in output
    for month, true in truths.items():
        exactly(made, "acme", name, month, true)
    assert made.installation.status("globex") == []


def _copy_bills(report: Path, folder: Path) -> None:
    """Copy the bills of a report two folders deep, under different names."""
    (folder / "deep" / "er").mkdir(parents=True)
    bills = [path for path in report.rglob("*") if path.is_file() and path.suffix != ".json"]
    for number, path in enumerate(sorted(bills)):
        shutil.copy(path, folder / "deep" / "er" / f"{number}-{path.name}")


def test_a_folder_that_is_a_report_or_empty_is_refused(tmp_path: Path) -> None:
    declared = tmp_path / "tenants.yaml"
    sources = [{"name": "cur", "format": "legacy-cur"}]
    declared.write_text(yaml.safe_dump({"tenants": [{"name": "acme", "sources": sources}]}))
    made = TemporaryInstallation(tmp_path / "data")
    made.apply(declared)
    report = write_form(tmp_path, "acme", "cur-gz-new").report
    (tmp_path / "nothing").mkdir()
    (tmp_path / "nothing" / "notes.txt").write_text("")
    for folder, reason in ((report, "2 manifests"), (tmp_path / "nothing", "notes.txt")):
        code, output = finops("ingest-file", "acme/cur", str(folder), data=made.data)
        assert code == 1 and reason in output, output
    assert made.installation.status("acme") == []
