"""The bench that mutated deliveries are ingested on: a base that is restored for each of them.

Put here: making the base (two good months of a form, two tenants), ingesting a mutated month over
it, reading what is then served. Keep out: what is right (verdict.py), what is damaged (families).
"""

from __future__ import annotations

import random
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from finops_pipeline.application.ingest import ingest
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.plan import RunScope
from finops_pipeline.application.progress import Months
from finops_pipeline.serve.sandbox import open_sandbox
from finops_pipeline.settings import Settings
from finops_pipeline.tenants.declare import apply, read_declaration
from tests.support.mutations.bill import BEFORE, FORMS, MONTH, Delivery, Form, Row, good_rows
from tests.support.mutations.verdict import WIDE, Ingested, Mutation, Seen, Verdict, fault

WIDTH = 7
"""The most mutated deliveries that share an ingest."""


@dataclass(frozen=True)
class Outcome:
    """How a mutated delivery ended: `exact`, `aside` or `refused`, and what is wrong with that."""

    family: str
    name: str
    ending: str
    fault: str
    lost_rows: int
    """Rows that were neither kept nor set aside, although the outcome reports them as such."""
    half: bool
    """Whether a month was neither as before nor as it should be."""
    reason: str = ""


class Bench:
    """One form's installation; `run` puts it back to its base and ingests mutated months.

    Acme has several sources of the form, so that as many mutations share one ingest; each has an
    export of its own. Globex has one, which must not change.

    Args:
        place: an empty folder.
        form: the form of all exports.
        width: how many sources acme has.
    """

    def __init__(self, place: Path, form: Form, width: int) -> None:
        self._form, self._place = form, place
        self._sources = [f"bill-{number}" for number in range(1, width + 1)]
        self._installation = Installation(
            Settings(data=place / "data", memory_limit="384MB", threads=1)
        )
        lines = ["tenants:"]
        for tenant, sources in (("acme", self._sources), ("globex", self._sources[:1])):
            lines += [f"  - name: {tenant}", "    sources:"]
            for source in sources:
                for month in (BEFORE, MONTH):
                    self._delivery(tenant, source, month).write_good("one", self._old(month))
                lines += [
                    f"      - {{name: {source}, format: {form.format},"
                    f" location: {self._root(tenant, source)}}}"
                ]
        declared = place / "tenants.yaml"
        declared.write_text("\n".join(lines) + "\n")
        apply(self._installation.registry, read_declaration(declared))
        for tenant in ("acme", "globex"):
            refused = ingest(self._installation, self._installation.registry.tenant(tenant)).failed
            assert not refused, refused
        shutil.copytree(place / "data", place / "base-data")
        shutil.copytree(place / "exports", place / "base-exports")
        self._before = {month: self._look(month) for month in (BEFORE, MONTH)}
        self._globex_files = self._files("globex")

    def _root(self, tenant: str, source: str) -> Path:
        return self._place / "exports" / tenant / source / "bill"

    def _delivery(self, tenant: str, source: str, month: str) -> Delivery:
        return Delivery(self._form, self._root(tenant, source), month)

    def _old(self, month: str) -> Callable[[int], list[Row]]:
        """Return rows of the previous delivery: other costs, so that old and new differ."""
        return lambda part: [
            {**row, "cost": f"{row['cost']}7"} for row in good_rows(self._form, month, part)
        ]

    def _files(self, tenant: str) -> dict[str, int]:
        folder = self._place / "data/lake" / f"tenant={tenant}"
        return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}

    def run(self, mutations: list[Mutation], seed: str) -> list[Outcome]:
        """Ingest mutated deliveries over the base, each of a source of its own."""
        for name in ("data/lake/tenant=acme", "exports/acme"):
            shutil.rmtree(self._place / name)
            shutil.copytree(self._place / f"base-{name}", self._place / name, symlinks=True)
        allowed = []
        for mutation, source in zip(mutations, self._sources, strict=False):
            delivery = self._delivery("acme", source, MONTH)
            delivery.write_good("two")
            right = mutation.mutate(delivery, random.Random(f"{seed}/{mutation.name}"))
            allowed.append(right if isinstance(right, tuple) else (right,))
        crash, refusals = self._ingest()
        seen, before = self._look(MONTH), self._look(BEFORE)
        globex_fault = (
            "" if self._files("globex") == self._globex_files else "globex is not as before; "
        )
        outcomes = []
        for mutation, source, verdicts in zip(mutations, self._sources, allowed, strict=False):
            seen[source].reason = refusals.get(source, "")
            outcome = self._judge(mutation, verdicts, seen[source], self._before[MONTH][source])
            if before[source] != self._before[BEFORE][source]:
                outcome = replace(
                    outcome, half=True, fault=f"{BEFORE} is not as before; {outcome.fault}"
                )
            outcomes.append(replace(outcome, fault=f"{crash}{globex_fault}{outcome.fault}"))
        return outcomes

    def _ingest(self) -> tuple[str, dict[str, str]]:
        """Return the fault of the run, and the reason for each refused source."""
        tenant = self._installation.registry.tenant("acme")
        try:
            report = ingest(self._installation, tenant, RunScope(months=Months(MONTH, MONTH)))
        except Exception as error:
            return f"left the pipeline with {type(error).__name__}: {str(error)[:300]}; ", {}
        landing = [step for step in report.failed if step.stage == "landing"]
        later = [step.reason[:300] for step in report.failed if step.stage != "landing"]
        return "".join(f"{reason}; " for reason in later), {
            step.subject.partition("/")[2]: step.reason for step in landing
        }

    @staticmethod
    def _judge(
        mutation: Mutation, allowed: tuple[Verdict, ...], seen: Seen, before: Seen
    ) -> Outcome:
        ending, wrong = fault(allowed, seen, before)
        right = {verdict.charges for verdict in allowed if isinstance(verdict, Ingested)}
        half = seen.charges not in {*right, before.charges}
        read = max((int(s["rows_read"] or 0) for s in seen.status), default=0)
        lost = 0 if seen.reason else read - len(seen.charges) - seen.quarantined
        return Outcome(
            mutation.family,
            f"{mutation.name} ({mutation.form})",
            ending,
            wrong,
            lost,
            half,
            seen.reason,
        )

    def _look(self, month: str) -> dict[str, Seen]:
        """Read a month of acme's sources as `finops query` would."""
        seen = {source: Seen() for source in self._sources}
        folder, limits = self._installation.folder("acme"), self._installation.query_limits
        with open_sandbox(folder, limits) as sandbox:

            def ask(sql: str) -> list[tuple[Any, ...]]:
                where = f"where billing_period = '{month}'"
                return sandbox.execute(sql.format(where=where)).fetchall()

            for source, *charge in ask(
                "select x_Source, BilledCost, BillingCurrency, ChargePeriodStart::varchar,"
                " SubAccountId, coalesce(ChargeDescription, '') from costs {where} order by all"
            ):
                seen[source].charges += (tuple(charge),)  # type: ignore[assignment]
            for source, currency, billed in ask(
                "select source, billing_currency, billed_cost from monthly_bill {where}"
            ):
                sums = seen[source].bill
                sums[currency] = WIDE.add(sums.get(currency, Decimal(0)), billed)
            for source, count in ask("select source, count(*) from quarantine {where} group by 1"):
                seen[source].quarantined = count
            names = ("state", "rows_read", "rows_quarantined", "reason")
            for source, *values in ask(
                f"select source, {', '.join(names)} from data_status {{where}}"
            ):
                seen[source].status.append(dict(zip(names, values, strict=True)))
        for source, differing in self._differing(month).items():
            if differing == {"other bill"}:
                seen[source].status = [s | {"state": "reconciled"} for s in seen[source].status]
        return seen

    def _differing(self, month: str) -> dict[str, set[str]]:
        """What each source's month differs from. All bring the same bill, which is noticed."""
        differing: dict[str, set[str]] = defaultdict(set)
        for comparison in self._installation.reconciled("acme").comparisons:
            if comparison.billing_period == month and comparison.state == "differs":
                differing[comparison.source].add(comparison.against)
        return differing


