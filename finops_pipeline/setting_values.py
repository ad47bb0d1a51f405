"""What each setting may be, in words, for the message about a value that is refused.

Put here: one line for each field of `Settings`. Keep out: reading the environment (settings.py).
"""

from __future__ import annotations

EXPECTED_VALUES = {
    "data": "a folder",
    "registry_url": "a SQLAlchemy URL",
    "access_url": "a SQLAlchemy URL",
    "oidc_issuer": "a URL that begins with https://, or several separated by spaces",
    "oidc_audience": "a client id, or several separated by spaces",
    "oidc_client": "a client id, or several separated by spaces",
    "oidc_client_secret": "a secret, or several separated by spaces",
    "public_url": "a URL with https and without a path, such as https://finops.acme.example",
    "session_idle_minutes": "a whole number of minutes, 5 or more",
    "session_hours": "a whole number of hours, 1 or more",
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
    "serve_exports": "a whole number, 1 or more",
    "serve_exports_per_tenant": "a whole number, 1 or more",
    "serve_limited_files": "a whole number, 1 or more",
    "serve_limited_files_at_once": "a whole number, 1 or more",
    "serve_wait_seconds": "a number of seconds, 0 or more",
    "serve_idle_memory": "a number with a unit, such as 4GB or 512MiB",
    "serve_answer_memory": "a number with a unit, such as 64MB or 1GiB",
    "require_landlock": "true or false",
    "serve_requests_per_minute": "a whole number, 1 or more",
    "serve_ingests": "a whole number from 0 to 100",
    "serve_ingests_per_hour": "a whole number from 1 to 20",
    "serve_sign_ins_per_minute": "a whole number, 1 or more",
    "serve_requests_per_minute_per_tenant": "a whole number, 1 or more",
    "tenant_services": "a whole number, 1 or more",
    "tenant_tokens": "a whole number, 1 or more",
    "lock_wait_seconds": "a number of seconds, 0 or more",
    "cost_explorer_requests": "a whole number, 0 or more",
    "reader_grace_hours": "a number of hours, 0 or more",
    "superseded_limit_bytes": "a whole number of bytes, 0 or more",
    "group_readable": "true or false",
    "log_format": "text or json",
}
"""Setting -> its allowed values, for messages."""
