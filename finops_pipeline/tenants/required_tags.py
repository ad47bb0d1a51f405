"""Sets of tags that charges must have: the section `required_tags` of a tenant.

Put here: the section as classes, and the rules that make it valid. Keep out: measuring it
(marts/sql/required_tag_coverage.sql).

The section is declared as a whole: a file that has it replaces all of it, a file without it changes
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, BeforeValidator, ConfigDict

from finops_pipeline.errors import RegistryError, did_you_mean

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,38}[a-z0-9]")
_MOST_SETS, _MOST_TEXTS, _LONGEST = 50, 1000, 256
_LISTS = ("keys", "services", "projects", "environments")
_FIELDS = (*_LISTS, "values")


class RequiredSet(BaseModel):
    """Keys that are required together, and for which charges; an empty tuple sets no limit.

    `values`: the allowed values of some of the keys.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    keys: tuple[str, ...]
    values: dict[str, tuple[str, ...]] = {}
    services: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()

    def __str__(self) -> str:
        limits = [
            f"{name} {', '.join(getattr(self, name))}" for name in _LISTS[1:] if getattr(self, name)
        ]
        allowed = [f"{key} of {', '.join(values)}" for key, values in self.values.items()]
        return "; ".join([f"keys {', '.join(self.keys)}", *allowed, *limits])


RequiredSets = Mapping[str, RequiredSet]
"""The sets of a tenant by name."""


def read_required_sets(raw: object) -> dict[str, RequiredSet]:
    """Read the section.

    Raises:
        RegistryError: it breaks a rule; the message names the place.
    """
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        _refuse(
            "required_tags", raw, "sets by name, such as required_tags: {policy: {keys: [Team]}}"
        )
    if len(raw) > _MOST_SETS:
        raise RegistryError(f"required_tags: {len(raw)} sets", f"up to {_MOST_SETS}")
    return {
        _read_name(name): _read_set(f"required_tags.{name}", each) for name, each in raw.items()
    }


DeclaredSets = Annotated[dict[str, RequiredSet], BeforeValidator(read_required_sets)]


def _read_name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise RegistryError(
            f"required_tags: set name {name!r:.200} cannot be used",
            "2 to 40 characters from a-z, 0-9, '_' and '-', starting with a letter",
        )
    return name


def _read_set(place: str, raw: object) -> RequiredSet:
    if isinstance(raw, RequiredSet):
        return raw
    if not isinstance(raw, dict):
        _refuse(place, raw, "fields, such as keys: [Team, CostCentre]")
    for name in raw:
        if name not in _FIELDS:
            raise RegistryError(
                f"{place}.{name}: there is no such field",
                f"one of: {', '.join(_FIELDS)}",
                did_you_mean(str(name), _FIELDS) + "Correct its name or leave it out",
            )
    lists = {name: _read_texts(f"{place}.{name}", raw.get(name)) for name in _LISTS}
    if not lists["keys"]:
        raise RegistryError(
            f"{place} names no key of a tag", "the keys that are required", "Add keys: [Team]"
        )
    return RequiredSet(**lists, values=_read_values(place, raw.get("values"), lists["keys"]))


def _read_values(place: str, raw: object, keys: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        _refuse(f"{place}.values", raw, "allowed values by key, such as values: {Env: [prod, dev]}")
    allowed = {}
    for key, values in raw.items():
        if key not in keys:
            raise RegistryError(
                f"{place}.values has values of {key!r:.200}, which is not one of its keys",
                f"one of: {', '.join(keys)}",
                did_you_mean(str(key), keys) + "Add the key to keys, or correct it",
            )
        allowed[key] = _read_texts(f"{place}.values.{key}", values)
        if not allowed[key]:
            raise RegistryError(f"{place}.values.{key} allows no value", "at least one value")
    return allowed


def _read_texts(place: str, raw: object) -> tuple[str, ...]:
    """Read a list of texts; a number, as YAML reads some values of tags, counts as text."""
    if raw is None:
        return ()
    texts = [raw] if isinstance(raw, str) else raw
    if not isinstance(texts, list | tuple):
        _refuse(place, raw, "a list of texts")
    if len(texts) > _MOST_TEXTS:
        raise RegistryError(f"{place} has {len(texts):,} entries", f"up to {_MOST_TEXTS:,}")
    for text in texts:
        is_text = isinstance(text, str) or (isinstance(text, int) and not isinstance(text, bool))
        if not is_text or not str(text).strip() or len(str(text)) > _LONGEST:
            _refuse(place, text, f"texts of 1 to {_LONGEST} characters")
    return tuple(dict.fromkeys(str(text).strip() for text in texts))


def check_projects(tenant: str, sets: RequiredSets, projects: Iterable[str]) -> None:
    """Check that every project that a declared set names exists.

    Raises:
        RegistryError: one does not.
    """
    known = sorted(projects)
    for name, each in sets.items():
        for project in each.projects:
            if project not in known:
                raise RegistryError(
                    f"tenant {tenant}, required_tags.{name}.projects names {project!r}, which is"
                    " not declared",
                    f"one of: {', '.join(known)}",
                    did_you_mean(project, known) + "Declare the project, or correct the set",
                )


def rename_set_project(sets: RequiredSets, old: str, new: str) -> dict[str, RequiredSet]:
    """Return sets that name a project by its new name."""
    return {
        name: each.model_copy(
            update={"projects": tuple(new if p == old else p for p in each.projects)}
        )
        for name, each in sets.items()
    }


def list_set_changes(tenant: str, old: RequiredSets, new: RequiredSets) -> list[str]:
    """Describe what changed, a line per set."""
    lines = [f"+ required tags {tenant}/{name}: {new[name]}" for name in new if name not in old]
    lines += [
        f"~ required tags {tenant}/{name}: {old[name]} -> {new[name]}"
        for name in new
        if name in old and old[name] != new[name]
    ]
    return lines + [f"- required tags {tenant}/{name}" for name in old if name not in new]


def export_required_sets(sets: RequiredSets) -> dict[str, Any]:
    """Return the section as plain data, as tenants.yaml has it."""
    return {
        name: each.model_dump(mode="json", exclude_defaults=True) for name, each in sets.items()
    }


def _refuse(place: str, raw: object, expected: str) -> NoReturn:
    raise RegistryError(f"{place} is {raw!r:.200}", expected)
