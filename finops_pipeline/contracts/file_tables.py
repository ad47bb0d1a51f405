"""Tables in which a tenant's DuckDB file says what it is and what it was built from.

Put here: the contract of about, file_identity and partition_files. Keep out: all other tables
(tables.py, proofs.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import COUNT, TEXT, Column, Table

ABOUT = Table(
    name="about",
    kind="status",
    meaning="Read this first: what this file is, and what each of its tables and views is.",
    grain=("name",),
    columns=(
        Column("name", TEXT, "Table or view, or a fact about the file.", False),
        Column(
            "kind", TEXT, "Whether it is a fact about the file, or what kind of table it is.",
            False, ("file", "mart", "dimension", "status", "proof", "view"),
        ),
        Column("what", TEXT, "What it is; of a fact about the file, the fact.", False),
        Column("grain", TEXT, "The columns that identify a row."),
        Column("first_period", TEXT, "First billing period that it has; null where it has none."),
        Column("last_period", TEXT, "Last billing period that it has."),
        Column("built_at", TEXT, "When its rows were last computed (UTC)."),
        Column(
            "state", TEXT,
            "Of tables of costs: reconciled, or the months that are not and their states.",
        ),
        Column("how_to_cite", TEXT, "How to name it in a report, so that others find the same."),
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
