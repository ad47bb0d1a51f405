"""People sign in with a browser at a real provider, and use the API of `finops serve` by a cookie.

Put here: both as processes, over HTTP. Keep out: providers that misbehave (test_sign_in.py), tokens
in a header (test_oidc_provider.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from finops_pipeline.serve.access.grants import NewGrant
from finops_pipeline.serve.access.principals import Identity, PrincipalState
from finops_pipeline.serve.access.verified_access import Role
from tests.conftest import TemporaryInstallation
from tests.support.browser import parameters_of
from tests.support.browser_site import Site, run_site
from tests.support.published_files import copy_installation

COSTS = {"last": "3 months", "group_by": ["service"]}
SQL = {"sql": "select count(*) as n from monthly_costs"}


@pytest.fixture(scope="module")
def site(built: TemporaryInstallation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Both tenants with data, and people of both."""
    data = tmp_path_factory.mktemp("site") / "data"
    copy_installation(built.data, data)
    with run_site(data) as running:
        yield running


def test_a_person_signs_in_and_sees_the_own_tenant_only(site: Site) -> None:
    alice, carol = site.browser(), site.browser("carol")
    asked = alice.begin("/v1/tenants?a=b")
    sent = parameters_of(asked)
    assert (sent["code_challenge_method"], sent["response_type"]) == ("S256", "code")
    assert all(len(sent[name]) >= 43 for name in ("state", "nonce", "code_challenge"))
    place = alice.visit_provider(asked, "alice")
    done = alice.come_back(place)
    assert (done.status_code, done.headers["location"]) == (303, "/v1/tenants?a=b")
    assert done.headers["cache-control"] == "private, no-store"
    (cookie,) = [c for c in done.headers.get_list("set-cookie") if c.startswith("finops_session=f")]
    assert {"HttpOnly", "SameSite=lax", "Path=/", "Max-Age=43200"} <= set(cookie.split("; "))
    for browser, own, other in ((alice, "acme", "globex"), (carol, "globex", "acme")):
        names = [t["tenant"] for t in browser.client.get("/v1/tenants").json()["tenants"]]
        assert names == [own]
        assert browser.client.get(f"/v1/tenants/{own}/costs?last=3+months").status_code == 200
        for path in ("costs", "audit", "exports/monthly_costs"):
            assert browser.client.get(f"/v1/tenants/{other}/{path}").status_code == 404
        refused = browser.send("POST", f"/v1/tenants/{other}/sql", json=SQL)
        assert refused.status_code == 404
        assert browser.send("POST", f"/v1/tenants/{own}/sql", json=SQL).status_code == 200
    assert alice.client.get("/v1/me").json()["name"] == "alice"
    entry = next(
        e for e in reversed(site.log()) if e.action == "sign in" and e.principal == "alice"
    )
    assert entry.outcome == "changed" and alice.session.startswith(entry.token)
    log = site.server.log
    log.seek(0)
    text = log.read()
    secrets = [*parameters_of(place).values(), sent["nonce"], alice.session, alice.csrf_token()]
    assert "/login/callback" in text
    assert not [secret for secret in secrets if secret in text]


def test_a_request_by_cookie_needs_to_come_from_a_page_of_the_server(site: Site) -> None:
    alice, carol = site.browser("alice"), site.browser("carol")
    own = {"Origin": site.url, "X-CSRF-Token": alice.csrf_token()}
    for path, body in (("costs", COSTS), ("sql", SQL)):
        address = f"/v1/tenants/acme/{path}"
        for wrong in (
            {"Origin": site.url},
            {"X-CSRF-Token": own["X-CSRF-Token"]},
            {**own, "X-CSRF-Token": carol.csrf_token()},
            {**own, "X-CSRF-Token": own["X-CSRF-Token"][:-1]},
            {**own, "X-CSRF-Token": ""},
            {**own, "Origin": "https://evil.example"},
            {**own, "Origin": "null"},
            {**own, "Origin": f"{site.url}.evil.example"},
            {**own, "Origin": site.url.replace("127.0.0.1", "localhost")},
            {**own, "Sec-Fetch-Site": "cross-site"},
            {**own, "Sec-Fetch-Site": "same-site"},
            {**own, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        ):
            refused = alice.client.post(address, json=body, headers=wrong)
            assert refused.status_code == 403, wrong
            assert refused.json()["type"] == "urn:finops:problem:cross-site", wrong
        assert alice.client.post(address, json=body, headers=own).status_code == 200
    for method, path in (
        ("DELETE", "/v1/tenants/acme/tokens/fow_AAAAAAAA"),
        ("POST", "/v1/tenants/acme/grants"),
        ("POST", "/logout"),
    ):
        refused = alice.client.request(method, path)
        assert refused.json()["type"] == "urn:finops:problem:cross-site", path
    assert alice.client.get("/v1/me").status_code == 200, "still signed in"


def test_another_site_cannot_read_with_the_cookie(site: Site) -> None:
    alice = site.browser("alice")
    for headers, status in (
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, 200),
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, 200),
    ):
        answer = alice.client.get("/v1/tenants", headers=headers)
        assert answer.status_code == status, headers
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert alice.client.options("/v1/tenants", headers={"Origin": site.url}).status_code == 405


