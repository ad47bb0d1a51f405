"""Entry point of `finops`: the groups of commands and the single exit for errors.

Put here: the entry point. Keep out: which commands there are (command_table.py), the commands
themselves, how a failure is reported (failures.py).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import typer

from finops_pipeline import __version__
from finops_pipeline.cli.command_table import LIST_QUERIES, ROOT, CommandEntry, CommandGroup
from finops_pipeline.cli.start import INTERRUPTED, begin_command, report_interruption

app = typer.Typer(
    name=ROOT,
    cls=CommandGroup,
    help="Every organisation's AWS costs, exact to the last digit, in its own folder and file.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def finops(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    """Every organisation's AWS costs, exact to the last digit, in its own folder and file."""


app.add_typer(
    typer.Typer(cls=CommandGroup, help="Organisations.", no_args_is_help=True), name="tenant"
)
app.add_typer(
    typer.Typer(
        cls=CommandGroup, help="Billing exports that a tenant receives.", no_args_is_help=True
    ),
    name="source",
)
app.add_typer(
    typer.Typer(
        cls=CommandGroup, help="Named parts of a tenant's AWS estate.", no_args_is_help=True
    ),
    name="project",
)
app.add_typer(
    typer.Typer(
        cls=CommandGroup,
        help="Invoice totals to compare the charges with.",
        no_args_is_help=True,
    ),
    name="invoice",
)
app.add_typer(
    typer.Typer(
        cls=CommandGroup,
        help="Rules that give charges the values of declared dimensions.",
        no_args_is_help=True,
    ),
    name="rules",
)
app.add_typer(
    typer.Typer(
        cls=CommandGroup,
        help="What each project is charged for a month: closed once, adjusted later.",
        no_args_is_help=True,
    ),
    name="statements",
)
app.add_typer(
    typer.Typer(
        cls=CommandGroup,
        help="Business metrics, such as orders per day, for costs per unit.",
        no_args_is_help=True,
    ),
    name="metrics",
)
app.add_typer(
    typer.Typer(
        cls=CommandGroup,
        help="What could be saved, what the team decides about it, and what it has saved.",
        no_args_is_help=True,
    ),
    name="waste",
)
app.add_typer(
    typer.Typer(
        cls=CommandGroup,
        help="What needs attention, and who is told of it.",
        no_args_is_help=True,
    ),
    name="alerts",
)
app.add_typer(
    typer.Typer(
        cls=CommandGroup, help="People and services that may have access.", no_args_is_help=True
    ),
    name="principal",
)
app.add_typer(
    typer.Typer(
        cls=CommandGroup, help="Who may see which tenant, or parts of it.", no_args_is_help=True
    ),
    name="grant",
)
app.add_typer(
    typer.Typer(
        cls=CommandGroup, help="Secrets with which services call the API.", no_args_is_help=True
    ),
    name="token",
)
app.add_typer(
    typer.Typer(
        cls=CommandGroup, help="People who have signed in with a browser.", no_args_is_help=True
    ),
    name="session",
)
queries_app = typer.Typer(cls=CommandGroup, help=LIST_QUERIES.help)
app.add_typer(queries_app, name="queries")


@queries_app.callback(invoke_without_command=True)
def queries(context: typer.Context) -> None:
    """List the queries of the library, unless a further command is called."""
    if context.invoked_subcommand is None:
        list_queries = LIST_QUERIES.load_function()
        begin_command()
        list_queries()


def main() -> None:
    """Run the command line. An error becomes one line on stderr and a non-zero exit code.

    Exit codes: 0 success; 1 an error, or something was refused or failed a check; 2 wrong usage;
    130 interrupted. docs/runbook.md says what the line looks like for `--format json`.
    """
    arguments = sys.argv[1:]
    # Typer's own option --install-completion edits files of the user; `finops completion` prints.
    # Making its options is the one public way to have typer know the shells.
    typer.main.get_install_completion_arguments()
    try:
        # In standalone mode typer prints usage errors itself, and cannot print them as JSON.
        sys.exit(app(standalone_mode=not asks_for_json(arguments)))
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            report_interruption()
        raise
    except Exception as error:
        sys.exit(report_failure(error, arguments))


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Return whether a command line has `--format json`."""
    return "--format=json" in arguments or ("--format", "json") in pairwise(arguments)


def report_failure(error: BaseException, arguments: Sequence[str]) -> int:
    """Report a command's failure to the user and return its exit code, see failures.py."""
    report = CommandEntry("failures:report_failure", "").load_function()
    return int(report(error, asks_for_json(arguments)))


if __name__ == "__main__":
    main()
