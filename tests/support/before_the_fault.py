"""Bills of several tenants in a real store behind a faulty proxy: published months and new ones.

Put here: the estate that the fault tests share, a command in this process, and the check that
nothing is lost or half-visible. Keep out: faults (faulty_proxy.py, test_faults.py).

Some tenants have one source for each fault; globex has one source without any fault.
Before the fault, a month of every source is published; then the store holds a restatement of it.
Whatever the fault, each source's month is the old one or the new one, in every table.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from botocore.retries.standard import ExponentialBackoff

from finops_pipeline import clock
from finops_pipeline.cli.app import main
from finops_pipeline.serve.sandbox import open_sandbox
from finops_pipeline.sources import aws, s3_bucket
from tests.conftest import TemporaryInstallation
from tests.support.bills import row, write_csv
from tests.support.faulty_proxy import Fault, FaultyServer
from tests.support.servers import Store

MONTH, FOLDER, WELL = "2026-08", "20260801-20260901", "globex/well"
OF_A_TENANT = 8
"""Number of sources of a tenant."""

Bill = tuple[int, Decimal]
"""(rows, billed cost)."""


def write_bill(report: Path, seed: int, rows: int) -> Bill:
    """Write a month's delivery of two files, the first of about 60 kB; return its rows and cost."""
    rng, total = random.Random(seed), Decimal(0)
    for number, share in ((1, rows), (2, 20)):
        lines = []
        for _ in range(share):
            cost = Decimal(rng.randrange(1, 10**12)).scaleb(-9)
            total += cost
            more = {"lineItem/ResourceId": rng.randbytes(48).hex()}
            lines.append(row(str(cost), day=f"{MONTH}-{rng.randrange(1, 29):02d}", **more))
        write_csv(report / FOLDER / f"cur-{number}.csv.gz", lines)
    keys = [f"x/{FOLDER}/cur-{number}.csv.gz" for number in (1, 2)]
    facts = {"assemblyId": f"a{seed}", "reportKeys": keys}
    (report / FOLDER / "cur-Manifest.json").write_text(json.dumps(facts))
    return rows + 20, total


@dataclass(frozen=True)
class IngestRun:
    """How `finops ingest` ended."""

    code: int
    output_lines: list[str]
    seconds: float


