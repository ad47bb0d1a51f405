"""What a command of `finops` prints, in this process, when it must succeed or must fail.

Put here: running a command and asserting that it ends as expected. Keep out: commands in a process
of their own (finops_process.py).
"""

from __future__ import annotations

import json
from typing import Any

from tests.support.globex import finops


def said_by(*words: str) -> str:
    """What a command that must succeed says."""
    code, said = finops(*words)
    assert code == 0, said
    return said


def failing(*words: str) -> str:
    """What a command that must fail says."""
    code, said = finops(*words)
    assert code != 0, said
    return said


def printed(*words: str) -> dict[str, Any]:
    """The JSON that a command ends with."""
    said = said_by(*words)
    loaded: dict[str, Any] = json.loads(said[said.index("{\n") :])
    return loaded
