"""tenants.yaml: the declared form of the registry, read and merged.

Put here: parsing the file into nouns with errors that name the place, merging it into what is
there, and naming each change. Keep out: storing (registry.py), rules of the nouns (model.py).

Merging never deletes by omission: a tenant, source, project, field or account claim that the
file does not mention stays. A claim is ended with a `to` date or `finops project release`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.model import Project, Source, Tenant, parse_source
from finops_pipeline.tenants.registry import Registry

Noun = TypeVar("Noun", Source, Project)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    tenants: list[dict[str, Any]]


def read_declaration(path: Path) -> list[Tenant]:
    """Read a tenants.yaml. Relative source locations are taken from the file's folder.

    Raises:
        RegistryError: not readable, not YAML, or a declaration that breaks a rule; names it.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RegistryError(f"{path} cannot be read ({error.strerror})", "a YAML file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RegistryError(f"{path} is not YAML: {error}", "a file like tenants.yaml") from error
    entries = _parse("file", raw or {}, str(path)).tenants
    tenants = [_read_tenant(entry, path) for entry in entries]
    names = [tenant.name for tenant in tenants]
    for name in names:
        if names.count(name) > 1:
            raise RegistryError(f"tenant {name} is declared twice in {path}", "one entry")
    return tenants


def _read_tenant(entry: dict[str, Any], path: Path) -> Tenant:
    where = f"{path}, tenant {entry.get('name', '(no name)')}"
    _no_external_id(entry, where)
    sources = [
        source.model_copy(update={"location": _absolute(source.location, path)})
        if source.location
        else source
        for source in _parse_all("source", entry.get("sources"), where)
    ]
    projects = _parse_all("project", entry.get("projects"), where)
    known = {**entry, "sources": (), "projects": ()}
    tenant: Tenant = _parse("tenant", known, where)
    return tenant.model_copy(update={"sources": tuple(sources), "projects": tuple(projects)})


def _no_external_id(entry: dict[str, Any], where: str) -> None:
    sources = entry.get("sources")
    for part in (entry, *(sources if isinstance(sources, list) else ())):
        if isinstance(part, dict) and "external_id" in part:
            raise RegistryError(
                f"{where}: external_id is declared",
                "no external_id: it protects the tenant only if nobody can choose it",
                "Leave it out; finops source policy TENANT/SOURCE shows the one that was made",
            )


def _absolute(location: str, path: Path) -> str:
    if not location or "://" in location:
        return location.rstrip("/")
    try:
        return str((path.parent / Path(location).expanduser()).resolve())
    except (ValueError, RuntimeError, OSError) as error:
        raise RegistryError(f"{path}: location {location!r} is no path ({error})") from error


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "file": _File.model_validate,
    "tenant": Tenant.model_validate,
    "source": parse_source,
    "project": Project.model_validate,
}


def _parse(kind: str, raw: Any, where: str) -> Any:
    name = f" {raw['name']!r}" if isinstance(raw, dict) and "name" in raw else ""
    label = f"{kind}{name}"
    try:
        return _PARSERS[kind](raw)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or label
        raise RegistryError(
            f"{where}: {label}: {field} is {first['input']!r}", first["msg"]
        ) from error
    except RegistryError as error:
        raise RegistryError(f"{where}: {error.found}", error.expected, error.cure) from error


def _parse_all(kind: str, raw: Any, where: str) -> list[Any]:
    if not isinstance(raw or [], list):
        raise RegistryError(f"{where}: {kind}s is {raw!r}", f"a list of {kind}s")
    nouns = [_parse(kind, one, where) for one in raw or []]
    names = [noun.name for noun in nouns]
    for name in names:
        if names.count(name) > 1:
            raise RegistryError(f"{where}: {kind} {name} is declared twice", "one entry")
    return nouns


def apply(registry: Registry, declared: list[Tenant]) -> list[str]:
    """Merge declared tenants into the registry in one transaction.

    Returns:
        One line per change (`+ project acme/prod`, `~ source acme/payer: location a -> b`);
        empty when nothing changed.

    Raises:
        RegistryError: the merged whole breaks a rule; nothing is changed.
    """
    with registry.alone():
        stored = set(registry.names())
        changes: list[str] = []
        merged: list[Tenant] = []
        for new in declared:
            old = registry.tenant(new.name) if new.name in stored else None
            if old is None:
                changes.append(f"+ tenant {new.name}")
                old = Tenant(name=new.name, display_name=new.display_name)
            tenant, lines = merge(old, new)
            changes += lines
            merged.append(tenant)
        if changes:
            registry.save(*merged)
        return changes


def merge(old: Tenant, new: Tenant) -> tuple[Tenant, list[str]]:
    """One tenant with the declarations of another laid over it, and the changes in words.

    Raises:
        RegistryError: the merged tenant breaks a rule.
    """
    lines: list[str] = []
    display_name = new.display_name or old.display_name
    if display_name != old.display_name:
        lines.append(f"~ tenant {new.name}: display_name {old.display_name!r} -> {display_name!r}")
    claims_kept = tuple(_keep_claims(old, project) for project in new.projects)
    sources = _lay_over("source", new.name, old.sources, new.sources, lines)
    projects = _lay_over("project", new.name, old.projects, claims_kept, lines)
    merged = Tenant(
        name=new.name,
        display_name=display_name,
        external_id=old.external_id,
        sources=sources,
        projects=projects,
    )
    return merged, lines


def _keep_claims(old: Tenant, project: Project) -> Project:
    """The project with its stored claims of accounts that the declaration does not mention."""
    stored = next((p for p in old.projects if p.name == project.name), None)
    if stored is None:
        return project
    named = {claim.id for claim in project.accounts}
    kept = [claim for claim in stored.accounts if claim.id not in named]
    claims = sorted(
        [*kept, *project.accounts], key=lambda c: (c.id, str(c.from_day or ""), str(c.to_day or ""))
    )
    return project.model_copy(update={"accounts": tuple(claims)})


def _lay_over(
    kind: str, tenant: str, old: tuple[Noun, ...], new: tuple[Noun, ...], lines: list[str]
) -> tuple[Noun, ...]:
    nouns = {noun.name: noun for noun in old}
    for noun in new:
        before = nouns.get(noun.name)
        if before is not None:  # what is not said of it stays, too
            said = {field: getattr(noun, field) for field in noun.model_fields_set}
            noun = _changed(kind, before, said)
        nouns[noun.name] = noun
        if before is None:
            lines.append(f"+ {kind} {tenant}/{noun.name}")
        else:
            lines += [
                f"~ {kind} {tenant}/{noun.name}: {text}" for text in _differences(before, noun)
            ]
    return tuple(nouns[name] for name in sorted(nouns))


def _changed(kind: str, before: Noun, said: dict[str, Any]) -> Noun:
    """The noun with some fields said anew, and its rules checked again."""
    fields = {field: getattr(before, field) for field in type(before).model_fields}
    changed: Noun = _parse(kind, fields | said, f"{kind} {before.name}")
    return changed


def _differences(before: BaseModel, after: BaseModel) -> list[str]:
    changed = []
    for field in type(after).model_fields:
        one, other = getattr(before, field), getattr(after, field)
        if field == "accounts":
            one = tuple(sorted(f"{c.id} ({c.days})" for c in one))
            other = tuple(sorted(f"{c.id} ({c.days})" for c in other))
        elif field == "sources":
            one, other = tuple(sorted(one)), tuple(sorted(other))
        if one != other:
            changed.append(f"{field} {_words(one)} -> {_words(other)}")
    return changed


def _words(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or "(none)"
    return str(value) or "(none)"
