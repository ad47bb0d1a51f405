"""The only reader of the environment: typed, frozen, documented.

Put here: the settings of an installation, each with a default and one sentence (docs/settings.md
is generated from them). Keep out: anything that belongs to one tenant (that is registry data).
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from finops_pipeline.errors import SettingError

_KEYS = {"tenant", "source", "project", "billing_period"}
"""Partition keys of the lake, which DuckDB reads from any segment of a path."""


_ISSUER = r"(https://|http://(127\.0\.0\.1|localhost)[:/])[^\s?#,]+"


class Settings(BaseSettings):
    """One installation's settings; every field is read from `FINOPS_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="FINOPS_", frozen=True, extra="ignore")

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
    oidc_issuer: str = Field(
        default="",
        pattern=rf"^({_ISSUER}( +{_ISSUER})*)?$",
        description=(
            "Issuer URLs of the identity providers with which people sign in, separated by spaces;"
            " each has a discovery document. Empty: services with tokens only."
        ),
    )
    oidc_audience: str = Field(
        default="",
        description=(
            "Audiences, separated by spaces, of which a provider's token must have one to count"
            " here: usually the client id."
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
        default=10_000_000,
        ge=1,
        description="Rows that the answer to one query may have.",
    )
    query_bytes: int = Field(
        default=10_000_000_000,
        ge=1,
        description="Bytes that the answer to one query may have before it is formatted.",
    )
    serve_workers: int = Field(
        default=64,
        ge=1,
        description="Processes that a server keeps for queries, one per open file of a tenant.",
    )
    serve_queries: int = Field(
        default=8,
        ge=1,
        description="Queries that a server answers at the same time; further ones wait.",
    )
    serve_queries_per_tenant: int = Field(
        default=4,
        ge=1,
        description="Queries of one tenant that a server answers at the same time.",
    )
    serve_wait_seconds: float = Field(
        default=5.0,
        ge=0,
        description="Seconds that a query waits in a server before it is refused as busy.",
    )
    serve_idle_memory: str = Field(
        default="4GB",
        pattern=r"^\d+(\.\d+)?\s?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)$",
        description="Memory that processes of a server may hold between queries, all together.",
    )
    serve_answer_memory: str = Field(
        default="64MB",
        pattern=r"^\d+(\.\d+)?\s?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)$",
        description="Memory for answers that a server gives again if the same is asked.",
    )
    require_landlock: bool = Field(
        default=False,
        description="Refuse queries where the kernel cannot confine them to a tenant's folder.",
    )
    serve_requests_per_minute: int = Field(
        default=600,
        ge=1,
        description="Requests that one principal may send to a server in a minute.",
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
    cloudwatch_metrics: int = Field(
        default=500_000,
        ge=0,
        description=(
            "CloudWatch metrics (USD 0.01 for 1,000) that one run may request for a tenant; each"
            " statistic counts."
        ),
    )
    cloudwatch_days: int = Field(
        default=30,
        ge=1,
        le=455,
        description="Days before today whose CloudWatch metrics are asked for at first.",
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


_EXPECTED = {
    "data": "a folder",
    "registry_url": "a SQLAlchemy URL",
    "access_url": "a SQLAlchemy URL",
    "oidc_issuer": "a URL that begins with https://, or several separated by spaces",
    "oidc_audience": "a client id, or several separated by spaces",
    "first_month": "a month as YYYY-MM, such as 2020-01",
    "memory_limit": "a number with a unit, such as 1GB or 512MiB",
    "threads": "a whole number, 0 or more",
    "query_seconds": "a number of seconds, more than 0",
    "query_cpu_seconds": "a whole number of seconds, 1 or more",
    "query_memory": "a number with a unit, such as 2GB or 512MiB",
    "query_rows": "a whole number, 1 or more",
    "query_bytes": "a whole number of bytes, 1 or more",
    "serve_workers": "a whole number, 1 or more",
    "serve_queries": "a whole number, 1 or more",
    "serve_queries_per_tenant": "a whole number, 1 or more",
    "serve_wait_seconds": "a number of seconds, 0 or more",
    "serve_idle_memory": "a number with a unit, such as 4GB or 512MiB",
    "serve_answer_memory": "a number with a unit, such as 64MB or 1GiB",
    "require_landlock": "true or false",
    "serve_requests_per_minute": "a whole number, 1 or more",
    "lock_wait_seconds": "a number of seconds, 0 or more",
    "cost_explorer_requests": "a whole number, 0 or more",
    "cloudwatch_metrics": "a whole number, 0 or more",
    "cloudwatch_days": "a whole number from 1 to 455",
    "reader_grace_hours": "a number of hours, 0 or more",
    "superseded_limit_bytes": "a whole number of bytes, 0 or more",
    "group_readable": "true or false",
    "log_format": "text or json",
}
"""Setting -> its allowed values, for messages."""


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
            f"{name} is {first['input']!r}", _EXPECTED[field], f"Change or unset {name}"
        ) from error


def worker_environment() -> dict[str, str]:
    """Return the environment for the process of a query: no credentials, and nothing private."""
    libraries = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    return {"TZ": "UTC", **{name: os.environ[name] for name in libraries if name in os.environ}}


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
