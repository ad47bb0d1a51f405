"""Completion in the shell: the script that switches it on, and the names that Tab offers.

Put here: `completion`, and names of tenants, sources, projects and queries for an argument. Keep
out: commands and options, which typer completes by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from typing import Annotated

import typer

from finops_pipeline.errors import FinopsError
from finops_pipeline.marts.use_cases import use_cases
from finops_pipeline.settings import load_settings
from finops_pipeline.tenants.registry import Registry


class Shell(StrEnum):
    """The shells that can complete commands of finops."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


_SCRIPTS = {
    Shell.BASH: """\
_finops_completion() {
    local IFS=$'\\n'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \\
                   _FINOPS_COMPLETE=complete_bash "$1" 2>/dev/null ) )
    return 0
}
complete -o default -F _finops_completion finops
""",
    Shell.ZSH: """\
#compdef finops
_finops_completion() {
    eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" \\
           _FINOPS_COMPLETE=complete_zsh finops 2>/dev/null)
}
compdef _finops_completion finops
""",
    Shell.FISH: """\
complete --command finops --no-files \\
    --arguments "(env _FINOPS_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args \\
_TYPER_COMPLETE_ARGS=(commandline -cp) finops 2>/dev/null)" \\
    --condition "env _FINOPS_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=is-args \\
_TYPER_COMPLETE_ARGS=(commandline -cp) finops 2>/dev/null"
""",
}


def completion_command(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print a script for your shell that completes commands, options and names with Tab."""
    typer.echo(_SCRIPTS[shell], nl=False)


def list_names(metavar: str, typed: str) -> list[str]:
    """List the names that an argument may have, as far as this user can read the registry.

    Args:
        metavar: what the argument stands for, such as `TENANT/SOURCE`.
        typed: the beginning of the name.
    """
    names: list[str] = []
    # At a Tab there is nobody to tell about an error.
    with suppress(FinopsError, OSError):
        names = sorted(name for name in _names(metavar, typed) if name.startswith(typed))
    return names


def _names(metavar: str, typed: str) -> Iterator[str]:
    if metavar == "NAME":
        yield from (query.name for query in use_cases())
        return
    settings = load_settings()
    registry = Registry(settings.registry, settings.data_folder)
    has_slash = "/" in typed
    if not metavar.startswith("TENANT/") and not has_slash:
        yield from registry.names()
        return
    for tenant in registry.tenants():
        own = tenant.sources if "SOURCE" in metavar else tenant.all_projects
        yield from (f"{tenant.name}/{part.name}" for part in own)
