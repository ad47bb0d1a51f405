"""The only reader of the environment: typed, frozen, documented.

Put here: the settings of an installation, each with a default and one sentence (docs/settings.md
is generated from them). Keep out: anything that belongs to one tenant (that is registry data),
settings of the HTTP API (server_settings.py) and of messages (message_settings.py), what a value
may be, in words (setting_values.py).
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from pydantic import Field, ValidationError

from finops_pipeline.errors import SettingError
from finops_pipeline.message_settings import MessageSettings
from finops_pipeline.server_settings import ServerSettings
from finops_pipeline.setting_values import EXPECTED_VALUES

_KEYS = {"tenant", "source", "project", "billing_period"}
"""Partition keys of the lake, which DuckDB reads from any segment of a path."""


class Settings(MessageSettings, ServerSettings):
    """One installation's settings; every field is read from `FINOPS_<NAME>`."""

    data: Path = Field(
        default=Path("data"),
        description="Folder that holds all data: the registry and one folder per tenant.",
    )
    registry_url: str = Field(
        default="",
        description="SQLAlchemy URL of the registry; empty: registry.sqlite in the data folder.",
    )
    access_url: str = Field(
        default="",
        description=(
            "SQLAlchemy URL of the SQLite file with grants, tokens and the audit log; empty:"
            " access.sqlite in the data folder."
        ),
    )
    first_month: str = Field(
        default="2020-01",
        pattern=r"^\d{4}-(0[1-9]|1[0-2])$",
        description=(
            "First billing period (YYYY-MM) that Dagster offers as a partition. If it is not set,"
            " the month of the first bill, if that is known without a request to AWS."
        ),
    )
    memory_limit: str = Field(
        default="1GB",
        pattern=r"^\d+(\.\d+)?\s?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)$",
        description="Memory that DuckDB may use for one step of a run; the rest spills to disk.",
    )
    threads: int = Field(
        default=0,
        ge=0,
        description="Threads that DuckDB may use for one step or query; 0 means one per core.",
    )
    query_seconds: float = Field(
        default=30.0,
        gt=0,
        description="Seconds that a query may take for its first rows, and for the next ones.",
    )
    query_cpu_seconds: int = Field(
        default=600,
        ge=1,
        description="Seconds of processor time that one query may use, summed over all cores.",
    )
    query_memory: str = Field(
        default="2GB",
        pattern=r"^\d+(\.\d+)?\s?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)$",
        description="Memory that the process of one query may use; half of it is for DuckDB.",
    )
    query_rows: int = Field(
        default=10_000_000, ge=1, description="Rows that the answer to one query may have."
    )
    query_bytes: int = Field(
        default=10_000_000_000,
        ge=1,
        description="Bytes that the answer to one query may have before it is formatted.",
    )
    lock_wait_seconds: float = Field(
        default=600.0,
        ge=0,
        description="Seconds that a command waits for another one that writes the same tenant.",
    )
    reader_grace_hours: float = Field(
        default=24.0,
        ge=0,
        description="Hours that replaced files are kept for connections that may still read them.",
    )
    superseded_limit_bytes: int = Field(
        default=10_000_000_000,
        ge=0,
        description="Bytes of replaced files kept per tenant; beyond that the oldest are deleted.",
    )
    group_readable: bool = Field(
        default=False,
        description="Let the group of a folder read what finops creates in it, not only the owner.",
    )
    cost_explorer_requests: int = Field(
        default=50,
        ge=0,
        description="Cost Explorer requests (USD 0.01 each) that one run may send for a tenant.",
    )
    prices: str = Field(
        default="",
        description=(
            "CSV file with list prices that replace and complete those that are shipped"
            " (docs/waste.md); empty: none."
        ),
    )
    cloudwatch_metrics: int = Field(
        default=500_000,
        ge=0,
        description="CloudWatch statistics (USD 0.01 for 1,000) that a run may request per tenant.",
    )
    cloudwatch_days: int = Field(
        default=30,
        ge=1,
        le=455,
        description="Days before today whose CloudWatch metrics are asked for at first.",
    )
    watch_open_hours: float = Field(
        default=6.0,
        gt=0,
        description="Hours after which Dagster looks again for new deliveries of open months.",
    )
    watch_closed_hours: float = Field(
        default=24.0,
        gt=0,
        description="The same for closed months, until they have not changed for two weeks.",
    )
    watch_seconds: int = Field(
        default=60, ge=1, description="Seconds between two looks of Dagster at what has changed."
    )
    dagster_url: str = Field(
        default="http://127.0.0.1:3000",
        pattern=r"^(https?://\S+)?$",
        description=(
            "Address of Dagster's webserver, which is asked to load a changed registry; empty:"
            " nobody is asked."
        ),
    )
    log_format: str = Field(
        default="text",
        pattern=r"^(text|json)$",
        description="Format of the log on stderr: text, or json for one JSON object per line.",
    )

    @property
    def data_folder(self) -> Path:
        """The data folder as an absolute path.

        Raises:
            SettingError: DuckDB would read its path as a pattern or as several paths.
        """
        folder = self.data.expanduser().absolute()
        odd = [part for part in folder.parts if set(part) & set("*?[]{}\\,")]
        odd += [p for p in folder.parts if "=" in p and p.partition("=")[0].lower() in _KEYS]
        if odd:
            raise SettingError(
                f"FINOPS_DATA contains the folder {odd[0]!r}",
                "a path without commas, * ? [ ] { } \\ or partition keys such as billing_period=",
                "Choose another folder: DuckDB reads such a path as a pattern or as several paths",
            )
        return folder

    @property
    def registry(self) -> str:
        """SQLAlchemy URL of the registry."""
        if self.registry_url:
            return self.registry_url
        return f"sqlite:///{quote(str(self.data_folder / 'registry.sqlite'))}"

    @property
    def access(self) -> str:
        """SQLAlchemy URL of the database of grants, tokens and the audit log."""
        if self.access_url:
            return self.access_url
        return f"sqlite:///{quote(str(self.data_folder / 'access.sqlite'))}"

    @property
    def oidc_issuers(self) -> tuple[str, ...]:
        """The issuers of identity providers."""
        return tuple(self.oidc_issuer.split())

    @property
    def oidc_audiences(self) -> tuple[str, ...]:
        """The audiences of tokens that count here."""
        return tuple(self.oidc_audience.split())


