"""The commands for metrics as the command table shows them: of the business, and of resources.

Put here: target and help of these commands. Keep out: the table (command_table.py), the commands
(metric_commands.py, usage_commands.py).
"""

from __future__ import annotations

from collections.abc import Mapping

METRIC_COMMANDS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "metrics": {
        "load": (
            "metric_commands:load_command",
            "Load business metrics such as orders per day; values of the same days are replaced.",
        ),
        "list": (
            "metric_commands:list_command",
            "List a tenant's business metrics, with the projects and days that have values.",
        ),
        "remove": (
            "metric_commands:remove_command",
            "Remove the values of a business metric, of all days.",
        ),
        "coverage": (
            "usage_commands:coverage_command",
            "Show which metrics of CloudWatch are known, and what the requests cost.",
        ),
        "estimate": (
            "usage_commands:estimate_command",
            "Show what the next run would request of CloudWatch and cost at most; request nothing.",
        ),
    },
}
