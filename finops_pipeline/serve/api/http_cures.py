"""Cures that name a command, in words for callers of the API.

Put here: which request does the same as which command. Keep out: cures themselves, which are
written where an error is raised, for everybody who may meet it.
"""

from __future__ import annotations

import re

_NAME = r"[\w.-]+"
_REQUESTS = (
    (rf"finops project list (?P<tenant>{_NAME})", "GET /v1/tenants/{tenant}/declared-projects"),
    (
        rf"finops project remove (?P<tenant>{_NAME})/(?P<name>{_NAME})( --yes \S+)?",
        "DELETE /v1/tenants/{tenant}/projects/{name}?confirmation={name}",
    ),
    (
        rf"finops project release (?P<tenant>{_NAME})/(?P<name>{_NAME}) \S+",
        "PATCH /v1/tenants/{tenant}/projects/{name} with the claims that it keeps",
    ),
    (
        rf"finops project (enable|disable) (?P<tenant>{_NAME})/(?P<name>{_NAME})",
        "PATCH /v1/tenants/{tenant}/projects/{name} with its state",
    ),
    (rf"finops rules list (?P<tenant>{_NAME})", "GET /v1/tenants/{tenant}/rules"),
    (rf"finops invoice list (?P<tenant>{_NAME})", "GET /v1/tenants/{tenant}/invoices"),
    (rf"finops ingest (?P<tenant>{_NAME})", "POST /v1/tenants/{tenant}/ingests"),
    (rf"finops status (?P<tenant>{_NAME})", "GET /v1/tenants/{tenant}/status"),
    (rf"finops grant list (?P<tenant>{_NAME})", "GET /v1/tenants/{tenant}/grants"),
    ("finops principal list", "GET /v1/tenants/{tenant}/grants"),
    ("finops token list", "GET /v1/tenants/{tenant}/tokens"),
)
"""Commands, and the requests that do the same; {tenant} stays where a command names none."""

_TABLE = tuple((re.compile(f"`?{command}`?"), request) for command, request in _REQUESTS)
_COMMAND = re.compile(r"\bfinops [a-z]")


def http_cure(cure: str) -> str:
    """Return a cure with requests in place of commands.

    A command that no request replaces is for whoever runs the server.
    """
    if not _COMMAND.search(cure):
        return cure
    for command, request in _TABLE:
        for found in reversed(list(command.finditer(cure))):
            filled = _fill(request, found.groupdict())
            cure = f"{cure[: found.start()]}{filled}{cure[found.end() :]}"
    return f"Ask whoever runs this server: {cure}" if _COMMAND.search(cure) else cure


def _fill(request: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        request = request.replace(f"{{{name}}}", value)
    return request
