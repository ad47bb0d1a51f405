"""The house's rules, checked over its own source: door-plates, proportion, doors, SQL, imports.

Put here: rules that hold for every file of the package. Keep out: what a particular function
does; documents for people (test_docs.py).
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
import sqlglot

import finops_pipeline
from finops_pipeline import errors
from finops_pipeline.contracts.tables import MARTS, TABLES
from finops_pipeline.marts.library import head, marts
from finops_pipeline.synthetic.spec import estate_tenants

PACKAGE = Path(finops_pipeline.__file__).parent
ROOT = PACKAGE.parent
FILE_LINES, FUNCTION_LINES = 400, 40


@dataclass(frozen=True)
class Module:
    """One Python file: its path below the checkout, text and syntax tree."""

    name: str
    text: str
    tree: ast.Module

    @property
    def is_door(self) -> bool:
        """Whether it is an `__init__` or `__main__`, whose door-plate may be one line."""
        return self.name.endswith(("__init__.py", "__main__.py"))


def _modules(folder: Path) -> list[Module]:
    found = []
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.append(Module(path.relative_to(ROOT).as_posix(), text, ast.parse(text)))
    return found


MODULES = _modules(PACKAGE)
EVERYWHERE = MODULES + _modules(ROOT / "tests")
STAGE_SQL = sorted([*PACKAGE.glob("focus/sql/*.sql"), *PACKAGE.glob("marts/sql/*.sql")])
CHECK_SQL = sorted(PACKAGE.glob("marts/checks/*.sql"))
QUERY_SQL = sorted(PACKAGE.glob("marts/queries/*.sql"))
EVERY_SQL = sorted(PACKAGE.rglob("*.sql"))
by_name = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
by_stem = {"ids": lambda path: path.stem}


def _calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Every call below a node, with the words before its parenthesis."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


def test_the_rules_see_the_house() -> None:
    assert len(MODULES) > 50
    assert {path.stem for path in STAGE_SQL} > set(MARTS)
    assert sorted([*STAGE_SQL, *CHECK_SQL, *QUERY_SQL]) == EVERY_SQL
    assert CHECK_SQL


@by_name
def test_every_room_has_a_door_plate(module: Module) -> None:
    plate = " ".join((ast.get_docstring(module.tree) or "").split())
    assert plate, "no module docstring"
    if not module.is_door:
        assert "Keep out" in plate or "stays out" in plate, "does not say what stays out"


@pytest.mark.parametrize("module", EVERYWHERE, ids=lambda module: module.name)
def test_files_keep_their_proportion_and_their_noun(module: Module) -> None:
    assert len(module.text.splitlines()) <= FILE_LINES
    assert Path(module.name).stem not in {"helpers", "helper", "utils", "util", "common", "misc"}


def test_functions_keep_their_proportion() -> None:
    lengths = sorted(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for module in MODULES
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert lengths[len(lengths) * 9 // 10] <= FUNCTION_LINES


@by_name
def test_no_import_of_the_house_hides_in_a_function(module: Module) -> None:
    for function in ast.walk(module.tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
                assert not any(n.startswith("finops_pipeline") for n in names), function.name


# ---- doors to the outside


WRITERS = {
    "finops_pipeline/cli/query.py": "the answer to a query, where the user asks for it",
    "finops_pipeline/cli/pages.py": "the generated pages of docs/",
    "finops_pipeline/sources/s3_bucket.py": "downloads, into the scratch folder it is given",
}
"""Files outside lake and synthetic that may write files, and what."""

_WRITING = re.compile(
    r"(^|\.)(write_text|write_bytes|write_table|ParquetWriter|unlink|touch|symlink_to)$"
    r"|^shutil\.|^os\.(replace|rename|remove|unlink|rmdir|mkdir|makedirs|truncate|write)$"
)


def _writes(tree: ast.AST) -> Iterator[str]:
    for call, words in _calls(tree):
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
        for _, words in _calls(module.tree)
        if _CLOCKS.search(words) and not words.startswith("clock.")
    ]
    assert bool(asked) == (module.name == "finops_pipeline/clock.py"), asked


def test_money_in_python_never_is_a_float() -> None:
    """But for the synthetic Parquet exports, whose real ones have doubles too."""
    floats = {m.name for m in MODULES for _, words in _calls(m.tree) if words == "float"}
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
    *("frozenset", "Fraction"),
    *("Rule", "SharedValue", "Schema", "Statements", "BillConversion", "_JsonColumn"),
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


# ---- docstrings show what is raised


REFUSALS = {
    name: {base.__name__ for base in kind.__mro__ if issubclass(base, errors.FinopsError)}
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.FinopsError)
}
"""Name of an exception -> its name and those of its kinds."""


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a function without those of functions inside it."""
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            yield child
            yield from _own_nodes(child)