def load_settings() -> Settings:
    """Read the environment once.

    Raises:
        SettingError: a variable has an invalid value; the message names both.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        field = "_".join(str(part) for part in first["loc"])
        name = f"FINOPS_{field.upper()}"
        raise SettingError(
            f"{name} is {first['input']!r}", EXPECTED_VALUES[field], f"Change or unset {name}"
        ) from error


def secret_variable(tenant: str, name: str) -> str:
    """Return the environment variable that has a tenant's secret.

    Two underscores stand between the names: neither can begin or end with a hyphen, and the second
    has no two hyphens side by side, so that no two tenants share a variable.
    """
    words = [word.upper().replace("-", "_") for word in (tenant, name)]
    return f"FINOPS_SECRET__{words[0]}__{words[1]}"


def read_secret(tenant: str, name: str) -> str:
    """Read a tenant's secret from the environment.

    Raises:
        SettingError: it is not set; the message names the variable.
    """
    variable = secret_variable(tenant, name)
    secret = os.environ.get(variable, "").strip()
    if not secret:
        raise SettingError(
            f"{variable} is not set",
            f"the secret {name!r} of tenant {tenant}",
            f"Set {variable} for the processes that send its messages",
        )
    return secret


def command_path() -> dict[str, str]:
    """Return the environment for a command that receives messages: where programs are, no more."""
    return {"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC", "LANG": "C.UTF-8"}


def worker_environment() -> dict[str, str]:
    """Return the environment for the process of a query: no credentials, and nothing private."""
    libraries = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    return {"TZ": "UTC", **{name: os.environ[name] for name in libraries if name in os.environ}}


def command_environment(settings: Settings) -> dict[str, str]:
    """Return the environment for a `finops` command on the same installation as this process."""
    stated = {name: getattr(settings, name) for name in settings.model_fields_set}
    own = {f"FINOPS_{name.upper()}": str(value) for name, value in stated.items()}
    return {**os.environ, **own, "FINOPS_DATA": str(settings.data_folder)}


def child_environment(dagster_home: Path) -> dict[str, str]:
    """Return the environment for a Dagster process: this one, with telemetry off.

    Args:
        dagster_home: folder of the Dagster instance, unless DAGSTER_HOME is set already.

    Raises:
        SettingError: DAGSTER_HOME is set, but is not the absolute path of a folder.
    """
    home = os.environ.get("DAGSTER_HOME", "")
    if home and not (Path(home).is_absolute() and Path(home).is_dir()):
        raise SettingError(
            f"DAGSTER_HOME is {home!r}",
            "the absolute path of an existing folder",
            "Create the folder, or unset DAGSTER_HOME",
        )
    child = {**os.environ, "DAGSTER_DISABLE_TELEMETRY": "yes"}
    child.setdefault("DAGSTER_HOME", str(dagster_home))
    return child
