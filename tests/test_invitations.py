"""What the administrator of one tenant learns about people: what they typed, and nothing else.

Put here: invitations by e-mail address through the API, with people that the installation knows
and others. Keep out: signing in (test_oidc*.py), grants in general (test_api_grants.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from finops_pipeline.errors import PermissionMissing
from finops_pipeline.serve.access.access_administration import AccessAdministration
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.grants import NewGrant
from finops_pipeline.serve.access.people import find_invited
from finops_pipeline.serve.access.principals import Identity, Principal, PrincipalState
from finops_pipeline.serve.access.verified_access import Permission, Role
from tests.conftest import TemporaryInstallation
from tests.support.served_tenants import TENANTS, ServedTenants, serve_tenants

ISSUER = "https://login.example"
UNKNOWN, KNOWN, NAMESAKE, DISABLED = (
    f"{name}@people.example" for name in ("carol", "alice", "bobby", "daves")
)
"""Nobody; a person under another name; an address that is another principal's name; a disabled
person. The addresses have the same length, so that answers can be compared as text."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedTenants]:
    folder = tmp_path_factory.mktemp("invitations")
    made = TemporaryInstallation(folder / "data")
    path = folder / "tenants.yaml"
    path.write_text(yaml.safe_dump({"tenants": [{"name": name} for name in TENANTS]}))
    made.apply(path)
    settings = {"oidc_issuer": ISSUER, "oidc_audience": "finops"}
    with serve_tenants(made.data, **settings) as served:
        managed = AccessAdministration(AccessControl(served.installation), Actor.command_line())
        managed.add_principal("alice-of-globex", Identity(ISSUER, email=KNOWN))
        managed.add_principal(NAMESAKE, Identity("https://other.example", subject="elsewhere"))
        managed.add_principal("dave-of-globex", Identity(ISSUER, email=DISABLED))
        for name in ("alice-of-globex", NAMESAKE, "dave-of-globex"):
            managed.give("globex", name, NewGrant(Role.ADMIN))
        managed.set_state("dave-of-globex", PrincipalState.DISABLED)
        yield served


def ask(served: ServedTenants, method: str, path: str, body: Any = None) -> tuple[int, str]:
    answer = served.send(method, f"/tenants/acme{path}", "acme-admin", json=body)
    return answer.status_code, answer.text


def newest(served: ServedTenants, after: int) -> list[dict[str, Any]]:
    rows = served.get(f"/tenants/acme/audit?after={after}", "acme-admin").json()["rows"]
    own = ("action", "outcome", "principal", "projects", "rows", "detail")
    return [{name: row[name] for name in own} for row in rows]


def count(served: ServedTenants) -> int:
    return len(served.get("/tenants/acme/audit?page_size=999", "acme-admin").json()["rows"]) + 1


def everything_seen(served: ServedTenants, address: str) -> list[Any]:
    """All answers of an invitation, its change and its end, without the address and times."""
    after = count(served)
    invitation = {"principal": address, "role": "viewer"}
    seen: list[Any] = [
        ask(served, "DELETE", f"/grants?principal={address}")[0],
        ask(served, "POST", "/grants", invitation),
    ]
    listed = served.get("/tenants/acme/grants", "acme-admin").json()["rows"]
    seen += [{**row, "created_at": ""} for row in listed]
    seen += [ask(served, "POST", "/grants", {**invitation, "role": "analyst"})]
    seen += [ask(served, "GET", "/tokens")[0]]
    invited = invited_person(served, address)
    with pytest.raises(PermissionMissing):
        # What an active person does is in the log; that of a disabled one never gets so far.
        act_as(served, invited, address)
    seen += [ask(served, "DELETE", f"/grants?principal={address.upper()}")]
    return [str(entry).replace(address, "ADDRESS") for entry in [*seen, *newest(served, after)]]


def invited_person(served: ServedTenants, address: str) -> Principal:
    with served.services.access.store.reading() as db:
        assert db is not None
        person = find_invited(db, Identity(ISSUER, email=address))
    assert person is not None
    return person


def act_as(served: ServedTenants, person: Principal, address: str) -> None:
    if address == DISABLED:
        raise PermissionMissing("a disabled person has no access")
    served.services.access.authorize(person, "acme", Permission.ADMINISTER)


@pytest.mark.parametrize("address", [KNOWN, NAMESAKE, DISABLED])
def test_an_invitation_says_the_same_for_everybody(served: ServedTenants, address: str) -> None:
    unknown = everything_seen(served, UNKNOWN.replace("carol", f"x{address[1:5]}"))
    known = everything_seen(served, address)
    if address == DISABLED:
        unknown = [entry for entry in unknown if "authorize administer" not in entry]
    assert known == unknown
    assert "ADDRESS" in str(known)
    assert "of-globex" not in str(known)
    log = served.get("/tenants/acme/audit?page_size=999", "acme-admin").text
    assert "of-globex" not in log


def test_the_command_line_sees_the_own_name(served: ServedTenants) -> None:
    assert ask(served, "POST", "/grants", {"principal": KNOWN, "role": "viewer"})[0] == 204
    managed = AccessAdministration(AccessControl(served.installation), Actor.command_line())
    names = [grant.principal for grant in managed.grants("acme")]
    assert "alice-of-globex" in names
    managed.take("acme", "alice-of-globex")
    assert KNOWN not in ask(served, "GET", "/grants")[1]
    names = [grant.principal for grant in managed.grants("globex")]
    assert "alice-of-globex" in names
