"""The two tenants: accounts, projects, sources, planted anomalies.

Put here: the fixed facts of the estate as data, and the marker of a tenant. Keep out: quantities,
prices, commitments, the layout of files.

The tenants overlap on purpose: same account ids, same project names, same services. The pipeline
must keep them apart by tenant, not by ids that happen to differ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime

from finops_pipeline.synthetic.catalogue import token
from finops_pipeline.synthetic.forms import LEGACY, PARQUET, Form, usual
from finops_pipeline.synthetic.rows import month_start, shift_month

UNASSIGNED = "unassigned"

# Streams refer to roles; the account ids of roles are the same in both tenants.
PAYER_ACCOUNTS: dict[str, str] = {
    "payer": "111122223333",
    "prod": "001122334455",
    "prod2": "222233334444",
    "staging": "333344445555",
    "moving": "444455556666",
    "dev": "555566667777",
    "extra": "666677778888",
    "sandbox": "777788889999",
}
# In globex, dev and staging have swapped accounts: an id alone does not determine the project.
SWAPPED_ACCOUNTS: dict[str, str] = {
    **PAYER_ACCOUNTS,
    "staging": PAYER_ACCOUNTS["dev"],
    "dev": PAYER_ACCOUNTS["staging"],
}
SIDE_ACCOUNTS: dict[str, str] = {"payer": "888899990000", "dev": "888899990000"}
SIDE_LINKED = "012345678901"


@dataclass(frozen=True, slots=True)
class Claim:
    """A project's claim to an account: [since, until), open where None."""

    account: str
    since: date | None = None
    until: date | None = None

    def holds(self, account: str, day: date) -> bool:
        """Check whether the claim covers `account` on `day`."""
        begun = self.since is None or self.since <= day
        return account == self.account and begun and (self.until is None or day < self.until)


