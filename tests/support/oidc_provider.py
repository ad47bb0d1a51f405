"""A real OpenID provider in a process of its own, on a free port of loopback.

Put here: starting and ending it. Keep out: signing in (browser.py), what tests expect; an issuer
that signs what no provider would (oidc_issuer.py).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.servers import free_port, wait_for

PEOPLE = {
    "alice": {"email": "alice@acme.example", "email_verified": True},
    "mallory": {"email": "bob@acme.example", "email_verified": False},
    "bob": {"email": "bob@acme.example", "email_verified": True},
}


@contextmanager
def run_provider(people: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Run a provider that knows these people; yield its issuer URL."""
    url = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", url.rpartition(":")[2]]
    command += ["-e", "600"]
    for sub, claims in people.items():
        command += ["--user-claims", json.dumps({"sub": sub, **claims})]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    with TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with log.open("wb") as out:
            process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
        try:
            wait_for(f"{url}/.well-known/openid-configuration", process, log)
            yield url
        finally:
            process.terminate()
            process.wait(10)