def run_form(place: Path, form: str, mutations: list[Mutation], seed: str) -> list[Outcome]:
    """Mutations of one form on a bench of their own."""
    place.mkdir(parents=True)
    bench = Bench(place, FORMS[form], min(WIDTH, len(mutations)))
    outcomes = []
    for begin in range(0, len(mutations), WIDTH):
        outcomes += bench.run(mutations[begin : begin + WIDTH], seed)
    shutil.rmtree(place)
    return outcomes


def run_all(place: Path, mutations: list[Mutation], seed: str) -> list[Outcome]:
    """Every mutation on a bench of its form; forms one after the other."""
    outcomes = []
    for form in dict.fromkeys(mutation.form for mutation in mutations):
        of_form = [mutation for mutation in mutations if mutation.form == form]
        outcomes += run_form(place / form, form, of_form, seed)
    return outcomes


def figures(outcomes: list[Outcome]) -> str:
    """One line to print."""
    ended = Counter(outcome.ending for outcome in outcomes)
    return (
        f"{len(outcomes)} mutated deliveries: {ended['exact']} ingested exactly, {ended['aside']}"
        f" with bad rows quarantined, {ended['refused']} refused, {ended['crashed']} crashed;"
        f" rows lost {sum(outcome.lost_rows for outcome in outcomes)},"
        f" half-visible months {sum(outcome.half for outcome in outcomes)}"
    )
