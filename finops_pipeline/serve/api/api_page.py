"""docs/api.md as text: what the API offers, with an example of every request.

Put here: the text of the page. Keep out: writing it (cli/pages.py), the OpenAPI document itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from finops_pipeline.contracts.dictionary import markdown_table
from finops_pipeline.serve.api.endpoint_table import PREFIX, Endpoint, endpoints
from finops_pipeline.serve.api.openapi_document import openapi_document
from finops_pipeline.serve.api.problem_details import KINDS
from finops_pipeline.serve.api.verified_route import AdminRoute, AnalystRoute, PrincipalRoute

_OPENING = """\
# HTTP API

`finops serve` answers questions about costs over HTTP. This page is generated from the API's
OpenAPI document by `make docs`, and a test sends every example.

```sh
finops serve
finops token create acme/reports --role viewer
curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/v1/tenants
```

The server listens on 127.0.0.1 only, unless `--host` says otherwise; its connections are not
encrypted, so put a proxy with TLS in front of it. It must speak HTTP/1.1 to the server (in nginx:
`proxy_http_version 1.1;`), or exports are refused. `http://127.0.0.1:8000/openapi.json` describes
every request and answer. Ctrl-C or SIGTERM ends the server after the running answers.

- **Access.** Who may see what is checked for each request before anything else of it is read. A
  tenant that is not open to you and one that does not exist give the same answer. A grant that is
  limited to projects shows only these projects, in every answer. Every answer is recorded in the
  tenant's audit log before it leaves.
- **Browsers.** People can [sign in](access.md) at `/login` instead of
  sending a token. With the cookie of a session, every method but GET needs the header
  `X-CSRF-Token`.
- **Amounts** are exact decimal numbers as text: `"1250.75"`. Currencies are never added up.
- **Other values of SQL.** Integers are numbers with all digits. Days and times are ISO 8601 (an
  infinite one is the first or last day of the years 1 to 9999); intervals and nanoseconds are text
  as DuckDB writes it. Bytes are hexadecimal, and keys of maps are text. NaN and infinite numbers
  are null.
- **Pages.** Lists have at most `page_size` rows. `next_cursor` is the parameter `cursor` of the
  next page. It belongs to you, to this request and to this state of the data; when the data has
  changed, begin again.
- **Unchanged answers.** Every answer to a GET has an `ETag`. Send it as `If-None-Match`, and the
  answer is 304 as long as the data is the same.
- **Limits.** A principal may send FINOPS_SERVE_REQUESTS_PER_MINUTE requests in a minute, and all
  principals of a tenant FINOPS_SERVE_REQUESTS_PER_MINUTE_PER_TENANT. Queries have the limits of
  `finops query` ([settings](settings.md)). An answer to SQL has at most `limit` rows and 20 MB;
  `truncated` says that there are more. No principal runs all queries that its tenant may run at
  the same time. Previews and trials of rules end after FINOPS_QUERY_SECONDS, one of a tenant at a
  time. Ingests of a tenant can be requested FINOPS_SERVE_INGESTS_PER_HOUR times. `/login` has
  FINOPS_SERVE_SIGN_INS_PER_MINUTE. 429 and 503 have the header `Retry-After`.
- **Exports** keep no query waiting, however slowly they are read. A tenant may have
  FINOPS_SERVE_EXPORTS_PER_TENANT at the same time, and a principal half of them. A client that
  takes nothing for a minute loses its export. Each portion is sent only if the caller still has
  the access; otherwise the connection ends before the answer is complete.
- **Memory.** The server holds one message per answer that is being read, of at most 16 MB. With the
  default settings that is 24 answers (FINOPS_SERVE_QUERIES and FINOPS_SERVE_EXPORTS): about 0.3 GB
  for ordinary rows, and 5 GB if every message is as large as possible and full of small numbers.
  The processes of queries have their own limit (FINOPS_QUERY_MEMORY).
- **Numbers that are not final.** `unreconciled` (in costs: `months`) names the months that are not
  reconciled with the bill.
- **Changes.** Administrators declare projects and rules, enter invoices and ask for an ingest. A
  change is made at once or refused, and its entry in the audit log is older than the change. If
  another process is writing, the answer is 503 with `Retry-After`. Charges move with the next
  ingest. If a declaration file of whoever runs the server names the same project or has a section
  `dimensions`, the next `finops apply` sets again what the file says.
