"""The command that prints the version.

Put here: `version`, which must start quickly. Keep out: imports of other packages.
"""

from __future__ import annotations

import typer

from finops_pipeline import __version__


def version_command() -> None:
    """Print the version."""
    typer.echo(__version__)
