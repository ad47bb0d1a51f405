"""The house's doors: who may write, read the environment, know the time, import what.

Put here: rules of what reaches outside or happens at import. Keep out: proportion and names
(test_house.py), SQL (test_house_sql.py).
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator

import pytest

from tests.support.source_files import (
    MODULES,
    ROOT,
    Module,
    by_name,
    calls_in,
)

# ---- doors to the outside


WRITERS = {
    "finops_pipeline/cli/query.py": "the answer to a query, where the user asks for it",
    "finops_pipeline/cli/demo_process.py": "Dagster's settings, in the folder of its instance",
    "finops_pipeline/cli/start.py": "the line of an interrupt, on stderr",
    "finops_pipeline/cli/parquet_answer.py": "the answer to a query, as Parquet",
    "finops_pipeline/cli/statement_parquet.py": "statements, as Parquet",
    "finops_pipeline/cli/pages.py": "the generated pages of docs/",
    "finops_pipeline/serve/access/signing_key.py": "the key of cookies, beside access.sqlite",
    "finops_pipeline/serve/api/export_streams.py": "an export, as Parquet, into memory",
    "finops_pipeline/sources/s3_bucket.py": "downloads, into the scratch folder it is given",
}
"""Files outside lake and synthetic that may write files, and what."""

_WRITING = re.compile(
    r"(^|\.)(write_text|write_bytes|write_table|ParquetWriter|unlink|touch|symlink_to)$"
    r"|^shutil\.(?!get_terminal_size)|^os\.(replace|rename|remove|unlink|rmdir|mkdir|makedirs|truncate|write)$"
)


def _writes(tree: ast.AST) -> Iterator[str]:
    for call, words in calls_in(tree):
        if _WRITING.search(words):
            yield words
        elif words == "open" or words.endswith(".open"):
            said = [*call.args, *(k.value for k in call.keywords if k.arg == "mode")]
            modes = [str(a.value) for a in said if isinstance(a, ast.Constant)]
            if any(re.fullmatch(r"[rbt]*[wax+][wax+bt]*", mode) for mode in modes):
                yield f"{words}({', '.join(modes)})"


def test_only_the_lake_writes_files() -> None:
    """The synthetic estate writes what AWS would; it lies outside the lake."""
    found = {
        module.name: sorted(_writes(module.tree))
        for module in MODULES
        if not module.name.startswith(("finops_pipeline/lake/", "finops_pipeline/synthetic/"))
    }
    others = {name: writes for name, writes in found.items() if writes and name not in WRITERS}
    assert others == {}
    assert all(found[name] for name in WRITERS), "an exception that is not needed any more"


@by_name
def test_only_settings_reads_the_environment(module: Module) -> None:
    words = {"environ", "environb", "getenv", "putenv", "unsetenv"}
    found = [
        node.lineno
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.Attribute) and node.attr in words)
        or (isinstance(node, ast.ImportFrom) and node.module == "os")
    ]
    assert bool(found) == (module.name == "finops_pipeline/settings.py"), found


_CLOCKS = re.compile(r"(^|\.)(utcnow|today|perf_counter|monotonic|time_ns)$|^time\.\w+$|\.now$")


@by_name
def test_only_the_clock_knows_the_time(module: Module) -> None:
    asked = [
        words
        for _, words in calls_in(module.tree)
        if _CLOCKS.search(words) and not words.startswith("clock.")
    ]
    assert bool(asked) == (module.name == "finops_pipeline/clock.py"), asked


def test_money_in_python_never_is_a_float() -> None:
    """But for the synthetic Parquet exports, whose real ones have doubles too."""
    floats = {m.name for m in MODULES for _, words in calls_in(m.tree) if words == "float"}
    assert floats == {"finops_pipeline/synthetic/parquet_export.py"}


# ---- nothing happens at import


PURE = {
    *("re.compile", "re.split", "tuple", "Decimal", "timedelta", "Path", "TypeVar"),
    *("dataclass", "field", "Field", "ConfigDict", "SettingsConfigDict", "BeforeValidator"),
    "AfterValidator",
    *("model_validator", "Column", "Table", "BillForm", "Share"),
    *("Product", "Stream", "Reservation", "SavingsPlan", "_box", "_spot", "replace"),
    *("sa.MetaData", "sa.Table", "sa.Column", "sa.Index", "sa.String", "sa.ForeignKey"),
    *("pa.string", "pa.float64", "pa.timestamp", "pa.map_", "resources.files", "pl.Decimal"),
    *("pa.schema", "pa.int64", "pa.bool_", "pa.date32", "pa.decimal128", "dict.fromkeys"),
    *("Layout", "TypeAdapter", "Discriminator", "Tag", "PlainValidator"),
    *("typer.Typer", "typer.Argument", "typer.Option"),
    *("app.add_typer", "app.callback", "queries_app.callback", "CommandEntry"),
    *("frozenset", "Fraction", "Days"),
    *("Rule", "SharedValue", "Schema", "Statements", "BillConversion", "Entries"),
    *("InventoryCall", "FollowUp", "UsageMetric", "_of"),
    *("Meter", "Described", "WasteItem", "_hours", "_stored", "_gigabytes", "_requests", "_arn"),
    "_between_zones",
    *("_processor", "_total", "_gauge", "_reads", "_function", "_volume", "_balancer", "_database"),
    *("_image", "_endpoint"),  # entries of the planted waste
    *("CostField", "ProblemKind", "_Wording", "Depends"),
    *("CostField", "ProblemKind", "_Wording", "Depends", "PrivateAttr"),
    "sa.event.listen",
    *("_patterns", "_patterns_by_key", "_spellings"),  # validators for their arguments
}
"""Calls that may run at import: they make a value of their arguments, or wire commands."""

_PURE_METHODS = (".split", ".strip", ".lower", ".values", ".items", ".command")


def _at_import(node: ast.AST) -> Iterator[str]:
    """Words of the calls that run when a module is imported."""
    if isinstance(node, ast.Lambda):
        return
    if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test):
        return
    if isinstance(node, ast.Call):
        yield ast.unparse(node.func)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        defaults = [default for default in node.args.kw_defaults if default]
        for part in (*node.decorator_list, *node.args.defaults, *defaults):
            yield from _at_import(part)
        return
    for child in ast.iter_child_nodes(node):
        yield from _at_import(child)


@by_name
def test_nothing_happens_at_import(module: Module) -> None:
    plain = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Expr, ast.If)
    for statement in module.tree.body:
        made = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        assert made or isinstance(statement, plain), ast.unparse(statement)
    impure = {
        words
        for words in _at_import(module.tree)
        if words not in PURE and not words.endswith(_PURE_METHODS)
    }
    assert not impure


# ---- floors


CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "importlinter"
]["contracts"]
MAY = {
    "dagster": {"demo", "definitions", "orchestration"},
    "duckdb": {"lake"},
    "boto3": {"sources"},
    "smtplib": {"channels"},
    "urllib3": {"channels", "sources"},
}
"""Outside library -> the only modules and packages of the house that may import it."""


def _dotted(module: Module) -> str:
    name = module.name.removeprefix("finops_pipeline/").removesuffix(".py").replace("/", ".")
    return name.removesuffix(".__init__") if "." in name else name


def _within(module: str, packages: Iterable[str]) -> list[str]:
    """Those of the packages that a module is, or is in."""
    return [name for name in packages if module == name or module.startswith(f"{name}.")]


def test_every_module_stands_on_one_floor() -> None:
    floors = [name for layer in CONTRACTS[0]["layers"] for name in layer.split(" | ")]
    for module in MODULES:
        if module.name != "finops_pipeline/__init__.py":
            assert len(_within(_dotted(module), floors)) == 1, module.name
    assert CONTRACTS[0]["exhaustive"]


@pytest.mark.parametrize("library", MAY)
def test_every_module_stands_once_in_a_contract_of_a_door(library: str) -> None:
    """A new module is either forbidden a library or one of the few that may import it."""
    (contract,) = (c for c in CONTRACTS if library in c.get("forbidden_modules", ()))
    forbidden = [name.removeprefix("finops_pipeline.") for name in contract["source_modules"]]
    assert contract["allow_indirect_imports"]
    packages = {_dotted(module) for module in MODULES if module.name.endswith("__init__.py")}
    for module in MODULES:
        name = _dotted(module)
        holds_rooms = any(other.startswith(f"{name}.") for other in (*forbidden, *MAY[library]))
        if module.name == "finops_pipeline/__init__.py" or (name in packages and holds_rooms):
            assert library not in {words.split(".")[0] for words in _imports(module.tree)}
            continue
        places = [*_within(name, forbidden), *_within(name, MAY[library])]
        assert len(places) == 1, f"{module.name}: {places}"


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_floors_hold() -> None:
    """The contracts of pyproject.toml, as `lint-imports` checks them."""
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 broken" in done.stdout
