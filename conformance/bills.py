"""The seeded estate's bills in every source form, ingested, and their charges as FOCUS Parquet.

Put here: which bills are checked, and ingesting them as a user would. Keep out: checking them
 (validate.py, amortized.py, converter.py), and bills of other sizes (benchmarks).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

from finops_pipeline.application.ingest import ingest
from finops_pipeline.application.installation import Installation
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.settings import Settings
from finops_pipeline.synthetic.declaration import tenants_yaml
from finops_pipeline.synthetic.estate import DeliveryRequest, write_delivery
from finops_pipeline.synthetic.forms import CSV_GZ, CUR_2, FOCUS, LEGACY, PARQUET, Form
from finops_pipeline.synthetic.spec import Source, Tenant, estate_tenants
from finops_pipeline.tenants.declare import apply, read_declaration

SEED = 7
MONTHS = ("2026-09", "2026-10")
"""A whole month and the open one."""

SOURCE = "payer"
"""The estate's richest source, in both tenants: every kind of commitment, fee, refund and tax."""

FORMS = {
    "legacy-cur": Form(LEGACY, CSV_GZ),
    "legacy-cur-parquet": Form(LEGACY, PARQUET),
    "cur-2.0": Form(CUR_2, PARQUET),
    "focus-1.0": Form(FOCUS, PARQUET, focus_version="1.0", focus_gaps=True),
    "focus-1.2": Form(FOCUS, PARQUET),
    "focus-1.2-gaps": Form(FOCUS, PARQUET, focus_gaps=True),
}
"""Name -> how the bills are delivered; `gaps`: null where AWS says that its export may be null."""


@dataclass(frozen=True)
class Ingested:
    """One form of the estate: where its exports and its installation are."""

    form: str
    exports: Path
    installation: Installation
    tenants: tuple[Tenant, ...]


def ingest_estate(form: str, home: Path, months: tuple[str, ...] = MONTHS) -> Ingested:
    """Write both tenants' bills in one form below `home`, and ingest them into an installation.

    Raises:
        RuntimeError: a delivery was refused, with its reason.
    """
    exports = home / "exports"
    declared = [_only(tenant, FORMS[form]) for tenant in _tenants()]
    for tenant in declared:
        for month in months:
            request = DeliveryRequest(
                seed=SEED,
                last_month=MONTHS[-1],
                tenant=tenant.name,
                source=SOURCE,
                month=month,
                form=FORMS[form],
            )
            write_delivery(exports, request)
    declaration = exports / "tenants.yaml"
    declaration.write_text(tenants_yaml(declared), encoding="utf-8")
    installation = Installation(Settings(data=home / "data"))
    apply(installation.registry, read_declaration(declaration))
    for tenant in declared:
        failed = ingest(installation, installation.registry.tenant(tenant.name)).failed
        if failed:
            raise RuntimeError(f"{form}: {'; '.join(step.reason for step in failed)}")
    return Ingested(form, exports, installation, tuple(declared))


def _tenants() -> tuple[Tenant, Tenant]:
    return estate_tenants(seed=SEED, last_month=MONTHS[-1])


def _only(tenant: Tenant, form: Form) -> Tenant:
    """The tenant with its one source, written in that form."""
    source: Source = tenant.source(SOURCE).written_as(form)
    projects = tuple(
        replace(project, sources=(SOURCE,))
        for project in tenant.projects
        if SOURCE in project.sources
    )
    return replace(tenant, sources=(source,), projects=projects)


def bill_files(made: Ingested, tenant: str, month: str) -> list[Path]:
    """List the delivered files of a tenant's month."""
    (spec,) = (declared for declared in made.tenants if declared.name == tenant)
    report = made.exports / spec.location(spec.source(SOURCE))
    folders = (f"/{month.replace('-', '')}01-", f"={month}/")
    return [
        path
        for path in sorted(report.rglob("*"))
        if path.name.endswith((".parquet", ".csv.gz"))
        and any(folder in str(path) for folder in folders)
    ]


def export_charges(made: Ingested, target: Path) -> int:
    """Write the charges of both tenants, as their view `costs_focus_1_2` has them, to one Parquet.

    Returns the number of rows.
    """
    rows = 0
    writer: pq.ParquetWriter | None = None
    for tenant in made.tenants:
        with reading(made.installation.folder(tenant.name)) as connection:
            table = connection.sql("select * from costs_focus_1_2").to_arrow_table()
        writer = writer or pq.ParquetWriter(target, table.schema)
        writer.write_table(table)
        rows += table.num_rows
    if writer:
        writer.close()
    return rows
