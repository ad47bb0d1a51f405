"""Requests to ingest a tenant: asked for by an administrator, carried out by a process of its own.

Put here: asking, listing, carrying out, what a request may show. Keep out: the ingest itself
(ingest.py), the file and its locks (lake/request_file.py), when a server starts a process for it
(serve/ingest_runner.py).

A tenant has at most one request that waits. Whoever holds the lock `run` carries requests out; a
request that is `running` while nobody holds it belongs to a process that was ended, and is carried
out again.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from finops_pipeline import clock
from finops_pipeline.application.administered_tenant import AdministeredTenant
from finops_pipeline.application.ingest import ingest
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.path_free_text import without_folders
from finops_pipeline.application.progress import Stage, Step
from finops_pipeline.application.refusals import as_expected, failed_step
from finops_pipeline.database.private_files import Permissions
from finops_pipeline.errors import (
    AskedTooOften,
    FinopsError,
    StorageFailure,
    Unknown,
    counted,
)
from finops_pipeline.lake.request_file import RequestFile, list_request_files

_KEPT = 20
_RATE_PERIOD = timedelta(hours=1)
_MOST_ATTEMPTS = 5
_MOST_FAILURES = 100
_ENDED = "the process that carried out the request was ended"


class RequestState(StrEnum):
    """Where a request is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


PENDING = (RequestState.WAITING, RequestState.RUNNING)


class IngestFailure(BaseModel):
    """What failed: the whole ingest, or one month of a source or project."""

    model_config = ConfigDict(frozen=True)
    stage: str
    subject: str
    month: str
    found: str
    expected: str = ""
    cure: str = ""


