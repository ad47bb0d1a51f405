"""The interface of the synthetic estate: write all of it, or one source-month again.

Put here: what callers may request, and the paths of files. Keep out: contents of bills, formats,
totals.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finops_pipeline.synthetic.cur_2 import write_cur_2
from finops_pipeline.synthetic.declaration import tenants_yaml
from finops_pipeline.synthetic.focus_export import write_focus_export
from finops_pipeline.synthetic.focus_rows import focus_rows
from finops_pipeline.synthetic.forms import FOCUS, LEGACY, Form
from finops_pipeline.synthetic.legacy_cur import write_legacy_cur
from finops_pipeline.synthetic.rows import Line, Period, shift_month
from finops_pipeline.synthetic.scenario import source_month
from finops_pipeline.synthetic.spec import Tenant, estate_tenants
from finops_pipeline.synthetic.truth import (
    anomaly_truth,
    focus_entries,
    line_entries,
    month_truth,
    waste_truth,
)
from finops_pipeline.synthetic.usage import Scene


@dataclass(frozen=True, slots=True)
class WrittenDelivery:
    """A delivery on disk: its current manifest, and what it adds up to (`truth.month_truth`)."""

    manifest: Path
    truth: dict[str, Any]


def write_estate(folder: Path, *, seed: int, last_month: str, months: int = 7) -> Path:
    """Write every export of both tenants, tenants.yaml and truth.json below `folder`.

    `last_month` ("YYYY-MM") is the open month, of which days 1..12 are metered; the `months - 1`
    before it are complete. The same arguments give the same bytes, and a month's bytes do not
    depend on `months`. Returns the path of tenants.yaml.

    Raises:
        ValueError: `last_month` is not a month, or `months` is below 1.

    truth.json: {"seed", "last_month", "tenants": {name: {"marker", "sources": {source:
    {month: month_truth}}, "anomalies": [...], "waste": [...]}}}.
    """
    if months < 1:
        raise ValueError(f"months is {months}, expected at least 1")
    names = [shift_month(last_month, -back) for back in range(months - 1, -1, -1)]
    tenants = estate_tenants(seed=seed, last_month=last_month)
    truth = {
        "seed": seed,
        "last_month": last_month,
        "tenants": {t.name: _write_tenant(folder, t, last_month, names) for t in tenants},
    }
    (folder / "truth.json").write_text(json.dumps(truth, indent=1), encoding="utf-8")
    declaration = folder / "tenants.yaml"
    declaration.write_text(tenants_yaml(tenants), encoding="utf-8")
    return declaration


@dataclass(frozen=True, slots=True)
class DeliveryRequest:
    """Which source-month of the estate to write, and in which version and form.

    `restatement` n > 0 is the n-th later version: another assembly or execution id, changed
    amounts, a late credit. `days` is the number of metered days if it is not the usual one: with
    more days, plain usage of earlier days does not change. `empty` writes headers only. `form` is
    a form other than the source's own.
    """

    seed: int
    last_month: str
    tenant: str
    source: str
    month: str
    restatement: int = 0
    days: int | None = None
    empty: bool = False
    form: Form | None = None


def write_delivery(folder: Path, request: DeliveryRequest) -> WrittenDelivery:
    """Write one source-month of the estate below `folder`, replacing its current delivery.

    truth.json and tenants.yaml are left alone.

    Raises:
        KeyError: the estate has no such tenant or source.
        ValueError: the month is after `last_month`, or has fewer than `days` days.
    """
    scene = _scene(request)
    lines = [] if request.empty else source_month(scene, request.restatement)
    return _write_lines(folder, scene, lines, request.restatement)


def _scene(request: DeliveryRequest) -> Scene:
    estate = estate_tenants(seed=request.seed, last_month=request.last_month)
    tenants = {tenant.name: tenant for tenant in estate}
    if request.tenant not in tenants:
        raise KeyError(f"tenant {request.tenant!r}, expected one of {list(tenants)}")
    tenant = tenants[request.tenant]
    period = Period.of(request.month, last_month=request.last_month, days=request.days)
    source = tenant.source(request.source)
    return Scene(tenant, source.written_as(request.form) if request.form else source, period)


def _write_tenant(
    folder: Path, tenant: Tenant, last_month: str, months: Sequence[str]
) -> dict[str, Any]:
    sources: dict[str, dict[str, Any]] = {}
    anomalies: list[dict[str, Any]] = []
    waste: list[dict[str, Any]] = []
    for source in tenant.sources:
        sources[source.name] = {}
        for month in months:
            scene = Scene(tenant, source, Period.of(month, last_month=last_month))
            lines = source_month(scene)
            sources[source.name][month] = _write_lines(folder, scene, lines, 0).truth
            waste += waste_truth(scene, lines)
            anomalies += [
                anomaly_truth(scene, spike, lines)
                for spike in tenant.anomalies
                if (spike.source, spike.age) == (source.name, scene.period.age)
            ]
    return {
        "marker": tenant.marker,
        "sources": sources,
        "anomalies": anomalies,
        "waste": waste,
    }


def _write_lines(
    folder: Path, scene: Scene, lines: Sequence[Line], restatement: int
) -> WrittenDelivery:
    """Render the lines in the source's format, and add them up as they are rendered."""
    location = folder / scene.tenant.location(scene.source)
    if scene.source.format == FOCUS:
        rows = [row for line in lines for row in focus_rows(scene, line)]
        manifest = write_focus_export(location, scene, rows, restatement=restatement)
        return WrittenDelivery(manifest, month_truth(scene, focus_entries(lines, rows)))
    write = write_legacy_cur if scene.source.format == LEGACY else write_cur_2
    manifest = write(location, scene, lines, restatement=restatement)
    return WrittenDelivery(manifest, month_truth(scene, line_entries(lines)))
