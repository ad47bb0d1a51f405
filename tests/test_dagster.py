"""Dagster for real: definitions load over gRPC, partitions materialize, what is refused fails.

Each test has a Dagster instance of its own, made from the repository's dagster.yaml. The webserver
and the daemon: test_dagster_backfill.py.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from finops_pipeline.definitions import build_definitions
from finops_pipeline.orchestration.assets import build_assets
from finops_pipeline.orchestration.partitions import (
    partitions,
    requests_by_tenant,
)
from finops_pipeline.orchestration.runs import materialize_tenant
from finops_pipeline.settings import Settings
from tests.conftest import LAST_MONTH, TemporaryInstallation
from tests.support.dagster_home import MONTHS, dagster, home, materialized
from tests.support.globex import finops
from tests.support.published_files import partition_folder, shown_partitions

__all__ = ["home"]


def test_definitions_load_over_grpc(home: Path) -> None:
    done = dagster("definitions", "validate", "--load-with-grpc", "-w", "workspace.yaml")
    assert done.returncode == 0, done.stderr
    assert "All code locations passed validation" in done.stdout + done.stderr


def test_definitions_load_with_an_empty_registry_and_make_nothing(tmp_path: Path) -> None:
    data = tmp_path / "nothing"
    definitions = build_definitions(Settings(data=data))
    keys = {key.to_user_string() for key in definitions.resolve_all_asset_keys()}
    assert keys == {"landing", "costs", "warehouse", "resources", "resource_metrics"}
    assert not data.exists()


def test_the_dagster_command_materializes_a_single_partition(
    home: Path, fresh: TemporaryInstallation
) -> None:
    command = ("asset", "materialize", "-m", "finops_pipeline.definitions", "--select")
    done = dagster(*command, "landing", "--partition", f"{LAST_MONTH}|globex/payer")
    assert done.returncode == 0, done.stderr
    place = partition_folder("landing", "payer", LAST_MONTH)
    assert list(shown_partitions(fresh.folder("globex"))) == [place]
    assert not fresh.folder("acme").exists()
    assert list(materialized("landing")) == [f"{LAST_MONTH}|globex/payer"]


def test_a_refused_month_fails_its_run_with_the_reason(
    home: Path, fresh: TemporaryInstallation, own_estate: Path
) -> None:
    next(own_estate.glob("globex/payer/**/BILLING_PERIOD=2026-09/*-00001.*.parquet")).unlink()
    command = ("asset", "materialize", "-m", "finops_pipeline.definitions", "--select")
    done = dagster(*command, "landing", "--partition", "2026-09|globex/payer")
    assert done.returncode != 0
    assert "is not there" in done.stderr + done.stdout
    assert materialized("landing") == {}


def test_a_month_without_a_delivery_is_not_marked_done(home: Path) -> None:
    command = ("asset", "materialize", "-m", "finops_pipeline.definitions", "--select")
    for stage, name in (("landing", "acme/payer"), ("costs", "acme/prod")):
        done = dagster(*command, stage, "--partition", f"2026-11|{name}")
        assert done.returncode != 0
        assert materialized(stage) == {}


def test_a_whole_tenant_in_three_runs(
    home: Path, fresh: TemporaryInstallation, truth: dict[str, Any]
) -> None:
    installation = fresh.installation
    for name in ("acme", "globex"):
        with dg.DagsterInstance.get() as instance:
            runs = materialize_tenant(
                instance, installation, installation.registry.tenant(name), MONTHS
            )
            assert len(runs) == 3
            tags = [instance.get_run_by_id(run).tags for run in runs]  # type: ignore[union-attr]
        assert all(tag["finops/tenant"] == name for tag in tags)
    costs = materialized("costs")
    assert len(costs) == len(MONTHS) * 5 * 2
    for tenant in ("acme", "globex"):
        sources = truth["tenants"][tenant]["sources"]
        for month in MONTHS:
            true = sum((Decimal(s[month]["billed_cost"]) for s in sources.values()), Decimal(0))
            rows = [v for k, v in costs.items() if k.startswith(f"{month}|{tenant}/")]
            reported_cost = sum(
                (Decimal(row.get("billed_cost_USD", "0")) for row in rows), Decimal(0)
            )
            assert reported_cost == true
            whole = materialized("warehouse")[f"{month}|{tenant}"]
            assert Decimal(whole["billed_cost_USD"]) == true
            assert whole["dagster/row_count"] > 0 and whole["size_bytes"] > 0
            states = whole["data_status"].split(", ")
            assert states == [f"{source} reconciled" for source in sorted(sources)]
    prod = costs["2026-09|acme/prod"]
    bases = ("billed_cost", "effective_cost", "list_cost", "contracted_cost")
    assert all(f"{basis}_USD" in prod for basis in bases)
    assert prod["dagster/row_count"] > 0 and prod["duration_seconds"] > 0 and prod["size_bytes"] > 0
    (schema,) = (
        asset.metadata_by_key[dg.AssetKey("costs")]["dagster/column_schema"]
        for asset in build_assets(partitions(installation.registry.tenants(), "2026-08"))
        if dg.AssetKey("costs") in asset.keys
    )
    assert schema.columns[1].name == "BilledCost"
    assert all(status.state == "reconciled" for status in installation.status("acme"))


def test_project_to_tenant_is_exact(fresh: TemporaryInstallation) -> None:
    parts = partitions(fresh.installation.registry.tenants(), "2026-08")
    upstream = parts.costs_to_warehouse.get_upstream_mapped_partitions_result_for_partitions(
        parts.warehouse.subset_with_partition_keys(["2026-09|acme"]), parts.warehouse, parts.costs
    )
    keys = set(upstream.partitions_subset.get_partition_keys())
    assert keys == {
        f"2026-09|acme/{name}" for name in ("prod", "staging", "dev", "data-platform", "unassigned")
    }
    feeds = parts.landing_to_costs.get_downstream_partitions_for_partitions(
        parts.landing.subset_with_partition_keys(["2026-09|globex/legacy"]),
        parts.landing,
        parts.costs,
    )
    assert set(feeds.get_partition_keys()) == {
        f"2026-09|globex/{name}" for name in ("dev", "staging", "unassigned")
    }


def test_months_before_the_first_bill_are_no_partitions(
    fresh: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster would show them as missing."""

    def first_months() -> set[str]:
        definitions = build_definitions(Settings(data=fresh.data))
        keys = (
            definitions.resolve_assets_def(name).partitions_def
            for name in ("landing", "costs", "warehouse")
        )
        return {d.get_first_partition_key().partition("|")[0] for d in keys if d is not None}

    assert first_months() == {"2026-08"}
    add = ("source", "add", "acme/cloud", "--format", "cur-2.0", "--location", "s3://bucket/x")
    assert finops(*add, data=fresh.data)[0] == 0
    assert first_months() == {"2026-08"}, "not looked at, so it has no months yet"
    assert finops("source", "add", "acme/cloud", "--from", "2025-03", data=fresh.data)[0] == 0
    assert first_months() == {"2025-03"}
    monkeypatch.setenv("FINOPS_FIRST_MONTH", "2024-07")
    assert first_months() == {"2024-07"}


def test_the_first_visit_shows_no_dialog(home: Path) -> None:
    with dg.DagsterInstance.get() as instance:
        assert not instance.nux_enabled
        assert not instance.telemetry_enabled


def test_partition_keys_are_grouped_by_tenant() -> None:
    parts = requests_by_tenant(["2026-09|acme/prod", "2026-10|acme/dev", "2026-09|globex/prod"])
    assert [(part.tenant, part.names, part.months) for part in parts] == [
        ("acme", ("dev", "prod"), ("2026-09", "2026-10")),
        ("globex", ("prod",), ("2026-09",)),
    ]
