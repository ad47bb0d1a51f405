"""The commands of `finops waste`: where each is implemented, and its help.

Put here: their rows of the command table. Keep out: the commands (waste_commands.py).
"""

from __future__ import annotations

WASTE_COMMANDS = {
    "list": (
        "waste_commands:list_command",
        "List what could be saved in 30 days, by resource, and what the bill cannot tell.",
    ),
    "explain": (
        "waste_commands:explain_command",
        "Explain a finding: evidence, rule, what would disprove it, price, realised savings.",
    ),
    "accept": (
        "waste_commands:accept_command",
        "Accept a finding: the team will make the change.",
    ),
    "start": (
        "waste_commands:start_command",
        "Note that the change of a finding is in progress.",
    ),
    "dismiss": (
        "waste_commands:dismiss_command",
        "Dismiss a finding with a reason, for good or until a day; it no longer counts.",
    ),
    "finish": (
        "waste_commands:finish_command",
        "Note that the change is done; later bills show what it has saved.",
    ),
}