@dataclass
class Estate:
    """An installation that reads through the proxy; sources are written `tenant/source`."""

    made: TemporaryInstallation
    line: FaultyServer
    store: Store
    bucket: str
    work: Path
    sources: list[str]
    old: dict[str, Bill] = field(default_factory=dict)
    new: dict[str, Bill] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    seed: int = 0

    @property
    def tenants(self) -> list[str]:
        """Names of the tenants."""
        return sorted({source.split("/")[0] for source in self.sources})

    def deliver(self, sources: Sequence[str] = ()) -> None:
        """Put the next delivery of sources into the store."""
        self.seed += 1
        folder = self.work / f"exports-{self.seed}"
        for number, source in enumerate(sources or self.sources):
            rows = 1000 + 10 * self.seed + number
            self.new[source] = write_bill(folder / source, 1000 * self.seed + number, rows)
        self.store.upload(folder, self.bucket)
        for path in folder.rglob("*.csv.gz"):
            self.sizes[path.relative_to(folder).as_posix()] = path.stat().st_size

    def ingest(self, *faults: Fault) -> IngestRun:
        """Run `finops ingest` for all tenants while these faults occur."""
        self.line.script(*faults)
        output_lines: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            self.environment(patch)
            hurry(patch)
            patch.setattr("typer.echo", lambda text="", **_: output_lines.append(str(text)))
            patch.setattr(sys, "argv", ["finops", "ingest"])
            begin, code = time.monotonic(), 0
            try:
                main()
            except SystemExit as ended:
                code = int(ended.code or 0)
            return IngestRun(code, output_lines, time.monotonic() - begin)

    def environment(self, patch: pytest.MonkeyPatch) -> None:
        """Set the environment: this installation's folder, and the store's keys in a profile."""
        path = self.work / "credentials"
        key_lines = zip(
            ("aws_access_key_id", "aws_secret_access_key"), self.store.keys, strict=True
        )
        path.write_text("[store]\n" + "".join(f"{name} = {value}\n" for name, value in key_lines))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
        patch.setenv("FINOPS_DATA", str(self.made.data))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def visible(self) -> dict[str, Bill]:
        """Return each source's (rows, billed cost), which must be the same in every table.

        Reads as `finops query` does; rows and sums of daily and monthly tables must agree.
        """
        bills: dict[str, Bill] = {}
        for tenant in self.tenants:
            with open_sandbox(
                self.made.installation.folder(tenant), self.made.installation.query_limits
            ) as sandbox:

                def ask(sql: str) -> list[tuple[str, Decimal, int]]:
                    return sandbox.execute(sql).fetchall()

                costs = ask("select x_Source, sum(BilledCost), count(*) from costs group by 1")
                bill = ask("select source, sum(billed_cost), count(*) from monthly_bill group by 1")
                sums = [
                    ask(f"select '', sum({cost}), 0 from {table}")[0][1]
                    for table, cost in (
                        ("costs", "BilledCost"),
                        ("daily_costs", "billed_cost"),
                        ("monthly_costs", "billed_cost"),
                        ("monthly_bill", "billed_cost"),
                    )
                ]
            assert len(set(sums)) == 1, f"tables of {tenant} have different sums: {sums}"
            assert {s: billed for s, billed, _ in costs} == {s: billed for s, billed, _ in bill}
            bills |= {f"{tenant}/{source}": (rows, billed) for source, billed, rows in costs}
        return bills

    def spelled(self, name: str) -> str:
        """Return `tenant/source` for a source's name."""
        return next(source for source in self.sources if source.endswith(f"/{name}"))

    def leftovers(self) -> list[Path]:
        """List the files in the staging folders."""
        return [path for t in self.tenants for path in (self.made.folder(t) / ".staging").iterdir()]


def build(
    work: Path, store: Store, line: FaultyServer, names: Sequence[str], first: Sequence[str] = ()
) -> Estate:
    """Build tenants with a source for each name, and globex with one; publish a month of each.

    Sources in `first` have no delivery yet: the next one is their first.
    """
    names = [*names, *first]
    sources = [f"acme-{n // OF_A_TENANT}/{name}" for n, name in enumerate(names)] + [WELL]
    bucket = f"faults-{work.name}".lower().replace("_", "-")[:60]
    made = Estate(TemporaryInstallation(work / "data"), line, store, bucket, work, sources)
    declared = [
        {"name": tenant, "sources": [
            {"name": source.split("/")[1], "format": "legacy-cur", "profile": "store",
             "location": f"s3://{bucket}/{source}", "endpoint_url": line.url}
            for source in sources if source.startswith(f"{tenant}/")
        ]}
        for tenant in made.tenants
    ]  # fmt: skip
    (work / "t.yaml").write_text(yaml.safe_dump({"tenants": declared}))
    made.made.apply(work / "t.yaml")
    made.deliver([source for source in sources if source.split("/")[1] not in first])
    done = made.ingest()
    assert done.code == (1 if first else 0), done.output_lines
    made.old = dict(made.new)
    assert made.visible() == made.old
    made.deliver()
    return made


def hurry(patch: pytest.MonkeyPatch) -> None:
    """Shorten the pauses between attempts and the time limits; keep the number of attempts."""
    sleep = clock.pause
    patch.setattr(clock, "pause", lambda seconds: sleep(seconds / 20))
    scales = {"throttling_base_scale": 0.05, "non_throttling_base_scale": 0.0025}
    patch.setattr(ExponentialBackoff, "_DEFAULT_BACKOFF_CONFIG", scales)
    patch.setattr(aws, "READ_SECONDS", 0.4)
    patch.setattr(s3_bucket, "WINDOW_SECONDS", 0.4)
