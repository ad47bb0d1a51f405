"""Names that finops offers: after a typing error, and at Tab, within what the caller may know.

Put here: "Did you mean …?" and completion in the shell. Keep out: which names are refused
(test_registry.py), isolation of data (test_isolation.py).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from finops_pipeline.errors import Unknown
from finops_pipeline.serve.queries import Query, open_answer
from tests.conftest import TemporaryInstallation

BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    ("command", "suggestion"),
    [
        (("status", "acm"), "Did you mean acme? Declare it with"),
        (("query", "globx", "select 1"), "Did you mean globex?"),
        (("ingest", "acme/prd"), "Did you mean prod? List the projects: finops project list acme"),
        (("source", "check", "acme/payr"), "Did you mean payer?"),
        (("queries", "show", "credit"), "Did you mean credits? List the queries: finops queries."),
        (("queries", "run", "acme", "anomalous_days", "--set", "time=3"), "Did you mean times?"),
        (("queries", "run", "acme", "movers", "--set", "by=servce"), "Did you mean service?"),
        (("queries", "run", "acme", "movers", "--set", "least=few"), "an amount such as 2.5"),
        (("queries", "run", "acme", "top_services", "--set", "top=1.5"), "a whole number such"),
        (("queries", "run", "acme", "movers", "--set", "before_to=May"), "YYYY-MM"),
        (("files", "acme", "cost"), "Did you mean costs?"),
        (("stauts",), "'status'"),
        (("query", "acme", "select 1", "--formt", "csv"), "--format"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_typing_error_is_answered_with_the_name_that_is_meant(
    built: TemporaryInstallation, command: tuple[str, ...], suggestion: str
) -> None:
    assert suggestion in built.finops(*command, ok=False).stderr


def test_a_name_like_no_other_gets_no_suggestion(built: TemporaryInstallation) -> None:
    error = json.loads(built.finops("status", "umbrella", "--format", "json", ok=False).stderr)
    assert "mean" not in error["error"]["cure"]
    close = json.loads(built.finops("status", "acm", "--format", "json", ok=False).stderr)
    assert close["error"]["cure"].startswith("Did you mean acme?")


def test_only_the_command_line_knows_all_tenants(built: TemporaryInstallation) -> None:
    """A program that asks for one tenant on behalf of a caller gets the same text for any name."""
    installation = built.installation
    texts = set()
    for name in ("globe", "umbrella"):
        for refused in (
            lambda name=name: installation.registry.tenant(name),
            lambda name=name: open_answer(installation, name, Query("select 1")).__enter__(),
        ):
            with pytest.raises(Unknown) as caught:
                refused()
            texts.add(str(caught.value).replace(name, "NAME"))
    assert len(texts) == 1 and "globex" not in texts.pop()


def test_a_tenant_never_learns_names_of_another(built: TemporaryInstallation) -> None:
    """globex has a source `legacy` and a project `shared`, acme has neither."""
    for command in (("source", "check", "acme/legac"), ("ingest", "acme/share")):
        assert "mean" not in built.finops(*command, ok=False).stderr


# ---- completion


def completed(made: TemporaryInstallation, line: str, **more: str) -> list[str]:
    """What Tab offers at the end of a line, by the script in a real bash."""
    last = len(line.split(" ")) - 1
    script = (
        'eval "$(finops completion bash)"\n'
        f"COMP_WORDS=({line}); COMP_CWORD={last}\n"
        f'_finops_completion finops; printf "%s\\n" "${{COMPREPLY[@]}}"\n'
    )
    path = f"{BIN}:{os.environ['PATH']}"
    environment = {**os.environ, "FINOPS_DATA": str(made.data), "PATH": path, **more}
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_tab_completes_commands_options_and_names(built: TemporaryInstallation) -> None:
    assert completed(built, "finops hist") == ["history"]
    assert completed(built, "finops query acme --exa") == ["--exact"]
    assert completed(built, "finops status gl") == ["globex"]
    assert completed(built, "finops source check acme/p") == ["acme/payer"]
    assert completed(built, "finops ingest acme/st") == ["acme/staging"]
    assert completed(built, "finops queries show cre") == ["credits"]


def test_tab_offers_nothing_where_nothing_can_be_read(empty: TemporaryInstallation) -> None:
    assert completed(empty, "finops status ac") == []
    assert not empty.data.exists(), "looking for names creates nothing"
    empty.data.mkdir()
    (empty.data / "registry.sqlite").write_text("not a registry")
    assert completed(empty, "finops status ac") == []


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_a_script_too(built: TemporaryInstallation, shell: str) -> None:
    script = built.finops("completion", shell).stdout
    assert f"_FINOPS_COMPLETE=complete_{shell}" in script
    environment = {
        **os.environ, "FINOPS_DATA": str(built.data), "_FINOPS_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": "finops status gl", "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }  # fmt: skip
    done = subprocess.run(
        [str(BIN / "finops")], capture_output=True, text=True, env=environment, check=True
    )
    assert "globex" in done.stdout and "acme" not in done.stdout
