"""The commands for access as the command table shows them: `audit`, and four groups.

Put here: target and help of these commands. Keep out: the table (command_table.py), the commands
(access_commands.py, token_commands.py, session_commands.py, audit_command.py).
"""

from __future__ import annotations

from collections.abc import Mapping

AUDIT_COMMAND = (
    "audit_command:audit_command",
    "Show who saw, changed or was refused what in a tenant; or verify that nothing was altered.",
)
ACCESS_COMMANDS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "principal": {
        "add": (
            "access_commands:principal_add",
            "Create a principal: a service, or with --issuer a person; it has no access yet.",
        ),
        "list": (
            "access_commands:principal_list",
            "List principals, and whether they are active.",
        ),
        "disable": (
            "access_commands:principal_disable",
            "Disable a principal: all its tokens and grants stop counting at once.",
        ),
        "enable": (
            "access_commands:principal_enable",
            "Give a disabled principal its access again, with the tokens that are still valid.",
        ),
    },
    "grant": {
        "add": (
            "access_commands:grant_add",
            "Let a principal see a tenant, or some of its projects; replaces its earlier grant.",
        ),
        "list": (
            "access_commands:grant_list",
            "List who has access to a tenant; grants of disabled principals do not count.",
        ),
        "remove": (
            "access_commands:grant_remove",
            "Take the access to a tenant from a principal; its next request is refused.",
        ),
    },
    "token": {
        "create": (
            "token_commands:create_command",
            "Create a token and print it: this is the only time that it is shown.",
        ),
        "list": (
            "token_commands:list_command",
            "List tokens by their first characters, with their state and last use.",
        ),
        "revoke": (
            "token_commands:revoke_command",
            "Revoke a token for good; the next request with it is refused.",
        ),
    },
    "session": {
        "list": (
            "session_commands:session_list",
            "List sessions of browsers by their first characters, with their state and last use.",
        ),
        "end": (
            "session_commands:session_end",
            "End a session of a browser, or all of a person; the next request with it is refused.",
        ),
    },
}
"""Group -> command -> its function, as `module:name` below finops_pipeline.cli, and its help."""
