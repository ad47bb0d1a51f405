"""`finops`: the commands together, and the one exit for errors.

Put here: wiring. Keep out: commands themselves (registry.py, run.py, read.py).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from finops_pipeline import __version__
from finops_pipeline.application.refusals import is_interruption, reason_of
from finops_pipeline.cli import checks as check
from finops_pipeline.cli import declarations as registry
from finops_pipeline.cli import deliveries as history
from finops_pipeline.cli import invoice, run, status, validate
from finops_pipeline.cli import query as read
from finops_pipeline.cli import query_library as queries
from finops_pipeline.cli.show import complain
from finops_pipeline.settings import child_environment, load_settings

app = typer.Typer(
    name="finops",
    help="Every organisation's AWS costs, true to the cent, in its own folder and file.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
INTERRUPTED = 130
_INTERRUPTED_WORDS = "Interrupted; what was published stays, running again goes on from there."

registry.register(app)
run.register(app)
status.register(app)
invoice.register(app)
read.register(app)
history.register(app)
check.register(app)
queries.register(app)
validate.register(app)


@app.command()
def demo(
    seed: Annotated[int, typer.Option(help="Seed of the made-up estate.")] = 7,
    months: Annotated[int, typer.Option(min=1, max=36, help="Billing periods to make.")] = 7,
) -> None:
    """Make two organisations' bills, run the whole pipeline through Dagster, show the result."""
    # A process of its own: Dagster takes two seconds to import, which no other command pays.
    words = [sys.executable, "-m", "finops_pipeline.demo", str(seed), str(months)]
    home = Path("dagster_home").absolute()
    if not home.is_dir():
        home = load_settings().data_folder / "dagster_home"
        home.mkdir(parents=True, exist_ok=True)
    raise typer.Exit(subprocess.call(words, env=child_environment(home)))


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Run the command line; errors leave as one line on stderr and a non-zero exit code.

    Exit codes: 1 an error or something refused, 2 wrong usage, 130 interrupted.
    """
    try:
        app()
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            complain(_INTERRUPTED_WORDS)
        raise
    except Exception as error:
        if is_interruption(error):
            complain(_INTERRUPTED_WORDS)
            sys.exit(INTERRUPTED)
        complain(reason_of(error, "finops"))
        sys.exit(1)


if __name__ == "__main__":
    main()
