"""`python -m finops_pipeline.cli.pages`: writes the generated pages of docs/.

Put here: the page of settings, and the list of generated pages. Keep out: the text of
the data dictionary (contracts/dictionary.py) and of the API (serve/api/api_page.py), pages that
people write.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import typer

from finops_pipeline.contracts.dictionary import MartFacts, data_dictionary, markdown_table
from finops_pipeline.marts.alert_rules_library import shipped_alert_rules
from finops_pipeline.marts.library import head, marts
from finops_pipeline.marts.waste_rules_library import waste_rules
from finops_pipeline.money import plain
from finops_pipeline.serve.api.api_page import api_page
from finops_pipeline.server_settings import ServerSettings
from finops_pipeline.settings import Settings

_OPENING = """\
# Settings

These environment variables configure an installation. This page is generated from
`finops_pipeline/settings.py` by `make docs`, and a test checks that it is up to date.
"""
_CLOSING = """\

Everything that belongs to a single tenant is in the registry instead (`finops apply`).

Dagster has a variable of its own, DAGSTER_HOME, for the folder of its storage. `make dagster` sets
it to `dagster_home` in the checkout. `finops demo` uses it if it is set; otherwise it uses
`dagster_home` in the current folder, or in the data folder if the current folder has none.
"""


def settings_page() -> str:
    """Return docs/settings.md as text: name, default and meaning of every setting."""
    prefix = Settings.model_config["env_prefix"]
    rows = [
        (
            f"`{prefix}{name.upper()}`",
            f"`{field.default}`" if str(field.default) else "(empty)",
            field.description or "",
        )
        for name, field in sorted(Settings.model_fields.items(), key=_is_of_server)
    ]
    return f"{_OPENING}\n{markdown_table(('name', 'default', 'meaning'), rows)}\n{_CLOSING}"


def _is_of_server(field: tuple[str, object]) -> bool:
    """Whether it is a setting of the HTTP API; those come after the others."""
    return field[0] in ServerSettings.model_fields


def waste_page() -> str:
    """Return docs/waste.md as text: how rules read, and what the head of each states."""
    text = (resources.files("finops_pipeline.cli") / "waste_page.md").read_text(encoding="utf-8")
    names = ("id", "rule", "finds", "normalised by", "effort", "risk", "disproved by")
    rows = [
        (r.rule, f"`{r.name}`", r.meaning, r.normalised_by, r.effort, r.risk, r.disproof)
        for r in waste_rules()
    ]
    return f"{text}\n{markdown_table(names, rows)}\n"


def alerts_page() -> str:
    """Return docs/alerts.md as text: how alerts work, and what the head of each rule states."""
    text = (resources.files("finops_pipeline.cli") / "alerts_page.md").read_text(encoding="utf-8")
    rows = [
        (
            f"`{rule.name}`",
            rule.meaning,
            ", ".join(f"{name} = {plain(value)}" for name, value in rule.values.items()),
            rule.cure,
        )
        for rule in shipped_alert_rules()
    ]
    return f"{text}\n{markdown_table(('rule', 'finds', 'values', 'what to do'), rows)}\n"


def _mart_facts() -> dict[str, MartFacts]:
    """Read how each mart is built from the head of its SQL."""
    heads = {mart.name: head(mart.sql) for mart in marts()}
    return {
        name: MartFacts(lines["slice"], lines["lookback"], lines["check"], lines["reads"])
        for name, lines in heads.items()
    }


def pages() -> dict[str, str]:
    """Return the generated pages: file name in docs/ -> text."""
    return {
        "data_dictionary.md": data_dictionary(_mart_facts()) + "\n",
        "settings.md": settings_page(),
        "api.md": api_page(),
        "waste.md": waste_page(),
        "alerts.md": alerts_page(),
    }


def main() -> None:
    """Write the generated pages into `docs` of the current folder."""
    for name, text in pages().items():
        page = Path("docs") / name
        page.write_text(text, encoding="utf-8")
        typer.echo(f"wrote {page}")


if __name__ == "__main__":
    main()
