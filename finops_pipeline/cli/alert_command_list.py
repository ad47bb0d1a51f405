"""The commands for alerts, budgets and reports as the command table shows them.

Put here: target and help of these commands. Keep out: the table (command_table.py), the commands
(alert_commands.py, budget_commands.py).
"""

from __future__ import annotations

from collections.abc import Mapping

BUDGETS_COMMAND = (
    "budget_commands:budgets_command",
    "Show what was spent of each budget of a month, and what the month will cost.",
)
