"""Processes that die at a given step: a file operation, or half of a write to the ledger.

Put here: the process that forks them. Keep out: what has to be true afterwards.

Steps are counted by an audit hook of Python, so that none is left out.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MOST_STEPS = 2000
DRIVER = """
import os, shutil, sys
from pathlib import Path
from finops_pipeline.application.ingest import ingest
from finops_pipeline.application.installation import Installation
from finops_pipeline.ledger.ledger import Ledger
from finops_pipeline.serve.sandbox import open_sandbox
from finops_pipeline.settings import Settings

STEPS = {'os.rename', 'os.symlink', 'os.remove', 'os.mkdir', 'os.rmdir', 'os.link', 'os.chmod'}

def die_at(last):
    count, write = [0], Ledger.write
    def is_last():
        count[0] += 1
        return count[0] == last
    def hook(event, _):
        if event in STEPS and is_last():
            os._exit(9)
    def writing(self, *writes):
        # Inside the transaction: half of it is written, nothing is committed.
        if is_last():
            writes = (*writes[: len(writes) // 2], lambda db: os._exit(9))
        write(self, *writes)
    Ledger.write = writing
    sys.addaudithook(hook)

for line in sys.stdin:
    data, work, last = line.split('|')
    child = os.fork()
    if not child:
        installation = Installation(Settings(data=Path(data), threads=1, reader_grace_hours=0))
        tenant = installation.registry.tenant('acme')
        die_at(int(last))
        if work == 'ingest':
            os._exit(1 if ingest(installation, tenant).failed else 0)
        with open_sandbox(installation.folder('acme'), installation.query_limits) as sandbox:
            sandbox.execute('select count(*) from costs').fetchall()
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Killer:
    """A process that forks an ingest or query of acme, which dies at a given step."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ingest(self, data: Path, step: int = MOST_STEPS) -> int:
        """Ingest until a step; return the exit code: 9 if it died, 0 if there is no such step."""
        return self._run(data, "ingest", step)

    def query(self, data: Path, step: int = MOST_STEPS) -> int:
        """Ask one query as `finops query` does, until a step; return the exit code."""
        return self._run(data, "query", step)

    def _run(self, data: Path, work: str, step: int) -> int:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{data}|{work}|{step}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def end(self) -> None:
        """Let the process end."""
        self._process.communicate(timeout=30)
