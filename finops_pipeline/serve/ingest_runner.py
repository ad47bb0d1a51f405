"""What a server does with requests for an ingest: a process for each tenant, a few at a time.

Put here: starting `finops ingest TENANT --requested`, and ending it with the server. Keep out:
requests (application/ingest_requests.py), which this process only looks at.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass

from finops_pipeline import clock
from finops_pipeline.application.administered_tenant import AdministeredTenant
from finops_pipeline.application.ingest_requests import RequestQueue
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.refusals import as_expected
from finops_pipeline.log import LOGGER, log_crash
from finops_pipeline.settings import command_environment

_LOOK_SECONDS = 5.0
_REST_SECONDS = 60.0
"""After a process that changed no request of its tenant, such as one that cannot start."""

_END_SECONDS = 10.0


@dataclass
class _Run:
    """A process that carries out the requests of a tenant."""

    process: subprocess.Popen[bytes]
    changed_at: int


class IngestRunner:
    """Starts processes for requests until it is stopped.

    Args:
        installation: whose requests are carried out, `serve_ingests` at the same time.
    """

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._most = installation.settings.serve_ingests
        self._queue = RequestQueue(installation)
        self._runs: dict[str, _Run] = {}
        self._resting: dict[str, float] = {}
        self._wake = threading.Event()
        self._is_ending = False
        self._thread = threading.Thread(target=self._work, name="ingests", daemon=True)

    def start(self) -> None:
        """Begin to look for requests, unless another program carries them out."""
        if self._most:
            self._thread.start()

    def wake(self) -> None:
        """Look at once: somebody has asked for an ingest."""
        self._wake.set()

    def stop(self) -> None:
        """End the processes; what they did not finish is carried out again later."""
        self._is_ending = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        for run in self._runs.values():
            run.process.terminate()
        for run in self._runs.values():
            try:
                run.process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                run.process.kill()
                run.process.wait()
        self._runs.clear()

    def _work(self) -> None:
        while not self._is_ending:
            self._wake.clear()
            try:
                self._look()
            except Exception as error:  # a full disk or a lost registry must not end the thread
                if expected := as_expected(error):
                    logging.getLogger(LOGGER).warning("requests for ingests: %s", expected)
                else:
                    log_crash(error, "looking for requests for ingests")
            self._wake.wait(1.0 if self._runs else _LOOK_SECONDS)

    def _look(self) -> None:
        for external_id, run in list(self._runs.items()):
            if run.process.poll() is not None:
                del self._runs[external_id]
                if self._queue.changed_at(external_id) == run.changed_at:
                    self._resting[external_id] = clock.stopwatch() + _REST_SECONDS
        for tenant in self._queue.pending():
            if len(self._runs) >= self._most or self._is_ending:
                return
            is_resting = self._resting.get(tenant.external_id, 0.0) > clock.stopwatch()
            if tenant.external_id not in self._runs and not is_resting:
                self._start(tenant)

    def _start(self, tenant: AdministeredTenant) -> None:
        command = [sys.executable, "-m", "finops_pipeline.cli"]
        changed_at = self._queue.changed_at(tenant.external_id)
        with suppress(KeyError):
            del self._resting[tenant.external_id]
        process = subprocess.Popen(
            [*command, "ingest", tenant.name, "--requested"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=command_environment(self._installation.settings),
            start_new_session=True,  # Ctrl-C is for the server, which then ends the process
        )
        self._runs[tenant.external_id] = _Run(process, changed_at)
