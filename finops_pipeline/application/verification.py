"""Verification of a tenant: files against checksums, tables against charges, and all checks.

Put here: what is looked at, in which order, and the cure of each finding. Keep out: recognising
damage (lake/set_aside.py), computing marts again (marts/recomputation.py), printing (cli).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import FinopsError, counted
from finops_pipeline.lake.duck import DuckDBError, Limits
from finops_pipeline.lake.file_identity import read_partition_files
from finops_pipeline.lake.file_marks import damaged_partition
from finops_pipeline.lake.files import fingerprint
from finops_pipeline.lake.layout import COSTS, TenantFolder
from finops_pipeline.lake.moving_aside import Unusable
from finops_pipeline.lake.set_aside import (
    find_changed_files,
    find_changed_warehouse,
    find_links,
    find_unusable_ledger,
)
from finops_pipeline.lake.shown_folders import find_wrong_folders
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.lake.writing import settle
from finops_pipeline.ledger.generations import read_generations
from finops_pipeline.ledger.ledger import Ledger
from finops_pipeline.ledger.stored_files import (
    StoredFile,
    read_stored_files,
    read_superseded_files,
)
from finops_pipeline.marts.library import Severity
from finops_pipeline.marts.recomputation import recompute_marts
from finops_pipeline.marts.results import CheckState, check_published

OnProgress = Callable[[str], None]

FILES_PER_LINE = 100
"""Files after which a line of progress is due."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, and what to do about it; `subject` is a path, table or check."""

    subject: str
    found: str
    cure: str


@dataclass
class Verification:
    """What was looked at, and what is wrong.

    `rows`: rows of tables that were computed again; `checks`: results of checks, by month;
    `warnings`: failed checks that concern no sum (`finops check` lists them).
    """

    tenant: str
    files: int = 0
    size_bytes: int = 0
    tables: int = 0
    rows: int = 0
    months: int = 0
    checks: int = 0
    warnings: int = 0
    findings: list[Finding] = field(default_factory=list)


def verify(installation: Installation, tenant: str, on_progress: OnProgress) -> Verification:
    """Verify everything that is published for a tenant, and change none of it.

    An error is a finding as well: whatever does not depend on it is still verified. An interrupted
    publication is finished first.

    Raises:
        Unknown: there is no such tenant.
        SchemaTooNew: a newer version of finops_pipeline wrote the folder.
    """
    folder = installation.folder(installation.registry.tenant(tenant).name)
    work = _Verifier(folder, installation.limits, on_progress)
    if work.verify_folder() and work.verify_files():
        work.verify_tables()
        work.verify_checks()
    return work.result


