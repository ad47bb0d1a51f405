"""YAML files of declarations as plain data, read safely whoever wrote them.

Put here: reading a YAML file within limits. Keep out: what a declaration means (declare.py).

Messages name the line but never repeat its text: the file may be somebody else's.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml

from finops_pipeline.errors import RegistryError

_MAX_BYTES = 50_000_000
_MAX_DEPTH = 30
_MAX_VALUES = 5_000_000
"""Values after aliases are replaced by what they stand for; a bomb of aliases has billions."""

_MAX_LENGTH = 10_000
"""Characters of one value."""

_MERGE = "tag:yaml.org,2002:merge"
"""The key `<<`, whose value has defaults for the keys beside it."""


def read_yaml(path: Path) -> Any:
    """Read a YAML file as plain data.

    Raises:
        RegistryError: it cannot be read, is not YAML, names a key twice, or exceeds a limit.
    """
    loader = None
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise _refusal(path, f"has more than {_MAX_BYTES:,} bytes", "a smaller file")
        loader = _make_loader(path.read_bytes())
        root = loader.get_single_node()
        return None if root is None else _PlainData(path, loader).build(root)
    except OSError as error:
        raise RegistryError(
            f"{path} cannot be read ({error.strerror})", "a YAML file that this user can read"
        ) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}" if mark else ""
        raise _not_yaml(path, f"{error.problem}{place}") from error
    except yaml.reader.ReaderError as error:
        raise _not_yaml(path, f"{error.reason}, at byte {error.position}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _not_yaml(path, type(error).__name__) from error
    finally:
        if loader is not None:
            loader.dispose()


def _make_loader(content: bytes) -> Any:
    """Make the loader written in C, ten times as fast; not every PyYAML is built with it."""
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)(content)


def _not_yaml(path: Path, problem: str) -> RegistryError:
    return _refusal(path, f"is not YAML: {problem}", "a YAML file that begins with tenants:")


def _refusal(path: Path, problem: str, expected: str) -> RegistryError:
    return RegistryError(f"{path} {problem}", expected)


def _is_rounded(text: str, number: float) -> bool:
    """Check whether a float is another number than its text, which has more digits."""
    try:
        spelled = Decimal(text.replace("_", ""))
    except InvalidOperation:
        return False  # infinite, not a number, or in base 60
    return math.isfinite(number) and spelled != Decimal(repr(number))


class _PlainData:
    """Builds plain data from the nodes of a file; each node is built once, however often used."""

    def __init__(self, path: Path, loader: Any) -> None:
        self._path = path
        self._loader = loader
        self._built: dict[int, tuple[Any, int]] = {}
        self._open: set[int] = set()

    def build(self, root: yaml.Node) -> Any:
        """Return the data of a node."""
        return self._build(root, 1)[0]

    def _build(self, node: yaml.Node, depth: int) -> tuple[Any, int]:
        """Return the data of a node and the number of values in it, aliases replaced."""
        key = id(node)
        if key in self._built:
            return self._built[key]
        if key in self._open:
            raise self._refusal(node, "contains itself", "no alias of what it stands in")
        if depth > _MAX_DEPTH:
            raise self._refusal(node, f"is nested more than {_MAX_DEPTH} deep", "less nesting")
        self._open.add(key)
        built: tuple[Any, int]
        match node:
            case yaml.MappingNode(tag="tag:yaml.org,2002:map"):
                built = self._build_mapping(node, depth)
            case yaml.SequenceNode(tag="tag:yaml.org,2002:seq"):
                items = [self._build(item, depth + 1) for item in node.value]
                built = [item for item, _ in items], 1 + sum(size for _, size in items)
            case yaml.CollectionNode():
                raise self._refusal(node, f"has the tag {node.tag[:100]}", "plain lists, mappings")
            case _:
                built = self._build_scalar(node), 1
        if built[1] > _MAX_VALUES:
            raise self._refusal(node, f"stands for more than {_MAX_VALUES:,} values", "fewer")
        self._open.remove(key)
        self._built[key] = built
        return built

    def _build_mapping(self, node: yaml.MappingNode, depth: int) -> tuple[dict[Any, Any], int]:
        merged: dict[Any, Any] = {}
        data: dict[Any, Any] = {}
        size = 1
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                parent, values = self._build(value_node, depth + 1)
                for defaults in parent if isinstance(parent, list) else [parent]:
                    merged = self._mapping(value_node, defaults) | merged
                size += values
                continue
            key, _ = self._build(key_node, depth + 1)
            if not isinstance(key, Hashable):
                raise self._refusal(key_node, "is a list or mapping as a key", "text as a key")
            if key in data:
                raise self._refusal(
                    key_node, f"declares {str(key)[:100]!r} for the second time", "each key once"
                )
            data[key], values = self._build(value_node, depth + 1)
            size += values
        return merged | data, size

    def _mapping(self, node: yaml.Node, data: Any) -> dict[Any, Any]:
        if not isinstance(data, dict):
            raise self._refusal(node, "merges (<<) what is not a mapping", "an alias of a mapping")
        return data

    def _build_scalar(self, node: yaml.Node) -> Any:
        if len(node.value) > _MAX_LENGTH:
            raise self._refusal(
                node, f"has {len(node.value):,} characters in one value", f"at most {_MAX_LENGTH:,}"
            )
        if node.tag == "tag:yaml.org,2002:str":
            return node.value  # the loader would return the same, but take three times as long
        built = self._loader.construct_object(node)
        if isinstance(built, float) and _is_rounded(node.value, built):
            raise RegistryError(
                f"{self._path} has a number of too many digits, line {node.start_mark.line + 1}",
                "a number of up to 15 digits",
                "Write it in quotes, so that it is not rounded",
            )
        return built

    def _refusal(self, node: yaml.Node, problem: str, expected: str) -> RegistryError:
        return _refusal(self._path, f"{problem}, line {node.start_mark.line + 1}", expected)