@dataclass(frozen=True, slots=True)
class Project:
    """A named part of a tenant's estate: the accounts it claims, the exports it reads."""

    name: str
    environment: str
    business_unit: str
    sources: tuple[str, ...]
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """One export: `location` is relative to tenants.yaml, its first two parts are the bucket."""

    name: str
    format: str
    export: str
    accounts: dict[str, str]
    commitments: tuple[str, ...]
    versioning: str = "overwrite"
    files: int = 1
    small: bool = False
    net_columns: bool = False
    milliseconds: bool = False
    written: Form | None = None

    @property
    def form(self) -> Form:
        """How its deliveries are written."""
        return self.written or usual(self.format, self.versioning)

    def written_as(self, form: Form) -> Source:
        """Return the same export in another form."""
        files = form.files or self.files
        return replace(
            self, format=form.format, versioning=form.versioning, files=files, written=form
        )

    @property
    def fine_grained(self) -> bool:
        """Whether amounts may have up to 17 decimals: only text keeps them exactly."""
        return self.format == LEGACY and self.form.packing != PARQUET

    @property
    def prefix(self) -> str:
        """First folder of the export inside its bucket."""
        return "finops" if self.format == "legacy-cur" else "exports"


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A planted spike: `stream` runs at `factor` times its usual amount on `days`."""

    source: str
    stream: str
    age: int
    days: tuple[int, ...]
    factor: int


@dataclass(frozen=True, slots=True)
class Tenant:
    """An organisation of the estate: its exports, projects and planted anomalies."""

    name: str
    display_name: str
    seed: int
    regions: tuple[str, ...]
    sources: tuple[Source, ...]
    projects: tuple[Project, ...]
    anomalies: tuple[Anomaly, ...]

    @property
    def marker(self) -> str:
        """Text that occurs in this tenant's exports and in no other's."""
        return f"mk-{self.name}-{token('marker', self.seed, self.name, length=12)}"

    def source(self, name: str) -> Source:
        """Return the source called `name`; KeyError with the existing names if there is none."""
        for source in self.sources:
            if source.name == name:
                return source
        raise KeyError(f"source {name!r} of {self.name}, expected {[s.name for s in self.sources]}")

    def project_of(self, source: str, account: str, when: datetime) -> str:
        """Return the project that claims a charge of `account` at `when`, or `unassigned`."""
        for project in self.projects:
            if source in project.sources:
                for claim in project.claims:
                    if claim.holds(account, when.date()):
                        return project.name
        return UNASSIGNED

    def location(self, source: Source) -> str:
        """Return the folder of the export, relative to tenants.yaml."""
        return f"{self.name}/{source.name}/{source.prefix}/{source.export}"


def move_day(last_month: str) -> date:
    """Return the day, mid-month, on which an account of each tenant moves from staging to dev."""
    return month_start(shift_month(last_month, -2)).date().replace(day=16)


def estate_tenants(*, seed: int, last_month: str) -> tuple[Tenant, Tenant]:
    """Make the two tenants, acme and globex, as declared in the open month `last_month`."""
    moved = move_day(last_month)
    return _acme(seed, moved), _globex(seed, moved)


def _claims(*roles: str) -> tuple[Claim, ...]:
    return tuple(Claim(PAYER_ACCOUNTS[role]) for role in roles)


def _acme(seed: int, moved: date) -> Tenant:
    moving = PAYER_ACCOUNTS["moving"]
    full = ("ri-none", "ri-partial", "ri-all", "sp-none", "sp-partial")
    both = ("payer", "labs")
    dev = (*_claims("dev"), Claim(moving, since=moved), Claim(SIDE_ACCOUNTS["dev"]))
    data = (*_claims("extra"), Claim(SIDE_LINKED))
    return Tenant(
        name="acme",
        display_name="Acme Corporation",
        seed=seed,
        regions=("us-east-1", "eu-west-1", "ap-southeast-2"),
        sources=(
            Source(
                name="payer",
                format="legacy-cur",
                export="cur-hourly",
                accounts=PAYER_ACCOUNTS,
                commitments=full,
                versioning="create-new",
                files=2,
            ),
            Source(
                name="labs",
                format="focus",
                export="labs-focus",
                accounts={**SIDE_ACCOUNTS, "extra": SIDE_LINKED, "prod": SIDE_LINKED},
                commitments=("ri-none", "ri-all", "sp-none"),
                versioning="create-new",
            ),
        ),
        projects=(
            Project("prod", "prod", "retail", ("payer",), _claims("payer", "prod", "prod2")),
            Project(
                "staging",
                "staging",
                "retail",
                ("payer",),
                (*_claims("staging"), Claim(moving, until=moved)),
            ),
            Project("dev", "dev", "retail", both, dev),
            Project("data-platform", "prod", "analytics", both, data),
        ),
        anomalies=(
            Anomaly("payer", "transfer-out", age=2, days=(14, 15), factor=12),
            Anomaly("payer", "logs-dev", age=0, days=(9, 10), factor=15),
            Anomaly("labs", "lambda-gb", age=1, days=(20,), factor=10),
        ),
    )


def _globex(seed: int, moved: date) -> Tenant:
    moving = PAYER_ACCOUNTS["moving"]
    full = ("ri-none", "ri-partial", "ri-all", "sp-none", "sp-partial")
    both = ("payer", "legacy")
    accounts = SWAPPED_ACCOUNTS
    staging = (Claim(accounts["staging"]), Claim(moving, until=moved), Claim(SIDE_LINKED))
    dev = (Claim(accounts["dev"]), Claim(moving, since=moved), Claim(SIDE_ACCOUNTS["dev"]))
    return Tenant(
        name="globex",
        display_name="Globex, Inc.",
        seed=seed,
        regions=("us-west-2", "eu-central-1", "us-east-1"),
        sources=(
            Source(
                name="payer",
                format="cur-2.0",
                export="cur2-daily",
                accounts=SWAPPED_ACCOUNTS,
                commitments=full,
                files=2,
                net_columns=True,
            ),
            Source(
                name="legacy",
                format="legacy-cur",
                export="cur-legacy",
                accounts={**SIDE_ACCOUNTS, "staging": SIDE_LINKED, "extra": SIDE_LINKED},
                commitments=("ri-none",),
                small=True,
                milliseconds=True,
            ),
        ),
        projects=(
            Project("prod", "prod", "media", ("payer",), _claims("prod", "prod2")),
            Project("staging", "staging", "media", both, staging),
            Project("dev", "dev", "media", both, dev),
            Project("shared", "shared", "platform", ("payer",), _claims("payer", "extra")),
        ),
        anomalies=(
            Anomaly("payer", "aurora-staging", age=2, days=(11, 12), factor=8),
            Anomaly("payer", "transfer-out", age=0, days=(10,), factor=14),
        ),
    )