class IngestRequest(BaseModel):
    """A request; times are ISO 8601, and empty before the event.

    `attempts`: how often a process has begun it. `outcomes`: how many steps ended how.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    state: RequestState = RequestState.WAITING
    requested_at: str
    requested_by: str
    started_at: str = ""
    ended_at: str = ""
    attempts: int = 0
    outcomes: dict[str, int] = {}
    failures: list[IngestFailure] = []


_REQUESTS = TypeAdapter(list[IngestRequest])


class IngestRequests:
    """The latest requests of one tenant, oldest first.

    Every method raises StorageFailure when the file is damaged.
    """

    def __init__(self, own: AdministeredTenant) -> None:
        self._own = own
        settings = own.installation.settings
        permissions = Permissions(settings.group_readable)
        self._file = RequestFile(settings.data_folder / "lake", own.external_id, permissions)

    def read_all(self) -> list[IngestRequest]:
        """Read all requests that are kept."""
        text = self._file.read()
        try:
            return _REQUESTS.validate_json(text) if text else []
        except ValidationError as error:
            raise self._file.damaged() from error

    def find(self, request_id: str) -> IngestRequest:
        """Read one request.

        Raises:
            Unknown: the tenant has none of this id.
        """
        for request in self.read_all():
            if request.id == request_id:
                return request
        raise Unknown(
            f"there is no ingest request {request_id[:40]!r}",
            f"the id of one of the latest {_KEPT} requests",
        )

    def ask(self, requested_by: str) -> IngestRequest:
        """Ask for an ingest; if a request is waiting already, return that one.

        Raises:
            NotGranted: another tenant has the name now.
            TenantBusy: another process is changing the requests.
            AskedTooOften: so many were asked for within an hour.
        """
        self._own.read()
        with self._file.locked():
            requests = self.read_all()
            for request in requests:
                if request.state is RequestState.WAITING:
                    return request
            self._check_rate(requests)
            asked = IngestRequest(
                id=secrets.token_hex(8),
                requested_at=clock.now().isoformat(),
                requested_by=requested_by,
            )
            self._write([*requests, asked])
        return asked

    def _check_rate(self, requests: Sequence[IngestRequest]) -> None:
        most = self._own.installation.settings.serve_ingests_per_hour
        times = [datetime.fromisoformat(request.requested_at) for request in requests]
        free_at = sorted(times)[-most] + _RATE_PERIOD if len(times) >= most else clock.now()
        if (wait := ceil((free_at - clock.now()).total_seconds())) > 0:
            error = AskedTooOften(
                f"{counted(most, 'ingest')} of {self._own.name} were requested within an hour",
                f"at most FINOPS_SERVE_INGESTS_PER_HOUR ({most})",
                f"Wait {counted(wait, 'second')}",
            )
            error.wait_seconds = wait
            raise error

    def carry_out(self) -> list[IngestRequest]:
        """Carry out what is waiting or was left behind; return the requests as they ended.

        Nothing is carried out while another process does it.
        """
        ended = []
        with self._file.carrying_out() as is_alone:
            while is_alone and (request := self._begin()):
                is_given_up = request.attempts > _MOST_ATTEMPTS
                result = ([_given_up(self._own.name)], {}) if is_given_up else self._ingest()
                ended.append(self._end(request, *result))
        return ended

    def _begin(self) -> IngestRequest | None:
        """Mark the next request as running: one that was left behind first."""
        with self._file.locked():
            requests = self.read_all()
            pending = [r for r in requests if r.state in PENDING]
            if not pending:
                return None
            begun = pending[0].model_copy(
                update={
                    "state": RequestState.RUNNING,
                    "started_at": clock.now().isoformat(),
                    "attempts": pending[0].attempts + 1,
                }
            )
            self._write([begun if r.id == begun.id else r for r in requests])
        return begun

    def _ingest(self) -> tuple[list[IngestFailure], dict[str, int]]:
        """Ingest the tenant; return what failed, and how many steps ended how."""
        name = self._own.name
        try:
            report = ingest(self._own.installation, self._own.read())
        except Exception as error:
            step = failed_step(error, Stage.INGEST, name)
            return [_of_error(error, step)], {step.outcome.value: 1}
        failures = [_of_step(step) for step in report.failed[:_MOST_FAILURES]]
        return failures, dict(Counter(step.outcome.value for step in report.steps))

    def _end(
        self, request: IngestRequest, failures: Iterable[IngestFailure], outcomes: dict[str, int]
    ) -> IngestRequest:
        listed = list(failures)
        state = RequestState.FAILED if listed else RequestState.DONE
        fields = {"state": state, "ended_at": clock.now().isoformat()}
        ended = request.model_copy(update=fields | {"failures": listed, "outcomes": outcomes})
        with self._file.locked():
            self._write([ended if r.id == ended.id else r for r in self.read_all()])
        return ended

    def _write(self, requests: list[IngestRequest]) -> None:
        self._file.write(_REQUESTS.dump_json(requests[-_KEPT:]).decode())


def _of_error(error: Exception, step: Step) -> IngestFailure:
    expected = as_expected(error)
    if expected is None:
        return _of_step(step)
    texts = (expected.found, expected.expected, expected.cure)
    found, wanted, cure = map(without_folders, texts)
    return IngestFailure(
        stage=step.stage, subject=step.subject, month="", found=found, expected=wanted, cure=cure
    )


def _of_step(step: Step) -> IngestFailure:
    found = without_folders(step.reason)
    return IngestFailure(stage=step.stage, subject=step.subject, month=step.month, found=found)


def _given_up(tenant: str) -> IngestFailure:
    found = f"{_ENDED} {_MOST_ATTEMPTS} times"
    return IngestFailure(stage=Stage.INGEST, subject=tenant, month="", found=found)


class RequestQueue:
    """The tenants of an installation whose requests are to be carried out."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._seen: dict[str, tuple[int, bool]] = {}

    def changed_at(self, external_id: str) -> int:
        """Return when a tenant's requests were last changed; 0 if it has none."""
        return self._files().get(external_id, 0)

    def pending(self) -> list[AdministeredTenant]:
        """List the tenants that have requests to be carried out, those that wait longest first.

        A file is read again only when it has changed.
        """
        files = self._files()
        identities = self._installation.registry.identities(files) if files else []
        tenants = [
            AdministeredTenant(self._installation, each.name, each.external_id)
            for each in identities
        ]
        self._seen = {t.external_id: self._look(t, files[t.external_id]) for t in tenants}
        waiting = [t for t in tenants if self._seen[t.external_id][1]]
        return sorted(waiting, key=lambda t: files[t.external_id])

    def _look(self, tenant: AdministeredTenant, changed_at: int) -> tuple[int, bool]:
        seen = self._seen.get(tenant.external_id)
        if seen is not None and seen[0] == changed_at:
            return seen
        try:
            requests = IngestRequests(tenant).read_all()
        except StorageFailure:  # whoever carries them out reports it, and delays no other tenant
            return changed_at, True
        return changed_at, any(request.state in PENDING for request in requests)

    def _files(self) -> dict[str, int]:
        return list_request_files(self._installation.settings.data_folder / "lake")


@dataclass(frozen=True)
class CarriedOut:
    """The requests that have ended, and the tenants whose requests could not be carried out."""

    ended: Sequence[tuple[str, IngestRequest]]
    failures: Sequence[tuple[str, FinopsError]]


def carry_out_requests(installation: Installation, tenant: str | None = None) -> CarriedOut:
    """Carry out the requests of all tenants, or of one; each is returned with its tenant's name.

    A request that another process is carrying out is left to it. Damaged requests of one tenant
    keep nobody else's from being carried out.

    Raises:
        Unknown: there is no such tenant.
    """
    if tenant is not None:
        installation.registry.tenant(tenant)
    ended: list[tuple[str, IngestRequest]] = []
    failures: list[tuple[str, FinopsError]] = []
    for own in RequestQueue(installation).pending():
        if tenant not in (None, own.name):
            continue
        try:
            ended += [(own.name, request) for request in IngestRequests(own).carry_out()]
        except Exception as error:
            expected = as_expected(error)
            if expected is None:
                raise
            failures.append((own.name, expected))
    return CarriedOut(ended, failures)


def forget_requests(installation: Installation, external_id: str) -> None:
    """Delete the requests of a tenant that was purged."""
    settings = installation.settings
    if external_id:
        permissions = Permissions(settings.group_readable)
        RequestFile(settings.data_folder / "lake", external_id, permissions).delete()
