"""The commands for alerts, budgets and reports as the command table shows them.

Put here: target and help of these commands. Keep out: the table (command_table.py), the commands
(alert_commands.py, budget_commands.py).
"""

from __future__ import annotations

BUDGETS_COMMAND = (
    "budget_commands:budgets_command",
    "Show what was spent of each budget of a month, and what the month will cost.",
)
REPORT_COMMAND = (
    "report_command:report_command",
    "Show the report of a tenant's newest complete day or week, or send it.",
)
ALERT_COMMANDS = {
    "list": (
        "alert_commands:list_command",
        "List a tenant's open alerts as of the last run of the rules.",
    ),
    "send": (
        "alert_commands:send_command",
        "Run the rules of alerts, and send the messages and reports that are due.",
    ),
    "snooze": (
        "alert_commands:snooze_command",
        "Send nothing about an alert for some days.",
    ),
    "wake": (
        "alert_commands:wake_command",
        "Send messages about a snoozed alert again.",
    ),
    "history": (
        "alert_commands:history_command",
        "List what was sent to a tenant's channels, what failed and why.",
    ),
    "test": (
        "alert_commands:test_command",
        "Send a test message over a tenant's channels, or one of them.",
    ),
}
