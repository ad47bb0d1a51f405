"""The only reader of the environment: typed, frozen, documented.

Put here: the settings of an installation, each with a default and one sentence (docs/settings.md
is generated from them). Keep out: anything that belongs to one tenant (that is registry data),
and what a value may be, in words (setting_values.py).
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from finops_pipeline.errors import SettingError
from finops_pipeline.setting_values import EXPECTED_VALUES

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
    oidc_client: str = Field(
        default="",
        description=(
            "Client ids with which people sign in in a browser, separated by spaces: one for each"
            " issuer, in the same order. Empty: no sign-in in a browser."
        ),
    )
    oidc_client_secret: str = Field(
        default="",
        repr=False,
        description=(
            "Secrets of these clients, in the same order; - for one without a secret. Empty: none"
            " of them has one."
        ),
    )
    public_url: str = Field(
        default="",
        pattern=r"^(https://[^\s/?#@,]+|http://(127\.0\.0\.1|localhost)(:\d+)?)?$",
        description=(
            "URL at which browsers reach `finops serve`, such as https://finops.acme.example. The"
            " identity provider sends people back to its address /login/callback."
        ),
    )
    session_idle_minutes: int = Field(
        default=60,
        ge=5,
        description="Minutes after which a session of a browser ends if it is not used.",
    )
    session_hours: int = Field(
        default=12, ge=1, description="Hours after which a session of a browser ends in any case."
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
        default=4, ge=1, description="Queries of one tenant that a server answers at the same time."
    )
    serve_exports: int = Field(
        default=16,
        ge=1,
        description="Exports that a server sends at the same time, each from a process of its own.",
    )
    serve_exports_per_tenant: int = Field(
        default=4, ge=1, description="Exports of one tenant that a server sends at the same time."
    )
    serve_limited_files: int = Field(
        default=32,
        ge=1,
        description=(
            "Files of some projects that a server keeps for each tenant: one for each set of"
            " projects to which a grant is limited."
        ),
    )
    serve_limited_files_at_once: int = Field(
        default=2,
        ge=1,
        description="Files of some projects that a server writes at the same time.",
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
    serve_ingests: int = Field(
        default=1,
        ge=0,
        le=100,
        description="Requested ingests that a server runs at once; 0: another program does it.",
    )
    serve_ingests_per_hour: int = Field(
        default=12,
        ge=1,
        le=20,
        description="Ingests of one tenant that may be requested over the API in an hour.",
    )
    serve_sign_ins_per_minute: int = Field(
        default=120,
        ge=1,
        description=(
            "Requests to /login and /login/callback from one address in a minute; from all, ten"
            " times as many. Behind a proxy, everybody has its address."
        ),
    )
    serve_requests_per_minute_per_tenant: int = Field(
        default=3000,
        ge=1,
        description="Requests that all principals of a tenant may send to a server in a minute.",
    )
    tenant_services: int = Field(
        default=100, ge=1, description="Services of one tenant that may be active at the same time."
    )
    tenant_tokens: int = Field(
        default=500,
        ge=1,
        description="Tokens of one tenant's services that may be valid at the same time.",
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
