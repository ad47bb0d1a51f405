"""The commands of `finops`: name, where each is implemented, and one line of help.

Put here: the table, and loading the one command that was called. Keep out: the commands themselves.

Besides start.py, this is the only place that imports modules while the program runs, so that
`finops version` does not pay for DuckDB, SQLAlchemy or boto3. tests/test_startup.py keeps it the
only one, and keeps each help text equal to the first line of the command's docstring.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from finops_pipeline.cli.access_command_list import ACCESS_COMMANDS, AUDIT_COMMAND
from finops_pipeline.cli.alert_command_list import (
    ALERT_COMMANDS,
    BUDGETS_COMMAND,
    REPORT_COMMAND,
)
from finops_pipeline.cli.metric_command_list import METRIC_COMMANDS
from finops_pipeline.cli.start import begin_command
from finops_pipeline.cli.waste_command_list import WASTE_COMMANDS

_CLI = "finops_pipeline.cli"


@dataclass(frozen=True)
class CommandEntry:
    """One command: its function as `module:name` below finops_pipeline.cli, and its help."""

    target: str
    help: str
    context_settings: Mapping[str, Any] = field(default_factory=dict)

    def load_function(self) -> Callable[..., Any]:
        """Import the module of the command and return its function."""
        module, _, name = self.target.partition(":")
        function: Callable[..., Any] = getattr(importlib.import_module(f"{_CLI}.{module}"), name)
        return function


ROOT = "finops"
COMMANDS: Mapping[str, Mapping[str, CommandEntry]] = {
    ROOT: {
        "apply": CommandEntry(
            "declarations:apply_file",
            "Declare tenants, sources and projects from a file; print the changes, delete nothing.",
        ),
        "ingest": CommandEntry(
            "run:ingest_command",
            "Ingest what AWS has delivered, and bring charges and tables up to date.",
        ),
        "ingest-file": CommandEntry(
            "run:ingest_file_command",
            "Ingest files without a manifest; together they are the complete bill of their months.",
        ),
        "rebuild": CommandEntry(
            "run:rebuild_command",
            "Rebuild charges and tables, land lost months again, and repair the tenant's folder.",
        ),
        "files": CommandEntry(
            "partition_lists:files_command",
            "List the current files of a table, for programs such as Spark or Polars.",
        ),
        "verify": CommandEntry(
            "verify:verify_command",
            "Compare every file with its checksum and every table with its charges; run every"
            " check.",
        ),
        "status": CommandEntry(
            "status:status_command",
            "Show whether each month reconciles; for one month, whether to trust it and why.",
        ),
        "costs": CommandEntry(
            "costs:costs_command",
            "Show costs by any field and period: of everything, or of some projects or services.",
        ),
        "query": CommandEntry(
            "query:query_command",
            "Run one SELECT on the tenant's file; it can read only this tenant's data.",
        ),
        "serve": CommandEntry("server_command:serve_command", "Serve the HTTP API until stopped."),
        "open": CommandEntry(
            "query:open_command",
            "Print the command that opens the tenant's file, with its views, in the DuckDB shell.",
        ),
        "export": CommandEntry(
            "export:export_command",
            "Write a tenant's tables to one DuckDB file to share, or one table as Parquet or XLSX.",
        ),
        "history": CommandEntry(
            "history:history_command",
            "List every delivery of a month: when it landed and what it billed.",
        ),
        "diff": CommandEntry(
            "history:diff_command",
            "Show what a restatement changed, by line item type, service and account.",
        ),
        "gaps": CommandEntry(
            "history:gaps_command",
            "List the months that are missing, why, and what to do about it.",
        ),
        "check": CommandEntry(
            "checks:check_command",
            "Run every check again on the published files on disk.",
        ),
        "validate": CommandEntry(
            "validate:validate_command",
            "Check every published charge on disk against every FOCUS rule.",
        ),
        "backup": CommandEntry(
            "backups:backup_command",
            "Copy a tenant, or everything with --all, to a folder, even while an ingest runs.",
        ),
        "restore": CommandEntry(
            "backups:restore_command",
            "Restore a tenant, or everything in a backup, after checking every file.",
        ),
        "restore-registry": CommandEntry(
            "backups:restore_registry_command",
            "Restore a lost or damaged registry from its last good copy, or from a file.",
        ),
        "audit": CommandEntry(*AUDIT_COMMAND),
        "budgets": CommandEntry(*BUDGETS_COMMAND),
        "report": CommandEntry(*REPORT_COMMAND),
        "demo": CommandEntry(
            "demo_process:demo_command",
            "Create bills for two organisations, run the pipeline in Dagster, and show the result.",
        ),
        "completion": CommandEntry(
            "completion:completion_command",
            "Print a script that lets your shell complete commands, options and names.",
        ),
        "version": CommandEntry("version:version_command", "Print the version."),
    },
    "tenant": {
        "add": CommandEntry("declarations:tenant_add", "Declare a tenant."),
        "list": CommandEntry("declarations:tenant_list", "List tenants."),
        "disable": CommandEntry(
            "lifecycle_commands:tenant_disable",
            "Leave a tenant out of runs, schedules and gaps; its data stays.",
        ),
        "enable": CommandEntry(
            "lifecycle_commands:tenant_enable", "Ingest a disabled or removed tenant again."
        ),
        "rename": CommandEntry(
            "lifecycle_commands:tenant_rename",
            "Change a tenant's display name; the name of its folder stays.",
        ),
        "purge": CommandEntry(
            "lifecycle_commands:tenant_purge", "Delete all data of a removed tenant for good."
        ),
        "remove": CommandEntry(
            "lifecycle_commands:tenant_remove",
            "Remove a tenant's declaration; its data stays until it is purged.",
        ),
        "export": CommandEntry(
            "declarations:tenant_export",
            "Print all tenants with their external ids, as YAML for finops restore-registry.",
        ),
    },
    "source": {
        "add": CommandEntry(
            "declarations:source_add",
            "Declare a tenant's billing export, or change it; options not given stay unchanged.",
        ),
        "list": CommandEntry("declarations:source_list", "List sources."),
        "disable": CommandEntry(
            "lifecycle_commands:source_disable", "Ingest nothing new of a source; its charges stay."
        ),
        "enable": CommandEntry(
            "lifecycle_commands:source_enable", "Ingest a disabled or removed source again."
        ),
        "rename": CommandEntry(
            "lifecycle_commands:source_rename", "Rename a source from which nothing has landed yet."
        ),
        "purge": CommandEntry(
            "lifecycle_commands:source_purge",
            "Delete everything that landed from a removed source, and its charges, for good.",
        ),
        "remove": CommandEntry(
            "lifecycle_commands:source_remove",
            "Remove a source's declaration; what landed from it stays until it is purged.",
        ),
        "policy": CommandEntry(
            "source_access:policy_command",
            "Print the policies that the customer's role needs, as JSON: trust and permissions.",
        ),
        "check": CommandEntry(
            "source_access:check_command",
            "Test a source's access step by step; exit code 1 if a required step fails.",
        ),
    },
    "project": {
        "add": CommandEntry(
            "project_claims:project_add",
            "Declare a project, or give it more claims; options not given stay unchanged.",
        ),
        "release": CommandEntry(
            "project_claims:project_release",
            "Remove a claim of a project, as if it had never been made.",
        ),
        "disable": CommandEntry(
            "lifecycle_commands:project_disable",
            "Suspend a project's claims: its charges move to unassigned with the next run.",
        ),
        "enable": CommandEntry(
            "lifecycle_commands:project_enable", "Let the claims of a disabled project count again."
        ),
        "rename": CommandEntry(
            "lifecycle_commands:project_rename",
            "Rename a project; the next run builds its charges under the new name.",
        ),
        "remove": CommandEntry(
            "lifecycle_commands:project_remove",
            "Remove a project: its charges move to unassigned with the next run.",
        ),
        "list": CommandEntry(
            "declarations:project_list", "List projects with the accounts they claim."
        ),
        "show": CommandEntry(
            "project_claims:project_show", "List the claims of a project, in order of priority."
        ),
        "preview": CommandEntry(
            "project_preview:preview_command",
            "Show which charges each claim would move between projects; change nothing.",
        ),
    },
    "rules": {
        "list": CommandEntry(
            "rule_commands:list_command",
            "List a tenant's dimensions and rules, in the order in which rules are tried.",
        ),
        "test": CommandEntry(
            "rule_commands:test_command",
            "Show which charges a changed tenants.yaml would give other values; change nothing.",
        ),
        "explain": CommandEntry(
            "rule_commands:explain_command",
            "Explain why charges are in their project, and which rule gave each dimension its"
            " value.",
        ),
    },
    "statements": {
        "preview": CommandEntry(
            "statement_commands:preview_command",
            "Show what each project would be charged for a month; close nothing.",
        ),
        "close": CommandEntry(
            "statement_commands:close_command",
            "Close the statements of a month, of all projects together; they never change"
            " afterwards.",
        ),
        "adjust": CommandEntry(
            "statement_commands:adjust_command",
            "Add a dated adjustment to a closed month whose bill has changed since.",
        ),
        "list": CommandEntry(
            "statement_commands:list_command",
            "List closed statements and adjustments, and which months an adjustment would change.",
        ),
        "show": CommandEntry(
            "statement_commands:show_command",
            "Show a closed month with its adjustments, or write it as CSV, Parquet, XLSX or HTML.",
        ),
    },
    "invoice": {
        "set": CommandEntry(
            "invoice:set_command",
            "Enter the total of a month's invoice; the charges are compared with it at once.",
            {"ignore_unknown_options": True},  # an amount may be negative: -12.50
        ),
        "list": CommandEntry("invoice:list_command", "List the invoice totals that were entered."),
        "remove": CommandEntry(
            "invoice:remove_command", "Withdraw an invoice total; its history stays."
        ),
    },
    "waste": {name: CommandEntry(*entry) for name, entry in WASTE_COMMANDS.items()},
    "alerts": {name: CommandEntry(*entry) for name, entry in ALERT_COMMANDS.items()},
    **{
        group: {name: CommandEntry(*entry) for name, entry in commands.items()}
        for group, commands in {**METRIC_COMMANDS, **ACCESS_COMMANDS}.items()
    },
    "queries": {
        "show": CommandEntry(
            "query_library:show_command", "Print a query's SQL, to read, copy and change."
        ),
        "run": CommandEntry(
            "query_library:run_command",
            "Run a ready-made query on the tenant's file; it can read only this tenant's data.",
        ),
    },
}
LIST_QUERIES = CommandEntry(
    "query_library:list_command",
    "List the ready-made queries for common FinOps questions.",
)
"""What `finops queries` does without a further command."""


class CommandGroup(TyperGroup):
    """A group of the table. It lists its commands without importing them."""

    def __init__(self, *, name: str | None = None, **attributes: Any) -> None:
        super().__init__(name=name, **attributes)
        self._entries = COMMANDS[name or ROOT]
        entries = {name: TyperCommand(name, help=e.help) for name, e in self._entries.items()}
        self.commands = {**entries, **self.commands}

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Import the command that was called, see TyperGroup."""
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and name in self._entries:
            command = build_command(name, self._entries[name])
            begin_command()
        return name, command, rest


def build_command(name: str, entry: CommandEntry) -> Any:
    """Import a command and return it with its parameters."""
    builder = typer.Typer(add_completion=False)
    settings = dict(entry.context_settings)
    builder.command(name, context_settings=settings)(entry.load_function())
    command: Any = typer.main.get_command(builder)
    for parameter in command.params:
        if str(parameter.metavar).startswith(("TENANT", "NAME")):
            # What typer sets for an argument with `autocompletion`; here for every name at once.
            parameter._custom_shell_complete = _complete_name
    return command


def _complete_name(context: Any, parameter: Any, typed: str) -> list[str]:
    """Return what Tab offers for an argument that is a name; see completion.py."""
    list_names = CommandEntry("completion:list_names", "").load_function()
    names: list[str] = list_names(parameter.metavar, typed)
    return names
