"""Random changes to two tenants, made as their operators make them: deliveries, files, commands.

Put here: each kind of change, and a seeded choice among them. Keep out: what must be true of the
marts afterwards (test_random_changes.py).
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import yaml

from finops_pipeline.application.claim_preview import MovedCharges, preview_claims
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.synthetic.estate import DeliveryRequest, write_delivery, write_estate
from finops_pipeline.tenants.model import FOLLOW, UNASSIGNED, Tenant
from tests.conftest import LAST_MONTH, TemporaryInstallation
from tests.support.allocated_tenants import sections
from tests.support.globex import finops
from tests.support.published_files import published_files
from tests.support.synthetic_bills import LOCATIONS

TENANTS = ("acme", "globex")
MONTHS = ("2026-08", "2026-09", LAST_MONTH)
"""The most months that a seed has; fewer are the last ones."""
KEYS = ("Env", "env", "Team", "Owner", "CostCenter")
VALUES = ("prod", "PROD", "Prod", "dev", "web", "platform", "data")
REGIONS = ("us-east-1", "us-west-2", "eu-central-1", "eu-west-1")
SERVICES = ("AmazonEC2", "AmazonS3", "AWSLambda", "AmazonRDS", "AWS Lambda")
PATTERNS = ("*EC2*", "*S3*", "AWS*", "*Lambda*")

Sums = dict[str, tuple[Any, ...]]


@dataclass
class RandomChanges:
    """Two tenants of a seed, their exports, and what has been declared of their dimensions."""

    seed: int
    folder: Path
    months: int
    random: Random = field(init=False)
    sections: dict[str, dict[str, Any]] = field(init=False)
    number: int = 0
    made: TemporaryInstallation = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.sections = {tenant: sections(tenant) for tenant in TENANTS}
        self.made = TemporaryInstallation(self.folder / "data")
        write_estate(self.exports, seed=self.seed, last_month=LAST_MONTH, months=self.months)

    @property
    def exports(self) -> Path:
        """The folder that bills are delivered to."""
        return self.folder / "estate"

    def begin(self) -> None:
        """Declare both tenants with their dimensions, and build everything."""
        self.made.apply(self.exports / "tenants.yaml")
        for tenant in TENANTS:
            self.declare(tenant, dimensions=self.sections[tenant])
            assert not self.made.ingest(tenant).failed

    def change(self) -> tuple[str, str]:
        """Make one change and ingest; return the tenant and what was changed."""
        self.number += 1
        tenant = self.random.choice(TENANTS)
        change = self.random.choice(CHANGES)
        while not change(self, tenant):
            change = self.random.choice(CHANGES)
        expected = self.expect(tenant) if change in OF_CLAIMS else None
        report = self.made.ingest(tenant)
        assert not report.failed, (change.__name__, [step.reason for step in report.failed])
        if expected is not None:
            assert self.sums(tenant) == expected, change.__name__
        assert not self.preview(tenant), change.__name__
        return tenant, change.__name__

    def sums(self, tenant: str) -> Sums:
        """The charges of each project: how many, billed and effective cost."""
        sql = "select project, count(*), sum(BilledCost), sum(EffectiveCost) from costs group by 1"
        with reading(self.made.installation.folder(tenant)) as connection:
            return {name: tuple(sums) for name, *sums in connection.execute(sql).fetchall()}

    def preview(self, tenant: str) -> tuple[MovedCharges, ...]:
        """What the next run will move."""
        return preview_claims(self.made.installation, tenant, None).moved

    def expect(self, tenant: str) -> Sums:
        """The sums of each project after the next run, by what the preview says."""
        sums = self.sums(tenant)
        for row in self.preview(tenant):
            for project, sign in ((row.from_project, -1), (row.to_project, 1)):
                amounts = (row.charges, row.billed_cost, row.effective_cost)
                before = sums.get(project, (0, 0, 0))
                sums[project] = tuple(b + sign * a for b, a in zip(before, amounts, strict=True))
        return {project: amounts for project, amounts in sums.items() if amounts[0]}

    def enable_sources(self) -> None:
        """Enable what is disabled, so that every delivery is read."""
        for tenant in TENANTS:
            for source in self.tenant(tenant).sources:
                if source.state != "active":
                    self.run("source", "enable", f"{tenant}/{source.name}")
            assert not self.made.ingest(tenant).failed

    def tenant(self, name: str) -> Tenant:
        """A tenant as it is registered."""
        return self.made.installation.registry.tenant(name)

    def deliver(self, tenant: str, **more: Any) -> bool:
        """Write a delivery of a random source and month."""
        request = DeliveryRequest(
            seed=self.seed, last_month=LAST_MONTH, tenant=tenant,
            source=more.pop("source", self.source(tenant)), month=more.pop("month", self.month()),
            restatement=self.number, **more,
        )  # fmt: skip
        write_delivery(self.exports, request)
        return True

    def source(self, tenant: str) -> str:
        """Choose a source."""
        return self.random.choice([name for owner, name in LOCATIONS if owner == tenant])

    def month(self) -> str:
        """Choose a month."""
        return self.random.choice(MONTHS[-self.months :])

    def day(self) -> date:
        """Choose a day of the months of the bills."""
        return date(2026, 10, 15) - timedelta(self.random.randrange(1, 14 + 30 * (self.months - 1)))

    def project(self, tenant: str) -> str:
        """Choose an active project."""
        return self.random.choice([p.name for p in self.tenant(tenant).active_projects])

    def run(self, *arguments: str) -> bool:
        """Run a command that succeeds."""
        code, output = finops(*arguments, data=self.made.data)
        assert code == 0, (arguments, output)
        return True

    def declare_rules(self, tenant: str, section: dict[str, Any]) -> bool:
        """Declare dimensions; return whether every rule of them can match."""
        code, output = finops("apply", str(self._write(tenant, {"dimensions": section})),
                              data=self.made.data)  # fmt: skip
        if code:
            assert "cannot match" in output, output
            return False
        self.sections[tenant] = section
        return True

    def declare(self, tenant: str, **parts: Any) -> bool:
        """Declare parts of a tenant."""
        self.run("apply", str(self._write(tenant, parts)))
        return True

    def _write(self, tenant: str, parts: dict[str, Any]) -> Path:
        file = self.folder / "declared.yaml"
        entry = {"name": tenant, **parts}
        file.write_text(yaml.safe_dump({"tenants": [entry]}, sort_keys=False))
        return file


Change = Callable[[RandomChanges, str], bool]
"""Returns whether anything was changed."""


def _restate(made: RandomChanges, tenant: str) -> bool:
    return made.deliver(tenant)


def _meter_more_days(made: RandomChanges, tenant: str) -> bool:
    return made.deliver(tenant, month=LAST_MONTH, days=made.random.randrange(13, 31))


def _deliver_no_rows(made: RandomChanges, tenant: str) -> bool:
    """Deliver a month without rows, which is refused; then the month again."""
    month, source = made.month(), made.source(tenant)
    made.deliver(tenant, month=month, source=source, empty=True)
    assert made.made.ingest(tenant).failed
    return made.deliver(tenant, month=month, source=source)


def _lose_charges(made: RandomChanges, tenant: str) -> bool:
    """Lose a file of charges; `finops rebuild` makes it again from what landed."""
    made.random.choice(published_files(made.made.folder(tenant), "costs")).unlink()
    return made.run("rebuild", tenant)


def _lose_the_tables(made: RandomChanges, tenant: str) -> bool:
    (made.made.folder(tenant) / f"{tenant}.duckdb").unlink()
    return True


def _change_a_rule(made: RandomChanges, tenant: str) -> bool:
    section, random = deepcopy(made.sections[tenant]), made.random
    rule = random.choice(section["rules"])
    kind = random.choice(["value", "when", "days"])
    if kind == "value" and "value" in rule:
        rule["value"] = f"value-{made.number}"
    elif kind == "days":
        rule.pop("to", None)
        rule["from"] = made.day()
        if random.random() < 0.5:
            rule["to"] = rule["from"] + timedelta(random.randrange(1, 50))
    else:
        rule["when"] = random.choice([
            {"services": random.choice(PATTERNS)},
            {"regions": f"{random.choice(REGIONS)[:3]}*"},
            {"projects": made.project(tenant)},
            {"tags": {random.choice(KEYS): [random.choice(VALUES), "p*"]}},
            {"accounts": "001122334455", "charge_categories": ["Usage", "Purchase"]},
        ])  # fmt: skip
    return made.declare_rules(tenant, section)


def _reorder_rules(made: RandomChanges, tenant: str) -> bool:
    section = deepcopy(made.sections[tenant])
    made.random.shuffle(section["rules"])
    return made.declare_rules(tenant, section)


def _add_a_rule(made: RandomChanges, tenant: str) -> bool:
    section = deepcopy(made.sections[tenant])
    key = made.random.choice(KEYS)
    rule = {"name": f"rule-{made.number}", "dimension": "team", "value_from": f"tag {key}"}
    section["rules"].insert(made.random.randrange(len(section["rules"])), rule)
    return made.declare_rules(tenant, section)


def _add_a_dimension(made: RandomChanges, tenant: str) -> bool:
    section, name = deepcopy(made.sections[tenant]), f"dimension_{made.number}"
    section["names"].append(name)
    rule = {"name": f"rule-{made.number}", "dimension": name, "value_from": "tag Env"}
    section["rules"].append(rule)
    return made.declare_rules(tenant, section)


def _change_claims(made: RandomChanges, tenant: str) -> bool:
    """Replace a project's claims by others, with priorities of their own."""
    random, claims = made.random, []
    for position in range(random.randrange(0, 3)):
        claim: dict[str, Any] = {"priority": made.number * 5 + position}
        claim |= random.choice([
            {"tags": {random.choice(KEYS): random.sample(VALUES, 2)}},
            {"regions": random.sample(REGIONS, 2)},
            {"services": [random.choice(SERVICES)], "regions": [random.choice(REGIONS)]},
            {"tags": {random.choice(KEYS): [random.choice(VALUES)]}, "regions": [REGIONS[0]]},
        ])  # fmt: skip
        if random.random() < 0.5:
            claim["from"] = made.day()
            if random.random() < 0.5:
                claim["to"] = claim["from"] + timedelta(random.randrange(1, 40))
        claims.append(claim)
    return made.declare(tenant, projects=[{"name": made.project(tenant), "claims": claims}])


