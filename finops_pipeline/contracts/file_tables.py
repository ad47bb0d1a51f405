"""Tables in which a tenant's DuckDB file says what it is and what it was built from.

Put here: the contract of about, file_identity, project_identities and partition_files. Keep out:
all other tables (tables.py, proofs.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import COUNT, TEXT, Column, Table

ABOUT = Table(
    name="about",
    kind="status",
    meaning="Read this first: facts about this file, and what each table and view contains.",
    grain=("name",),
    columns=(
        Column("name", TEXT, "Name of the table, the view, or the fact about the file.", False),
        Column(
            "kind", TEXT, "Kind of table, or file for a fact about the file.",
            False, ("file", "mart", "dimension", "status", "proof", "view"),
        ),
        Column(
            "what", TEXT,
            "What it contains; for a fact about the file, the fact itself.",
            False,
        ),
        Column("grain", TEXT, "The columns that identify a row."),
        Column("first_period", TEXT, "First billing period that it contains; null if it has none."),
        Column("last_period", TEXT, "Last billing period that it contains."),
        Column("built_at", TEXT, "When its rows were last computed (UTC)."),
        Column(
            "state", TEXT,
            "For tables of costs: reconciled, or the months that are not, with their states.",
        ),
        Column(
            "how_to_cite", TEXT,
            "How to cite it in a report, so that readers can find the same data.",
        ),
    ),
)  # fmt: skip

FILE_IDENTITY = Table(
    name="file_identity",
    kind="status",
    meaning="Which tenant and installation the file belongs to, and its generation.",
    grain=("tenant",),
    columns=(
        Column("tenant", TEXT, "Tenant whose file this is.", False),
        Column("installation_id", TEXT, "Installation that wrote it.", False),
        Column("schema_version", "INTEGER", "Version of the tables and views.", False),
        Column("generation", COUNT, "Number of the publication that this file belongs to.", False),
        Column("root", TEXT, "Folder of the tenant when the views were written.", False),
    ),
)

PARTITION_FILES = Table(
    name="partition_files",
    kind="status",
    meaning="Parquet files that the views of this generation read.",
    grain=("table_name", "key", "billing_period"),
    columns=(
        Column("table_name", TEXT, "landing, costs, quarantine or cost_explorer_daily.", False),
        Column("key", TEXT, "Source (landing, quarantine) or project.", False),
        Column("billing_period", TEXT, "Billing period YYYY-MM.", False),
        Column("file", TEXT, "Path of the file, relative to the tenant's folder.", False),
        Column("sha256", TEXT, "SHA-256 of the file.", False),
        Column("size_bytes", COUNT, "Size of the file in bytes.", False),
    ),
)

PROJECT_IDENTITIES = Table(
    name="project_identities",
    kind="status",
    meaning="Projects of which all charges in this file were built for them, and for no earlier"
    " project of the same name.",
    grain=("project",),
    columns=(
        Column("project", TEXT, "Name.", False),
        Column("project_id", TEXT, "Id that the registry gave it; it outlives the name.", False),
    ),
)
