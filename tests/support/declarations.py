"""Declaring tenants by `finops apply`: on an empty installation, or on acme and globex.

Put here: fixtures that apply the text of a tenants.yaml, and reading what list commands print. Keep
out: what a declaration may say (test_registry.py, test_account_claims.py).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from finops_pipeline.tenants.model import Tenant
from tests.conftest import TemporaryInstallation
from tests.support.globex import finops

Apply = Callable[[str], tuple[int, str]]
CLAIMED, UNCLAIMED, DAY = '"111122223333"', '"999900001111"', "2026-10-02"
"""An account that acme/prod claims in the estate, an account that nobody claims, a day."""


@pytest.fixture
def apply(empty: TemporaryInstallation, tmp_path: Path) -> Apply:
    """A function: text of a tenants.yaml -> exit code and output of `finops apply`."""
    empty.data.mkdir()

    def run(text: str) -> tuple[int, str]:
        (tmp_path / "declared.yaml").write_text(text)
        return finops("apply", str(tmp_path / "declared.yaml"))

    return run


@pytest.fixture
def declared(fresh: TemporaryInstallation, tmp_path: Path) -> Apply:
    """Like `apply`, with acme and globex of the estate declared."""

    def run(text: str) -> tuple[int, str]:
        (tmp_path / "declared.yaml").write_text(text)
        return finops("apply", str(tmp_path / "declared.yaml"))

    assert fresh.installation.registry.names() == ["acme", "globex"]
    return run


def table(*arguments: str) -> list[list[str]]:
    """Cells of a list command's rows, on a terminal that is wide enough for a table."""
    with patch.dict(os.environ, {"COLUMNS": "400"}):
        _, output = finops(*arguments)
    printed = output.splitlines()
    if len(printed) < 2:  # an empty list: one line that says what to do
        return []
    columns = [match.span() for match in re.finditer("─+", printed[1])]
    return [[line[start:end].strip() for start, end in columns] for line in printed[2:]]


def acme(**parts: str) -> str:
    """A tenants.yaml that declares these fields of acme."""
    return "tenants:\n- name: acme\n" + "".join(f"  {k}: {v}\n" for k, v in parts.items())


def as_declared(tenant: Tenant) -> Tenant:
    """A stored tenant as it was declared: without the ids that the registry generated."""
    own = {"project_id": "", "reused_at": ""}
    projects = tuple(project.model_copy(update=own) for project in tenant.projects)
    return tenant.model_copy(update={"external_id": "", "projects": projects})