def test_a_token_decides_alone_and_needs_no_more(site: Site) -> None:
    alice = site.browser("alice")
    bearer = {"Authorization": f"Bearer {site.token}"}
    assert alice.client.get("/v1/me", headers=bearer).json()["name"] == "globex/reports"
    assert alice.client.get("/v1/me", headers=bearer).json()["csrf_token"] is None
    address = "/v1/tenants/globex/costs"
    assert alice.client.post(address, json=COSTS, headers=bearer).status_code == 200
    assert alice.client.get("/v1/tenants/acme/costs", headers=bearer).status_code == 404
    for wrong in ("Bearer fow_" + "A" * 43, "Bearer", "", "Basic YTpi", f"Bearer {alice.session}"):
        refused = alice.client.get("/v1/me", headers={"Authorization": wrong})
        assert refused.status_code == 401, wrong
    text = alice.session.rpartition(".")[0]
    assert httpx.get(f"{site.url}/v1/me", headers={"Authorization": f"Bearer {text}"}).is_error
    assert alice.client.post("/logout", headers=bearer).status_code == 422


def test_a_cookie_that_was_changed_is_no_session(site: Site) -> None:
    alice, carol = site.browser("alice").session, site.browser("carol").session
    text, _, signature = alice.rpartition(".")
    other = carol.rpartition(".")
    for cookie in (
        text,
        f"{text}.",
        f"{text}.{other[2]}",
        f"{other[0]}.{signature}",
        f"{text[:-1]}{'A' if text[-1] != 'A' else 'B'}.{signature}",
        f"{alice}A",
        f"x{alice}",
        text[:12],
        "fos_" + "A" * 43,
        "%00",
        "x" * 3_000,
    ):
        headers = {"Cookie": f"finops_session={cookie}"}
        refused = httpx.get(f"{site.url}/v1/me", headers=headers)
        assert refused.status_code == 401, cookie
    same = httpx.get(f"{site.url}/v1/me", headers={"Cookie": f"a=b; finops_session={alice}"})
    assert same.json()["name"] == "alice"
    for name in ("finops_sessions", "__Host-finops_session", "Finops_session"):
        refused = httpx.get(f"{site.url}/v1/me", headers={"Cookie": f"{name}={alice}"})
        assert refused.status_code == 401, name


def test_signing_in_always_begins_another_session(site: Site) -> None:
    """Whoever has planted a cookie in a browser has nothing when a person signs in there."""
    carol = site.browser("carol")
    planted = carol.session
    victim = site.browser()
    victim.client.cookies.set("finops_session", planted, domain="127.0.0.1", path="/")
    assert victim.sign_in("alice").status_code == 303
    assert victim.session != planted
    assert victim.client.get("/v1/me").json()["name"] == "alice"
    refused = carol.client.get("/v1/me")
    assert refused.status_code == 401, "the earlier session of the browser has ended"
    again = site.browser("alice")
    first = again.session
    again.sign_in("alice")
    assert again.session != first


def test_what_the_provider_sends_back_counts_once_and_in_one_browser(site: Site) -> None:
    victim, attacker = site.browser(), site.browser()
    place = victim.visit_provider(victim.begin(), "alice")
    refused = attacker.come_back(place)
    assert refused.status_code == 403 and not attacker.session
    attacker.begin()
    refused = attacker.come_back(place)
    assert refused.status_code == 403 and not attacker.session
    # The other way round: the victim would be signed in as the attacker.
    planted = attacker.visit_provider(attacker.begin(), "carol")
    refused = victim.come_back(planted)
    assert refused.status_code == 403 and not victim.session
    place = victim.visit_provider(victim.begin(), "alice")
    kept = victim.client.cookies.get("finops_sign_in")
    assert victim.come_back(place).status_code == 303
    assert not victim.client.cookies.get("finops_sign_in")
    assert victim.come_back(place).status_code == 403
    again = site.browser()
    again.client.cookies.set("finops_sign_in", str(kept), domain="127.0.0.1", path="/")
    assert again.come_back(place).status_code == 403 and not again.session
    for name in ("state", "code"):
        browser = site.browser()
        place = browser.visit_provider(browser.begin(), "alice")
        changed = place.replace(parameters_of(place)[name], "A" * 43)
        assert browser.come_back(changed).status_code == 403 and not browser.session
    browser = site.browser()
    place = browser.visit_provider(browser.begin(), "alice")
    assert browser.come_back(f"{place}&state=x").status_code == 422 and not browser.session


