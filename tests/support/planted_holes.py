"""Holes that a careless change could make, and the tests that must find each of them.

Put here: the table: which text of the package becomes which, and what is run. Keep out: copying the
package and running the tests (holed_package.py).

The tests are the fewest that find the hole, and none was written for it: they belong to the suite.
"""

from __future__ import annotations

from dataclasses import dataclass

RANDOM = (
    "test_api_isolation.py::test_no_response_has_anything_of_another_tenant_or_outside_of_the_grant"
)
"""The state machine of hostile requests."""

_LOGS = "test_api_access.py::test_logs_and_metrics_say_nothing_about_data"


@dataclass(frozen=True)
class Edit:
    """One text of a file of the package and what it becomes. The old text is there exactly once."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Hole:
    """A planted hole.

    Args:
        name: what is wrong.
        edits: how it is planted.
        caught_by: the test of the suite that must fail.
    """

    name: str
    edits: tuple[Edit, ...]
    caught_by: str = RANDOM


def _hole(name: str, file: str, old: str, new: str, caught_by: str = RANDOM) -> Hole:
    return Hole(name, (Edit(file, old, new),), caught_by)


_AUTHORIZATION = "serve/access/authorization.py"
_TOKENS = "serve/access/tokens.py"
_SEAL = "serve/api/sealed_values.py"
_OIDC = "serve/access/oidc_tokens.py"
_FIND = "find_grant(db, principal.principal_id, tenant_id, valid)"

HOLES = (
    _hole(
        "a grant in any tenant opens every tenant",
        _AUTHORIZATION,
        f"grant = {_FIND} if db else None",
        "grant = next(iter(grants_of_principal(db, principal.principal_id)), None) if db else None",
    ),
    Hole(
        "a grant is remembered past its end",
        (
            Edit(_AUTHORIZATION, '_NO_TENANT = "-"', '_NO_TENANT = "-"\n_GRANTS = {}'),
            Edit(
                _AUTHORIZATION,
                f"grant = {_FIND} if db else None",
                "key = (principal.principal_id, tenant_id)\n"
                f"            grant = _GRANTS.get(key) or _GRANTS.setdefault(key, {_FIND})",
            ),
        ),
    ),
    _hole(
        "a grant whose projects are gone shows the whole tenant",
        "serve/access/grants.py",
        "if p.identity.project_id in self.project_ids]",
        "if p.identity.project_id in self.project_ids] or None",
        "test_access.py::test_limits_follow_the_registry_and_never_become_everything",
    ),
    _hole(
        "a viewer may run SQL",
        "serve/api/verified_route.py",
        "needed = Permission.QUERY",
        "needed = Permission.READ",
    ),
    _hole(
        "a token is compared by its first characters",
        _TOKENS,
        "is_same = hmac.compare_digest(row.token_hash if row else _NO_HASH, _hash_of(secret))",
        "is_same = row is not None",
    ),
    _hole(
        "an expired token is accepted",
        _TOKENS,
        'return "expired" if self.expires_at <= clock.now().isoformat() else "active"',
        'return "active"',
        "test_access.py::test_an_expired_token_is_refused_from_its_second_on",
    ),
    _hole(
        "a token of a provider for another program is accepted",
        _OIDC,
        'aud={"essential": True, "values": audiences},',
        'aud={"essential": True},',
        "test_oidc_tokens.py::test_wrong_claims_are_refused",
    ),
    Hole(
        "a token of a provider without a signature is accepted",
        (
            Edit(_OIDC, 'ALGORITHMS = ("RS256",', 'ALGORITHMS = ("none", "RS256",'),
            Edit(
                _OIDC,
                "claims = jwt.decode(text, keys, algorithms=ALGORITHMS).claims",
                "claims = json.loads(jws.extract_compact(text.encode()).payload)"
                " if jws.extract_compact(text.encode()).headers().get('alg') == 'none'"
                " else jwt.decode(text, keys, algorithms=ALGORITHMS).claims",
            ),
        ),
        "test_oidc_tokens.py::test_tokens_that_were_not_signed_by_the_issuer_are_refused",
    ),
    _hole(
        "answers are remembered without tenant and grant",
        "serve/warehouse_pool.py",
        "RememberedAnswers(self._answers, (scope, generation))",
        'RememberedAnswers(self._answers, "")',
    ),
    _hole(
        "answers are remembered without grant and generation",
        "serve/warehouse_pool.py",
        "RememberedAnswers(self._answers, (scope, generation))",
        "RememberedAnswers(self._answers, scope.tenant)",
    ),
    _hole(
        "a process serves every grant of its tenant",
        "serve/open_warehouses.py",
        "if idle.scope == scope)",
        "if idle.scope.tenant == scope.tenant)",
    ),
    _hole(
        "a process answers from data that was replaced",
        "serve/warehouse_pool.py",
        "            if is_current:\n                return idle",
        "            if is_current or idle.sandbox.mark:\n                return idle",
        "test_api_races.py::test_every_answer_is_wholly_of_one_generation",
    ),
    Hole(
        "a cursor is bound to its address only",
        (
            Edit(
                _SEAL,
                'signature = self._sign("cursor", asking.as_text, content)',
                'signature = self._sign("cursor", asking.request, content)',
            ),
            Edit(
                _SEAL,
                'self._sign("cursor", asking.as_text, text)',
                'self._sign("cursor", asking.request, text)',
            ),
        ),
        "test_api_access.py::test_a_cursor_is_of_no_use_to_anybody_else",
    ),
    _hole(
        "an entity tag is bound to its address only",
        _SEAL,
        'self._sign("tag", asking.as_text, f"{day} {generation}")',
        'self._sign("tag", asking.request, day)',
    ),
    _hole(
        "a name may lead to another folder",
        "tenants/names.py",
        "if not isinstance(name, str) or not _NAME.fullmatch(name):",
        "if not isinstance(name, str) or not _NAME.fullmatch(name.rpartition('/')[2]):",
        "test_isolation.py::test_a_name_that_could_lead_elsewhere_is_refused_everywhere",
    ),
    _hole(
        "one table of a limited file has all projects",
        "marts/scoped_tables.py",
        'where {_OWN}"',
        "where {_OWN} or '{name}' = 'resource_daily_costs'\"",
        "test_scoped_files.py::test_no_table_shows_another_project",
    ),
    _hole(
        "one query of a limited file has all projects",
        "marts/scoped/tag_costs.sql",
        "from tag_costs\nwhere list_contains($projects::varchar[], project)\n    and (billing",
        "from tag_costs\nwhere (billing",
        "test_scoped_files.py::test_no_table_shows_another_project",
    ),
    _hole(
        "an export has the whole tenant",
        "serve/api/export_endpoints.py",
        "with data.open_export() as exported:",
        "whole = type(data.access.scope)(data.access.tenant)\n"
        "    with data.services.pool.open_export(whole, '') as exported:",
    ),
    _hole(
        "names in an error come from the tenant that was asked first",
        "serve/questions/question_names.py",
        "        self._read: dict[str, Spellings] = {}",
        "        self._read = FileNames.__dict__.get('shared') or {}\n"
        "        FileNames.shared = self._read",
    ),
    _hole(
        "data is served though the access cannot be recorded",
        "serve/api/data_request.py",
        "        self.record.rows = rows\n        self._record(Outcome.SERVED, rows, detail)\n\n"
        "    def audit_end",
        "        self.record.rows = rows\n        try:\n"
        "            self._record(Outcome.SERVED, rows, detail)\n"
        "        except FinopsError:\n            pass\n\n    def audit_end",
        "test_api_access.py::test_every_access_is_recorded_before_it_leaves",
    ),
    _hole(
        "an access that ended while its answer was read gets the answer",
        "serve/api/data_request.py",
        "        self.verify_again()\n",
        "",
        "test_api_grants.py::test_an_access_that_changes_while_its_answer_is_read_gets_no_answer",
    ),
    _hole(
        "the process of a query may read every folder",
        "serve/confinement.py",
        "allow_reading_only((*readable,",
        'allow_reading_only((*readable, "/",',
        "test_scoped_attacks.py::test_the_kernel_alone_keeps_a_limited_process_inside",
    ),
    _hole(
        "metrics name tenants",
        "serve/api/request_frame.py",
        "self._metrics.end(record, route_of(scope))",
        'self._metrics.end(record, scope["path"])',
        _LOGS,
    ),
    _hole(
        "the log has the addresses of requests",
        "serve/api/request_frame.py",
        "            _log(record, route_of(scope))",
        '            _log(record, scope["path"])',
        _LOGS,
    ),
    _hole(
        "errors about files are given to callers",
        "serve/api/error_problems.py",
        "(FinopsError, DATA_UNAVAILABLE, _NO_DATA),",
        "(FinopsError, DATA_UNAVAILABLE, None),",
        "test_api_grants.py::test_damaged_and_missing_data_are_named_without_paths",
    ),
)