class _Verifier:
    """The steps of one verification; the first two return whether the next ones can run."""

    def __init__(self, folder: TenantFolder, limits: Limits, on_progress: OnProgress) -> None:
        self._folder = folder
        self._limits = limits
        self._on_progress = on_progress
        self.result = Verification(folder.tenant)

    def _add(self, subject: object, found: str, cure: str = "") -> None:
        cure = cure or f"Build it again: finops rebuild {self._folder.tenant}"
        self.result.findings.append(Finding(str(subject), found, cure))

    def _add_error(self, subject: object, error: FinopsError | DuckDBError) -> None:
        if isinstance(error, FinopsError):
            self._add(subject, error.found, error.cure)
        else:
            self._add(subject, str(error).splitlines()[0])

    def _add_unusable(self, found: Iterable[Unusable]) -> None:
        for unusable in found:
            self._add(unusable.path, unusable.reason)

    def verify_folder(self) -> bool:
        """Examine the ledger and look for links; return whether the ledger can be used."""
        folder = self._folder
        self._on_progress("folder and ledger")
        self._add_unusable(find_links(folder))
        if not folder.ledger.is_symlink():
            self._add_unusable(find_unusable_ledger(folder))
        if self.result.findings:
            return False
        try:
            settle(folder)
            if not folder.ledger.exists() and (folder.store.exists() or folder.warehouse.exists()):
                self._add(folder.ledger, "is missing")
        except FinopsError as error:
            self._add_error(folder.root, error)
        return not self.result.findings

    def verify_files(self) -> bool:
        """Compare files with their checksums; return whether the charges and tables can be read."""
        folder, ledger = self._folder, open_ledger(self._folder)
        current = sorted(read_stored_files(ledger).values())
        damaged = [file for file in self._reported(current) if self._is_damaged(file)]
        self._add_unusable(
            find_changed_files(folder, (item.file for item in read_superseded_files(ledger)))
        )
        for path in find_wrong_folders(folder, current):
            self._add(path, "does not lead to a current file, or is missing from the folders")
        self.result.files += len(current)
        self.result.size_bytes += sum(file.size_bytes for file in current)
        return self._verify_warehouse(ledger) and not any(
            file.place.table_name == COSTS for file in damaged
        )

    def _reported(self, current: list[StoredFile]) -> Iterable[StoredFile]:
        for number, file in enumerate(current):
            if number % FILES_PER_LINE == 0:
                self._on_progress(f"files {number} of {len(current)}")
            yield file

    def _is_damaged(self, file: StoredFile) -> bool:
        path = self._folder.stored(file)
        if path.exists() and fingerprint(path) == file.sha256:
            return False
        state = "is not the file that was published" if path.exists() else "is missing"
        error = damaged_partition(self._folder, file, state)
        self._add(path, error.found.removeprefix(f"{path} "), error.cure)
        return True

    def _verify_warehouse(self, ledger: Ledger) -> bool:
        self._on_progress("the tenant's file")
        before = len(self.result.findings)
        self._add_unusable(find_changed_warehouse(self._folder, ledger))
        if len(self.result.findings) == before:
            self._verify_charges_of_views(ledger)
        if self._folder.warehouse.exists():
            self.result.files += 1
            self.result.size_bytes += self._folder.warehouse.stat().st_size
        return len(self.result.findings) == before

    def _verify_charges_of_views(self, ledger: Ledger) -> None:
        """Compare the charges that the tenant's file reads with the current ones."""
        if not read_generations(ledger):
            return
        current = [f for f in read_stored_files(ledger).values() if f.place.table_name == COSTS]
        try:
            with reading(self._folder) as connection:
                read = read_partition_files(connection, "w", [COSTS])
        except (FinopsError, DuckDBError) as error:
            self._add_error(self._folder.warehouse, error)
            return
        if sorted(read) != sorted(current):
            self._add(self._folder.warehouse, "reads other charges than those that are current")

    def verify_tables(self) -> None:
        """Compute every mart again from the charges, and compare the rows both ways."""
        months, tables = set[str](), set[str]()
        try:
            for compared in recompute_marts(self._folder, self._limits):
                name, month = compared.mart, compared.billing_period
                if month not in months:
                    self._on_progress(f"tables of {month}")
                months.add(month)
                tables.add(name)
                self.result.rows += compared.rows
                if not compared.is_equal:
                    self._add(
                        f"{name} {month}",
                        f"has {counted(compared.extra, 'row')} that the charges do not give, and"
                        f" lacks {counted(compared.missing, 'row')} that they give",
                        f"Build it again: finops rebuild {self._folder.tenant} --month {month}",
                    )
        except (FinopsError, DuckDBError) as error:
            self._add_error(self._folder.warehouse, error)
        self.result.tables, self.result.months = len(tables), len(months)

    def verify_checks(self) -> None:
        """Run every check; those whose rows make a refresh refuse are findings."""
        self._on_progress("checks")
        tenant = self._folder.tenant
        try:
            results = check_published(self._folder, self._limits)
        except (FinopsError, DuckDBError) as error:
            self._add_error(self._folder.warehouse, error)
            return
        self.result.checks = len(results)
        for check in results:
            if check.state is not CheckState.FAILED:
                continue
            if check.severity is not Severity.REFUSE:
                self.result.warnings += 1
                continue
            month = check.billing_period
            option = f" --month {month}" if month else ""
            scope = f"{tenant}{option}"
            cure = f"List the rows: finops check {scope}. Then rebuild: finops rebuild {scope}"
            self._add(f"{check.check_name} {month}".rstrip(), check.describe(), cure)
