"""The command `finops serve`.

Put here: its options. Keep out: the server (serve/api).
"""

from __future__ import annotations

from typing import Annotated

import typer

from finops_pipeline.cli.show import complain, open_installation, say
from finops_pipeline.serve.api.api_server import Address, require_confinement, run_server

_LOCAL = ("127.0.0.1", "::1", "localhost")


def serve_command(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any free one.")] = 8000,
    allow_unconfined: Annotated[
        bool,
        typer.Option(
            "--allow-unconfined", help="Serve even if the kernel cannot confine queries (Landlock)."
        ),
    ] = False,
) -> None:
    """Serve the HTTP API until stopped."""
    require_confinement(allow_unconfined)
    if host not in _LOCAL:
        complain("connections are not encrypted; put a proxy with TLS in front of this server")
    run_server(
        open_installation(),
        Address(host, port),
        lambda url: say(f"Serving {url}/v1 (described by {url}/openapi.json). Stop with Ctrl-C."),
    )