def _change_what_lacks_a_value(made: RandomChanges, tenant: str) -> bool:
    rule = made.random.choice([FOLLOW, FOLLOW, UNASSIGNED, made.project(tenant)])
    return made.declare(tenant, without_value=rule)


def _add_a_project(made: RandomChanges, tenant: str) -> bool:
    random = made.random
    tag = f"{random.choice(KEYS)}={random.choice(VALUES)}"
    command = ("project", "add", f"{tenant}/new-{made.number}", "--tag", tag)
    return made.run(*command, "--priority", str(1000 - made.number), "--from", str(made.day()))


def _move_an_account(made: RandomChanges, tenant: str) -> bool:
    """From a day on, another project claims an account."""
    movable = [
        (project, claim)
        for project in made.tenant(tenant).active_projects
        for claim in project.accounts
        if claim.to_day is None
    ]
    if not movable:
        return False
    project, claim = made.random.choice(movable)
    day = max(made.day(), (claim.from_day or date.min) + timedelta(1))
    account = {"id": claim.id, "to": day}
    account |= {"from": claim.from_day} if claim.from_day else {}
    others = [p for p in made.tenant(tenant).active_projects if p.name != project.name]
    target = made.random.choice([p.name for p in others])
    made.declare(tenant, projects=[{"name": project.name, "accounts": [account]}])
    return made.declare(
        tenant, projects=[{"name": target, "accounts": [{"id": claim.id, "from": day}]}]
    )


