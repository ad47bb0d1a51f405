"""Every expected error, and every crash, is reported in one shape."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from finops_pipeline import errors
from finops_pipeline.errors import FinopsError, SettingError, Transient, counted, error_body
from finops_pipeline.settings import Settings, load_settings
from tests.support.globex import finops

FIELDS = ["type", "kind", "found", "expected", "cure", "is_transient"]


def error_tree(root: type[FinopsError] = FinopsError) -> Iterator[type[FinopsError]]:
    yield root
    for child in root.__subclasses__():
        yield from error_tree(child)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = {
        line.split()[0]
        for line in (errors.__doc__ or "").replace("│", " ").split("FinopsError\n")[1].splitlines()
        if line.strip(" ├└─")
        for line in [line.strip(" ├└─")]
    }
    declared = {error.__name__ for error in error_tree() if error.__module__ == errors.__name__}
    assert drawn == declared - {"FinopsError"}


@pytest.mark.parametrize("kind", sorted(error_tree(), key=lambda kind: kind.__name__))
def test_every_expected_error_has_the_shape(kind: type[FinopsError]) -> None:
    body = error_body(kind("it is red.", "blue", "Paint it"))
    assert list(body) == ["error"]
    assert list(body["error"]) == FIELDS
    assert body["error"] == {
        "type": kind.__name__,
        "kind": "refused",
        "found": "it is red.",
        "expected": "blue",
        "cure": "Paint it",
        "is_transient": issubclass(kind, Transient),
    }
    assert json.loads(json.dumps(body)) == body


@pytest.mark.parametrize("kind", [AttributeError, TypeError, LookupError, ArithmeticError])
def test_a_crash_has_the_shape_and_shows_no_value(kind: type[Exception]) -> None:
    body = error_body(kind("12.34 EUR of acme"))
    assert list(body["error"]) == FIELDS
    assert body["error"]["kind"] == "crashed"
    assert body["error"]["type"] == kind.__name__
    assert body["error"]["is_transient"] is False
    assert "finops version" in body["error"]["cure"]
    assert "traceback" in body["error"]["cure"]
    assert "12.34" not in json.dumps(body)


@pytest.mark.parametrize(
    ("number", "nouns", "text"),
    [
        (0, ("row",), "0 rows"),
        (1, ("row",), "1 row"),
        (2, ("line item",), "2 line items"),
        (1, ("rule is broken", "rules are broken"), "1 rule is broken"),
        (3, ("rule is broken", "rules are broken"), "3 rules are broken"),
    ],
)
def test_a_count_agrees_with_its_noun(number: int, nouns: tuple[str, ...], text: str) -> None:
    assert counted(number, *nouns) == text


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_wrong_setting_is_reported_in_plain_english(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ("oidc_audience", "oidc_client", "smtp_host", "smtp_user", "smtp_password")
    is_any_text = name.startswith((*texts, "alert_rules"))
    if is_any_text or name in ("data", "registry_url", "access_url", "prices"):
        return
    variable = f"FINOPS_{name.upper()}"
    monkeypatch.setenv(variable, "many")
    with pytest.raises(SettingError) as refused:
        load_settings()
    assert refused.value.found == f"{variable} is 'many'"
    assert refused.value.expected.startswith(("a ", "text or json", "true or false"))
    assert refused.value.cure == f"Change or unset {variable}"


@pytest.mark.parametrize("sender", ["fin..ops@acme.example", "finops@acme..example", "ü@a.example"])
def test_a_sender_that_is_no_mail_address_is_refused(
    sender: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINOPS_SMTP_FROM", sender)
    with pytest.raises(SettingError, match="FINOPS_SMTP_FROM"):
        load_settings()


@pytest.mark.parametrize("home", ["relative", "/nonexistent/dagster"])
def test_a_wrong_dagster_home_is_reported_before_dagster_starts(
    home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", home)
    code, output = finops("demo")
    assert code == 1 and f"DAGSTER_HOME is '{home}'" in output and "unset DAGSTER_HOME" in output
