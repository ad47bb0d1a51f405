"""The estate's tenants.yaml: its tenants as an operator would declare them.

Put here: the text of that file.
Keep out: reading such a file; the facts themselves (`spec`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from finops_pipeline.synthetic.spec import Claim, Project, Tenant


def tenants_yaml(tenants: Sequence[Tenant]) -> str:
    """Write the declaration as YAML; locations are relative to the file, account ids quoted."""
    return "\n".join(["tenants:", *(line for t in tenants for line in _tenant(t)), ""])


def _tenant(tenant: Tenant) -> Iterator[str]:
    yield f"  - name: {tenant.name}"
    yield f'    display_name: "{tenant.display_name}"'
    yield "    sources:"
    for source in tenant.sources:
        yield f"      - name: {source.name}"
        yield f"        format: {source.format}"
        yield f"        location: {tenant.location(source)}"
    yield "    projects:"
    for project in tenant.projects:
        yield from _project(project)


def _project(project: Project) -> Iterator[str]:
    yield f"      - name: {project.name}"
    yield f"        environment: {project.environment}"
    yield f"        business_unit: {project.business_unit}"
    if len(project.sources) == 1:
        yield f"        source: {project.sources[0]}"
    else:
        yield f"        sources: [{', '.join(project.sources)}]"
    yield f"        accounts: [{', '.join(_claim(claim) for claim in project.claims)}]"


def _claim(claim: Claim) -> str:
    parts = [f'id: "{claim.account}"']
    if claim.since:
        parts.append(f"from: {claim.since.isoformat()}")
    if claim.until:
        parts.append(f"to: {claim.until.isoformat()}")
    return f"{{{', '.join(parts)}}}" if len(parts) > 1 else f'"{claim.account}"'
