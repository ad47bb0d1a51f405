"""Probes of a source's access, step by step: which steps work, and the cure for one that fails.

Put here: the probes, in the order in which access is built up. Keep out: fixing anything, and
how findings are shown (cli/source_access.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from finops_pipeline.errors import AccessRefused, FinopsError
from finops_pipeline.sources.aws import assume, caller, sts_client
from finops_pipeline.sources.credentials import Access, access_of, calling
from finops_pipeline.sources.data_exports import billing_periods, read_delivery
from finops_pipeline.sources.location import Location
from finops_pipeline.sources.location_kinds import open_location
from finops_pipeline.sources.s3 import S3Location
from finops_pipeline.tenants.model import Source, SourceKind, Tenant
from finops_pipeline.tenants.places import is_amazon
from finops_pipeline.tenants.source import BILL_KINDS


class Verdict(StrEnum):
    """How a probe ended; `failed` means that the source cannot be used as it stands."""

    OK = "ok"
    NOTE = "note"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Finding:
    """One probe: what was tried, how it ended, and the particulars or the cure."""

    probe: str
    verdict: Verdict
    details: str


def check(tenant: Tenant, source: Source) -> Iterator[Finding]:
    """Try everything that reading a source needs, and that nobody else is let in.

    Stops at the first probe without which the next ones say nothing.
    """
    try:
        if source.in_aws:
            yield from _check_access(access_of(tenant, source))
        yield from PROBES[source.kind](tenant, source)
    except FinopsError as error:
        yield Finding(_failed_probe(error), Verdict.FAILED, str(error))


def _failed_probe(error: FinopsError) -> str:
    return "access" if isinstance(error, AccessRefused) else "export"


def _check_cost_explorer_api(tenant: Tenant, source: Source) -> Iterator[Finding]:
    details = "not asked: a request costs USD 0.01; finops ingest sends the first"
    yield Finding("cost explorer", Verdict.NOTE, details)


def _check_cost_explorer_csv(tenant: Tenant, source: Source) -> Iterator[Finding]:
    details = "no endpoint: it is fed with the console's CSV by finops ingest-file"
    yield Finding("cost explorer", Verdict.NOTE, details)


def _check_bill(tenant: Tenant, source: Source) -> Iterator[Finding]:
    if source.location:
        yield from _check_export(source, open_location(tenant, source))
        return
    details = f"no location: it is fed by finops ingest-file {tenant.name}/{source.name} FILE"
    yield Finding("location", Verdict.NOTE, details)


PROBES: dict[SourceKind, Callable[[Tenant, Source], Iterator[Finding]]] = {
    **dict.fromkeys(BILL_KINDS, _check_bill),
    SourceKind.COST_EXPLORER_API: _check_cost_explorer_api,
    SourceKind.COST_EXPLORER_CSV: _check_cost_explorer_csv,
}
"""The probes of each kind of source, after those of its credentials."""


def _check_access(access: Access) -> Iterator[Finding]:
    store = access.endpoint_url and not is_amazon(access.endpoint_url)
    if not access.role_arn and store:
        return  # stores like S3 rarely have STS; listing shows whether the keys are valid
    sts = sts_client(access)
    with calling(access, "ask who the credentials belong to"):
        yield Finding("credentials", Verdict.OK, f"{caller(sts)}, from {_chain(access)}")
    if not access.role_arn:
        return
    with calling(access, "assume the role"):
        assume(sts, access, access.external_id)
    yield Finding("assume role", Verdict.OK, f"{access.role_arn}, with the tenant's external id")
    yield _check_external_id_required(sts, access, "with a wrong external id", str(uuid4()))
    yield _check_external_id_required(sts, access, "without an external id", None)


def _chain(access: Access) -> str:
    return f"profile {access.profile}" if access.profile else "the default chain"


def _check_external_id_required(
    sts: Any, access: Access, how: str, external_id: str | None
) -> Finding:
    """Whether the role refuses a caller who does not know the tenant's external id."""
    probe = f"role stays shut {how}"
    try:
        assume(sts, access, external_id)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code == "AccessDenied":
            return Finding(probe, Verdict.OK, "refused, as it must be")
        return Finding(probe, Verdict.NOTE, f"not known: STS answers {code}; try again")
    return Finding(
        probe,
        Verdict.FAILED,
        "WARNING: it let us in. The trust policy does not check sts:ExternalId, so anyone who may"
        f" use this platform could read this tenant's bills. Let the customer replace it by what"
        f" finops source policy {access.source} --part trust prints.",
    )


def _check_export(source: Source, location: Location) -> Iterator[Finding]:
    months = billing_periods(source, location)
    span = months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"
    details = f"{location.spell()}: {len(months)} billing periods, {span}"
    yield Finding("list", Verdict.OK, details)
    delivery = read_delivery(source, location, months[-1])
    size = sum(file.size_bytes for file in delivery.files)
    details = f"{location.spell(delivery.manifest)}: {len(delivery.files)} files, {size} bytes"
    yield Finding("manifest", Verdict.OK, details)
    if isinstance(location, S3Location):
        location.try_reading(delivery.files[0])
        yield Finding("read", Verdict.OK, location.spell(delivery.files[0].name))
        if location.lists_everything():
            details = "the whole bucket can be listed, which is more than is needed"
            yield Finding("least rights", Verdict.NOTE, details)