def test_a_nonce_of_another_sign_in_is_refused(site: Site) -> None:
    browser = site.browser()
    asked = browser.begin()
    other = asked.replace(parameters_of(asked)["nonce"], "n" * 43)
    refused = browser.come_back(browser.visit_provider(other, "alice"))
    assert refused.status_code == 403 and not browser.session
    assert "it belongs to another sign-in (nonce)" in refused.text


@pytest.mark.parametrize(
    "next_path",
    ["https://evil.example", "//evil.example", "/\\evil.example", "\\/evil.example",
     "javascript:alert(1)", "/\t/evil.example", "/ /evil.example", "evil.example", "",
     " /v1/me", "/v1\r\nX: y", "/é", "/" + "a" * 1_000],
    ids=repr,
)  # fmt: skip
def test_nobody_is_sent_to_another_site(site: Site, next_path: str) -> None:
    refused = httpx.get(f"{site.url}/login", params={"next": next_path})
    assert refused.status_code == 422 and "location" not in refused.headers
    assert refused.json()["found"] == "the parameter next is no path of this server"


def test_what_is_taken_holds_for_the_next_request(site: Site) -> None:
    bob, second = site.browser("bob"), site.browser("bob")
    costs = "/v1/tenants/acme/costs?last=3+months"
    assert bob.client.get(costs).status_code == 200
    site.managed.take("acme", "bob")
    assert bob.client.get(costs).status_code == 404
    assert bob.client.get("/v1/tenants").json()["tenants"] == []
    site.managed.give("acme", "bob", NewGrant(Role.VIEWER))
    assert bob.client.get(costs).status_code == 200
    assert bob.send("POST", "/v1/tenants/acme/sql", json=SQL).status_code == 403
    listed = json.loads(site.installed.finops("session", "list", "bob", "--format", "json").stdout)
    assert [row["person"] for row in listed] == ["bob", "bob"]
    site.installed.finops("session", "end", bob.session[:12])
    refused = bob.client.get(costs)
    assert refused.status_code == 401
    assert refused.json()["found"] == "the session of this browser was ended"
    assert refused.json()["cure"] == "Sign in again at /login"
    assert second.client.get(costs).status_code == 200
    site.managed.set_state("bob", PrincipalState.DISABLED)
    assert second.client.get(costs).status_code == 401
    page = site.browser()
    assert "bob is disabled" in page.sign_in("bob").text
    site.managed.set_state("bob", PrincipalState.ACTIVE)
    assert second.client.get(costs).status_code == 200
    out = site.installed.finops("session", "end", "bob").stdout
    assert out.startswith(f"- session {second.session[:12]} of bob: ended")
    assert second.client.get(costs).status_code == 401
    actions = [(e.action, e.detail[:20]) for e in site.log() if "fos_" in e.detail]
    assert ("session end", f"{bob.session[:12]}… of bob") in actions


def test_signing_out_ends_the_session_everywhere(site: Site) -> None:
    alice = site.browser("alice")
    cookie = alice.session
    done = alice.send("POST", "/logout")
    assert done.status_code == 204 and not alice.session
    for method, path in (("GET", "/v1/me"), ("POST", "/logout")):
        headers = {"Cookie": f"finops_session={cookie}"}
        assert httpx.request(method, f"{site.url}{path}", headers=headers).status_code == 401
    mine = [e for e in site.log() if e.token == cookie[:12]]
    assert [(e.action, e.outcome) for e in mine] == [
        ("sign in", "changed"), ("sign out", "changed"),
        ("authenticate", "refused"), ("authenticate", "refused"),
    ]  # fmt: skip


def test_a_person_without_access_reads_what_to_do(site: Site) -> None:
    for sub, text in (
        ("mallory", "nobody has given you access"),  # bob's address, not verified
        ("stranger", "nobody has given you access"),
    ):
        browser = site.browser()
        page = browser.sign_in(sub)
        assert (page.status_code, browser.session) == (403, "")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert text in page.text and '<a href="/login">' in page.text
    dora = Identity(site.provider, "dora")
    site.managed.add_principal("dora", dora)
    page = site.browser().sign_in("dora")
    assert "you are signed in as dora, but you have access to no tenant" in page.text
    entry = site.log()[-1]
    assert (entry.action, entry.outcome, entry.principal) == ("sign in", "refused", "dora")
    browser = site.browser()
    denied = browser.visit_provider(browser.begin(), "alice", action="deny")
    if "state=" not in denied:  # this provider leaves it out, against the standard
        assert browser.come_back(denied).status_code == 403