def _label_a_project(made: RandomChanges, tenant: str) -> bool:
    project = f"{tenant}/{made.project(tenant)}"
    return made.run("project", "add", project, "--environment", f"environment-{made.number}")


def _disable_or_enable_a_project(made: RandomChanges, tenant: str) -> bool:
    declared = made.tenant(tenant)
    active = {project.name for project in declared.active_projects}
    disabled = [p.name for p in declared.projects if p.name not in active]
    if disabled:
        return made.run("project", "enable", f"{tenant}/{made.random.choice(disabled)}")
    if not disabled and len(active) > 3 and declared.without_value in ("", FOLLOW, UNASSIGNED):
        return made.run("project", "disable", f"{tenant}/{made.project(tenant)}")
    return False


def _rename_a_project(made: RandomChanges, tenant: str) -> bool:
    """Rules that name it follow."""
    name, new = made.project(tenant), f"named-{made.number}"
    made.run("project", "rename", f"{tenant}/{name}", new)
    for rule in made.sections[tenant]["rules"]:
        if rule.get("when", {}).get("projects") == name:
            rule["when"]["projects"] = new
    return True


def _disable_or_enable_a_source(made: RandomChanges, tenant: str) -> bool:
    source = made.random.choice(made.tenant(tenant).sources)
    verb = "disable" if source.state == "active" else "enable"
    return made.run("source", verb, f"{tenant}/{source.name}")


CHANGES: tuple[Change, ...] = (
    _restate, _restate, _meter_more_days, _deliver_no_rows, _lose_charges, _lose_the_tables,
    _change_a_rule, _change_a_rule,
    _reorder_rules, _add_a_rule, _add_a_dimension, _change_claims, _change_claims,
    _change_what_lacks_a_value, _add_a_project, _move_an_account, _label_a_project,
    _disable_or_enable_a_project, _rename_a_project, _disable_or_enable_a_source,
)  # fmt: skip
OF_CLAIMS = {
    _change_claims, _change_what_lacks_a_value, _add_a_project, _move_an_account,
    _disable_or_enable_a_project, _rename_a_project,
}  # fmt: skip
"""Changes for which `finops project preview` must say what will happen."""
