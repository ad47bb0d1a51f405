"""Requests of somebody who wants what is not theirs, and what every response must be.

Put here: choosing hostile requests, and checking responses. Keep out: who has which grant
(test_api_isolation.py).
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from finops_pipeline.serve.access.verified_access import Permission
from finops_pipeline.serve.api.endpoint_table import endpoints
from tests.support.marked_tenants import PROJECTS, TENANTS

UNKNOWN_TENANT = "initech"
OF_TENANT = [endpoint for endpoint in endpoints() if "{tenant}" in endpoint.path]
READING = [e for e in OF_TENANT if e.method == "GET" or e.action in ("costs", "sql")]
COSTS = next(e for e in READING if e.action == "costs" and e.method == "GET")
TABLES = ("costs", "monthly_costs", "daily_costs", "monthly_bill", "projects", "accounts",
          "data_status", "tag_costs", "quarantine", "reconciliation")  # fmt: skip
FIELDS = ("project", "service", "account", "environment", "business_unit", "resource",
          "usage_type", "region", "tag:Team")  # fmt: skip
SQL = (
    "select * from costs",
    "select * from monthly_costs",
    "select project, sum(BilledCost) as c from costs group by all",
    "select x_TagKeys, Tags, ResourceId, ServiceName from costs",
    "select * from delivery_history",
    "select * from data_status",
    "select * from partition_files",
    "select * from projects",
    "select * from about",
    "select * from information_schema.tables",
    "show tables",
    "summarize costs",
    "from {other}.main.costs",
    "from '../tenant={other}/costs/*/*/*.parquet'",
    "select * from costs where ResourceId = 'i-{marker}'",
    "select * from query_table('costs')",
)
HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"X-Tenant": "{other}"},
    {"X-Forwarded-User": "{other}/admin", "X-Forwarded-For": "127.0.0.1"},
    {"X-Original-URL": "/v1/tenants/{other}/costs"},
    {"X-HTTP-Method-Override": "DELETE"},
    {"X-Request-Id": "asked.{marker}"},
    {"Accept": "text/html", "Accept-Language": "{marker}"},
    {"Cookie": "session={marker}; tenant={other}"},
    {"If-None-Match": "*"},
    {"Range": "bytes=0-10"},
    {"Host": "{other}.example"},
)


_CHOSEN_ID = re.compile(r"asked\.mk[0-9a-f]{12}")


@dataclass(frozen=True)
class HostileRequest:
    """A request before it is sent."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None

    @property
    def text(self) -> str:
        """Everything that the caller wrote, and so knows."""
        return f"{self.path} {self.headers} {self.body}"


class Attacker:
    """Chooses requests at random.

    Args:
        random: the source of every choice.
        marker: a marker that the attacker has heard of; every request may mention it.
    """

    def __init__(self, random: random.Random, marker: str) -> None:
        self._random, self._marker = random, marker

    def choose(self, tenant: str) -> HostileRequest:
        """Choose a request to the addresses of a tenant."""
        other = next(name for name in TENANTS if name != tenant)
        endpoint = self._random.choice(READING if self._random.random() < 0.85 else OF_TENANT)
        if self._random.random() < 0.25:  # it has the most ways to name what is not one's own
            endpoint = COSTS
        path = endpoint.path.format(
            tenant=self._spelled(tenant), table=self._random.choice(TABLES), prefix="fow_AAAAAAAA",
            project=self._random.choice([*PROJECTS]), rule="web-team", request_id=self._marker,
        )  # fmt: skip
        headers = {
            name: value.format(other=other, marker=self._marker)
            for name, value in self._random.choice(HEADERS).items()
        }
        method = endpoint.method
        if self._random.random() < 0.05:
            method = self._random.choice(("PUT", "PATCH", "HEAD", "OPTIONS", "DELETE", "GET"))
        if method == "GET":
            return HostileRequest(method, path + self._query(endpoint.action), headers)
        return HostileRequest(method, path, headers, self._body(endpoint.action, other))

    def _spelled(self, tenant: str) -> str:
        if self._random.random() < 0.85:
            return tenant
        return self._random.choice(
            (
                tenant.upper(),
                f"{tenant}%20",
                f"{tenant}%00",
                f"%2e%2e%2f{tenant}",
                f"..%2f{tenant}",
                f"{tenant}/../{tenant}",
                quote(tenant.replace("a", "\u0430")),
                f"{tenant};x=y",
                "".join(f"%{ord(letter):02x}" for letter in tenant),
            )
        )

    def _query(self, action: str) -> str:
        if action == "costs":
            parameters = [("last", "6 months"), ("group_by", self._random.choice(FIELDS))]
            if self._random.random() < 0.5:
                name = self._random.choice(("project", "service", "account", "environment"))
                parameters.append((name, self._random.choice((*PROJECTS, self._marker))))
        elif action == "export":
            parameters = [("format", self._random.choice(("csv", "arrow")))]
        elif action == "drivers":
            parameters = [("by", self._random.choice(("service", "project", "usage_type")))]
        else:
            parameters = [("page_size", str(self._random.choice((1, 2, 100))))]
        if self._random.random() < 0.1:
            parameters.append((self._random.choice(("tenant", "cursor", "x")), self._marker))
        return "?" + "&".join(f"{name}={quote(value)}" for name, value in parameters)

    def _body(self, action: str, other: str) -> Any:
        if action == "sql":
            sql = self._random.choice(SQL).format(other=other, marker=self._marker)
            return {"sql": sql, "limit": 200}
        if action == "costs":
            fields = self._random.sample(FIELDS, 2)
            return {"last": "6 months", "group_by": fields, "limit": 50}
        return {"principal": f"{other}/one", "role": "admin"}


def needed_for(path: str) -> Permission:
    """What the caller's role must permit before anything at an address is answered."""
    resource = path.split("/")[4:5]
    if resource == ["sql"]:
        return Permission.QUERY
    is_administration = resource in (["audit"], ["grants"], ["tokens"])
    return Permission.ADMINISTER if is_administration else Permission.READ


def text_of(response: httpx.Response) -> str:
    """Everything of a response, bytes that are no text included.

    Without the request ids that callers chose: the audit log shows a tenant's administrators what
    those with a grant in it have sent, whatever else they know.
    """
    headers = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
    text = f"{response.status_code}\n{headers}\n{response.content.decode('latin-1')}"
    return _CHOSEN_ID.sub("", text)
