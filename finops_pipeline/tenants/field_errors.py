"""Plain data as objects of the registry, with errors that name the file, the entry and the field.

Put here: validating, and describing the first rule that is broken. Keep out: the rules (model.py,
source.py), merging (declare.py).
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.source import SourceKind

_KINDS = frozenset(SourceKind)
"""Names of source kinds, which pydantic adds to the path of a source's field."""

_SHOWN = 200
"""Characters of a wrong value that a message repeats."""

T = TypeVar("T")


def validate(kind: type[T], raw: object, place: str) -> T:
    """Validate plain data as an instance of `kind`.

    Raises:
        RegistryError: it breaks a rule; the message names the file, the entry and the field.
    """
    try:
        adapter: TypeAdapter[T] = _adapter(cast("Any", kind))
        return adapter.validate_python(raw)
    except ValidationError as error:
        raise _refusal(error, raw, place) from error
    except RegistryError as error:
        raise RegistryError(f"{place}: {error.found}", error.expected, error.cure) from error


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Make the validator of a class, which takes longer than validating an entry with it."""
    return TypeAdapter(kind)


def _refusal(error: ValidationError, raw: object, place: str) -> RegistryError:
    """Describe the first rule that plain data breaks."""
    first = error.errors()[0]
    field = f"{place}: {_describe_field(raw, first['loc'])}"
    match first["type"]:
        case "missing":
            return RegistryError(f"{field} is missing", "a value for it")
        case "extra_forbidden":
            return RegistryError(
                f"{field}: there is no such field", cure="Correct its name or leave it out"
            )
        case _:
            # pydantic adds the name of our class: "… dictionary or instance of _Declaration".
            expected = (
                first["msg"].removeprefix("Input should be ").partition(" or instance of ")[0]
            )
            return RegistryError(f"{field} is {_show(first)}", expected)


def _show(error: Any) -> str:
    """Show the value that breaks a rule, shortened; the file as a whole may be somebody else's."""
    value = error["input"]
    if not error["loc"]:
        return "a list" if isinstance(value, list) else "plain text"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"


def _describe_field(raw: object, path: tuple[int | str, ...]) -> str:
    """Describe where a field is: `source 'payer': format` for ("sources", 0, "format")."""
    match path:
        case ():
            return "the file"
        case (("sources" | "projects") as parts, int(index), *fields) if isinstance(raw, dict):
            entry = raw[parts][index]
            name = f" {entry['name']!r}" if isinstance(entry, dict) and "name" in entry else ""
            label = f"{parts.removesuffix('s')}{name or f' {index + 1}'}"
            match fields:
                case ["claims", int(number), *fields]:
                    label = f"{label}, claim {number + 1}"
            names = [str(field)[:_SHOWN] for field in fields if field not in _KINDS]
            return ": ".join(filter(None, (label, ".".join(names))))
        case ("shared_costs", int(index), *fields) if isinstance(raw, dict):
            entry = raw["shared_costs"][index]
            name = f" {entry['name']!r}" if isinstance(entry, dict) and "name" in entry else ""
            names = [str(field)[:_SHOWN] for field in fields]
            label = f"shared_costs:{name or f' entry {index + 1}'}"
            return ": ".join(filter(None, (label, ".".join(names))))
        case ("dimensions", "rules", int(index), *fields):
            names = [str(field)[:_SHOWN] for field in fields]
            return ": ".join(filter(None, (f"dimensions: rule {index + 1}", ".".join(names))))
        case _:
            return ".".join(str(part)[:_SHOWN] for part in path if part not in _KINDS)
