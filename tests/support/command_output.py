"""What a command of `finops` prints, in this process, when it must succeed or must fail.

Put here: running a command and asserting that it ends as expected. Keep out: commands in a process
of their own (finops_process.py).
"""

from __future__ import annotations

import json
from typing import Any

from tests.support.globex import finops


def output_of(*arguments: str) -> str:
    """Run a command that must succeed; returns its output."""
    code, output = finops(*arguments)
    assert code == 0, output
    return output


def failure_of(*arguments: str) -> str:
    """Run a command that must fail; returns its output."""
    code, output = finops(*arguments)
    assert code != 0, output
    return output


def printed_json(*arguments: str) -> dict[str, Any]:
    """The JSON that the output of a command ends with."""
    output = output_of(*arguments)
    loaded: dict[str, Any] = json.loads(output[output.index("{\n") :])
    return loaded