- **Operation.** `/healthz` says that the process answers, `/readyz` that access can be verified,
  and `/metrics` has counters for Prometheus, by route and never by tenant. Each answer has an
  `X-Request-ID`, which is also in the log and in the audit log. To use your own, send 8 to 64
  letters, digits, `.`, `_` or `-`.
"""

_PROBLEMS = """\
## Problems

Every error is a problem document (RFC 9457) with the media type `application/problem+json`:

```json
{
  "type": "urn:finops:problem:not-found",
  "title": "There is no such tenant, or it is not open to you",
  "status": 404,
  "detail": "All three of the following as sentences",
  "found": "no tenant of this name is open to you",
  "expected": "one of the tenants that GET /v1/tenants lists",
  "cure": "Check the name, or ask an administrator of the tenant for access",
  "request_id": "3f8a2c0e9b7d4f51a6c2e8d90b1f7a34"
}
```
"""


def api_page() -> str:
    """Return docs/api.md as text."""
    document = openapi_document()
    sections = [_section(endpoint, document) for endpoint in endpoints()]
    rows = [(str(kind.status), f"`{kind.type}`", kind.title) for kind in KINDS]
    table = markdown_table(("status", "type", "title"), rows)
    return "\n".join([_OPENING, *sections, _PROBLEMS, table, ""])


def example_command(endpoint: Endpoint) -> str:
    """Return the example of an endpoint as a command."""
    words = ['curl -H "Authorization: Bearer $TOKEN"']
    is_default = endpoint.method == ("POST" if endpoint.body else "GET")
    if not is_default:
        words.append(f"-X {endpoint.method}")
    if endpoint.body:
        words.append(f"-H 'Content-Type: application/json' -d '{endpoint.body}'")
    words.append(f"'http://127.0.0.1:8000{PREFIX}{endpoint.example}'")
    return " ".join(words)


def _section(endpoint: Endpoint, document: dict[str, Any]) -> str:
    operation = document["paths"][PREFIX + endpoint.path][endpoint.method.lower()]
    lines = [
        f"## {endpoint.method} {PREFIX}{endpoint.path}",
        "",
        operation["description"].strip(),
        "",
        f"For {_readers(endpoint.route)}.",
        "",
    ]
    if parameters := list(_parameters(operation, document)):
        lines += [markdown_table(("parameter", "values", "meaning"), parameters), ""]
    return "\n".join([*lines, "```sh", example_command(endpoint), "```", ""])


def _readers(route: type[PrincipalRoute]) -> str:
    if issubclass(route, AdminRoute):
        return "administrators of the tenant"
    if issubclass(route, AnalystRoute):
        return "analysts and administrators of the tenant"
    is_for_all = route is PrincipalRoute
    return "everybody who is signed in or has a token" if is_for_all else "all roles of the tenant"


def _parameters(
    operation: dict[str, Any], document: dict[str, Any]
) -> Iterator[tuple[str, str, str]]:
    """Yield name, values and meaning of the parameters, or of the fields of the body."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query":
            schema = parameter["schema"]
            meaning = parameter.get("description", "")
            yield f"`{parameter['name']}`", _values(schema, document), meaning
    if "requestBody" in operation:
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        properties = _resolve(reference, document)["properties"]
        for name, schema in properties.items():
            yield f"`{name}`", _values(schema, document), schema.get("description", "")


def _values(schema: dict[str, Any], document: dict[str, Any]) -> str:
    """Return what a value may be, in a few words."""
    if "$ref" in schema:
        return _values(_resolve(schema["$ref"], document), document)
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        parts = [_values(part, document) for part in schema["anyOf"] if part.get("type") != "null"]
        return " or ".join(parts)
    kind = str(schema.get("type", "object"))
    if kind == "array":
        return f"list of {_values(schema.get('items', {}), document)}"
    if "minimum" in schema and "maximum" in schema:
        return f"{schema['minimum']} to {schema['maximum']:,}"
    return {"string": "text", "integer": "whole number", "boolean": "true or false"}.get(kind, kind)


def _resolve(reference: str, document: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = document["components"]["schemas"][reference.rpartition("/")[2]]
    return schema
