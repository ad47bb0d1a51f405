"""A tenants.yaml that is damaged, hostile or somebody else's: refused at once, without its text.

Put here: the limits of the file. Keep out: rules for what it declares
(test_source_declarations.py).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import TemporaryInstallation

GOOD = """
tenants:
  - name: acme
    projects:
      - &shop
        name: shop
        environment: prod
        business_unit: retail
        accounts: ["111122223333"]
      - <<: *shop
        name: blog
        environment: dev
        accounts: ["222233334444"]
  - name: globex
    projects: [{name: shop, accounts: ["444455556666"]}]
"""
BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
LONG = "n" * 5_000_000
FILES = {
    "a bomb of aliases": (BOMB + "tenants: *a11\n", "stands for more than 5,000,000 values"),
    "an alias of itself": ("tenants: &t\n  - *t\n", "contains itself"),
    "merged with itself": ("tenants: &t\n  <<: *t\n", "contains itself"),
    "deep brackets": ("tenants: " + "[" * 100_000, "exceeded maximum nesting depth"),
    "deep lists": ("tenants:\n" + "- " * 200 + "x\n", "is nested more than 30 deep"),
    "a name of five million letters": (
        f"tenants:\n  - name: {LONG}\n",
        "has 5,000,000 characters in one value, line 2",
    ),
    "a tenant's key twice": (
        "tenants:\n  - name: acme\n    display_name: A\n    display_name: B\n",
        "declares 'display_name' for the second time, line 4",
    ),
    "the whole twice": (
        "tenants:\n  - name: acme\ntenants: []\n",
        "declares 'tenants' for the second time, line 3",
    ),
    "a list as a key": ("tenants:\n  - ? [a, b]\n    : c\n", "is a list or mapping as a key"),
    "text merged": ("tenants:\n  - <<: secret\n", "merges (<<) what is not a mapping, line 2"),
    "an object of Python": (
        "tenants: !!python/object/apply:os.system [secret]\n",
        "has the tag tag:yaml.org,2002:python/object/apply:os.system, line 1",
    ),
    "a value of Python": (
        "tenants: !!python/name:os.system secret\n",
        "is not YAML: could not determine a constructor",
    ),
    "a set": ("tenants: !!set {secret}\n", "has the tag tag:yaml.org,2002:set, line 1"),
    "not text": ("tenants: [\x00]\n", "is not YAML"),
    "open": ("tenants: [secret\n", "is not YAML: did not find expected ',' or ']'"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_no_declaration_is_refused_in_a_sentence(
    empty: TemporaryInstallation, tmp_path: Path, kind: str
) -> None:
    text, problem = FILES[kind]
    path = tmp_path / "tenants.yaml"
    path.write_text(text)
    refused = empty.finops("apply", str(path), ok=False).stderr
    assert problem in refused
    assert str(path) in refused
    assert "secret" not in refused
    assert len(refused) < 500 + len(str(path))
    assert empty.finops("tenant", "list").stdout.count("acme") == 0


@pytest.mark.parametrize(
    "text",
    [
        "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1\n",
        "secret_password\n",
        "[default]\naws_secret_access_key = secret_key\n",
        "- secret: 1\n",
        "secret: {secret: secret}\n",
    ],
)
def test_no_line_of_another_file_is_repeated(
    empty: TemporaryInstallation, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "other"
    path.write_text(text)
    refused = empty.finops("apply", str(path), ok=False).stderr
    assert str(path) in refused
    assert "secret_" not in refused
    assert "bash" not in refused


def test_aliases_and_merged_defaults_are_read(empty: TemporaryInstallation, tmp_path: Path) -> None:
    path = tmp_path / "tenants.yaml"
    path.write_text(GOOD)
    empty.finops("apply", str(path))
    acme, globex = empty.installation.registry.tenants()
    shop, blog = acme.projects[::-1]
    assert (shop.name, shop.environment, blog.name, blog.environment) == (
        "shop", "prod", "blog", "dev",
    )  # fmt: skip
    assert [claim.id for claim in shop.accounts] == ["111122223333"]
    assert [claim.id for claim in globex.projects[0].accounts] == ["444455556666"]