def _public_functions(node: ast.Module | ast.ClassDef) -> Iterator[ast.FunctionDef]:
    for child in node.body:
        if isinstance(child, ast.FunctionDef) and not child.name.startswith("_"):
            yield child
        elif isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield from _public_functions(child)


@by_name
def test_public_functions_say_what_they_raise(module: Module) -> None:
    """Commands are left out: their docstring is the help that users see, their errors one line."""
    if module.name.startswith("finops_pipeline/cli/"):
        return
    for function in _public_functions(module.tree):
        raised = {
            ast.unparse(node.exc.func).rpartition(".")[2]
            for node in _own_nodes(function)
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
        }
        for name in raised & REFUSALS.keys():
            said = (ast.get_docstring(function) or "").partition("Raises:")[2]
            assert any(kind in said for kind in REFUSALS[name]), f"{function.name} raises {name}"


# ---- SQL


def _code(path: Path) -> str:
    """The SQL without its comments."""
    return re.sub(r"--[^\n]*", "", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", STAGE_SQL, **by_stem)  # type: ignore[arg-type]
def test_stage_sql_has_a_complete_head(path: Path) -> None:
    sql = path.read_text(encoding="utf-8")
    lines = head(sql)
    assert sql.startswith(f"-- {path.stem}: ")
    is_mart = path.parent.parent.name == "marts"
    required = {path.stem, "grain", "money", "reads", "check"}
    required |= {"lookback", "slice"} if is_mart else set()
    assert {key for key in required if lines.get(key)} == required
    for name in lines["check"].split(", "):
        # conformance: a rule of contracts/focus_rules.py applies it to every charge
        assert name == "conformance" or (PACKAGE / "marts" / "checks" / f"{name}.sql").is_file(), (
            name
        )
    if is_mart:
        assert re.fullmatch(r"\d+ months", lines["lookback"])
        assert lines["slice"] in {"project, billing_period", "billing_period"}
        assert lines["grain"].split(", ") == list(MARTS[path.stem].grain)


def _tables_read(sql: str) -> set[str]:
    """Name the tables that a query reads, its own CTEs left out, as sqlglot parses it."""
    statement = sqlglot.parse_one(sql, dialect="duckdb")
    ctes = {cte.alias for cte in statement.find_all(sqlglot.exp.CTE)}
    return {table.name for table in statement.find_all(sqlglot.exp.Table)} - ctes


@pytest.mark.parametrize(
    "path", [path for path in EVERY_SQL if path.stem != "macros"], ids=lambda path: path.stem
)
def test_sql_reads_what_its_head_states(path: Path) -> None:
    sql = path.read_text(encoding="utf-8")
    assert _tables_read(sql) == set(head(sql)["reads"].split(", "))


@pytest.mark.parametrize("path", CHECK_SQL, **by_stem)  # type: ignore[arg-type]
def test_check_sql_has_a_complete_head(path: Path) -> None:
    sql = path.read_text(encoding="utf-8")
    said = head(sql)
    assert sql.startswith(f"-- {path.stem}: ")
    assert said[path.stem]
    assert said["on failure"] in {"refuse", "warn"}
    assert set(said["reads"].split(", ")) <= {table.name for table in TABLES}


@pytest.mark.parametrize("path", EVERY_SQL, **by_stem)  # type: ignore[arg-type]
def test_sql_is_plain_and_knows_no_tenant(path: Path) -> None:
    sql = path.read_text(encoding="utf-8")
    assert not re.search(r"\{\{|\{%|%s|\{[A-Za-z_]+\}", sql), "a template"
    words = set(re.findall(r"\w+", sql.lower()))
    for tenant in estate_tenants(seed=7, last_month="2026-10"):
        assert tenant.name not in words
    code = _code(path).lower()
    assert not re.search(r"\btenant\b", code)
    assert not re.search(r"\b(double|float4?|float8|real)\b|\bfloat\(", code)
    assert not re.search(r"\b(now|today|current_date|current_timestamp|random)\b", code)


@pytest.mark.parametrize("mart", marts(), ids=lambda mart: mart.name)
def test_mart_columns_are_the_contract_in_order(mart: object) -> None:
    name, sql = mart.name, mart.sql  # type: ignore[attr-defined]
    with duckdb.connect(":memory:") as connection:
        for table in TABLES:
            columns = ", ".join(f'"{c.name}" {c.type}' for c in table.columns)
            connection.execute(f"create table {table.name} ({columns})")
        found = connection.execute(f"describe ({sql})").fetchall()
    assert [(row[0], row[1]) for row in found] == [(c.name, c.type) for c in MARTS[name].columns]


# ---- floors


def test_floors_hold() -> None:
    """The contracts of pyproject.toml, as `lint-imports` checks them."""
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 broken" in done.stdout
