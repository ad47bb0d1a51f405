"""Probes of a source's access, step by step: which steps work, and the cure for one that fails.

Put here: the probes, in the order in which access is built up. Keep out: changing anything, and
printing the findings (cli/source_access.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from finops_pipeline.errors import AccessRefused, FinopsError, counted
from finops_pipeline.sources.aws import assume_role, caller_arn, sts_client
from finops_pipeline.sources.credentials import Access, make_access, translate_errors
from finops_pipeline.sources.data_exports import billing_periods, read_delivery
from finops_pipeline.sources.inventory_api import InventoryApi
from finops_pipeline.sources.location import Location
from finops_pipeline.sources.location_kinds import open_location
from finops_pipeline.sources.s3 import S3Location
from finops_pipeline.tenants.collected_source import CollectedSource
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
    """The result of one probe: what was tried, how it ended, and details or a cure."""

    probe: str
    verdict: Verdict
    details: str


def check(tenant: Tenant, source: Source) -> Iterator[Finding]:
    """Try everything that reading a source needs, and check that nobody else has access.

    Stops at the first failure that would make the remaining probes meaningless.
    """
    try:
        if source.in_aws:
            yield from _check_access(make_access(tenant, source))
        yield from PROBES[source.kind](tenant, source)
    except FinopsError as error:
        yield Finding(_failed_probe(error), Verdict.FAILED, str(error))


def _failed_probe(error: FinopsError) -> str:
    return "access" if isinstance(error, AccessRefused) else "export"


def _check_cost_explorer_api(tenant: Tenant, source: Source) -> Iterator[Finding]:
    details = "not tested: a request costs USD 0.01; finops ingest sends the first one"
    yield Finding("cost explorer", Verdict.NOTE, details)


def _check_cost_explorer_csv(tenant: Tenant, source: Source) -> Iterator[Finding]:
    details = "no endpoint: import the console's CSV with finops ingest-file"
    yield Finding("cost explorer", Verdict.NOTE, details)


def _check_bill(tenant: Tenant, source: Source) -> Iterator[Finding]:
    if source.location:
        yield from _check_export(source, open_location(tenant, source))
        return
    details = f"no location: import files with finops ingest-file {tenant.name}/{source.name} FILE"
    yield Finding("location", Verdict.NOTE, details)


def _check_inventory(tenant: Tenant, source: Source) -> Iterator[Finding]:
    assert isinstance(source, CollectedSource)
    api = InventoryApi(make_access(tenant, source), source.regions)
    account = api.find_account()
    listings = [listing.covered for listing in api.list_resources(account)]
    for covered in (*listings, *api.gaps):
        probe = f"{covered.resource_type} in {covered.region_id}"
        if covered.state in ("denied", "failed"):
            yield Finding(probe, Verdict.NOTE, f"{covered.state}: {covered.reason}")
    known = sum(covered.state == "collected" for covered in listings)
    details = f"{known} of {counted(len(listings), 'listing')} of account {account} can be read"
    yield Finding("inventory", Verdict.OK if known else Verdict.FAILED, details)


def _check_inventory_files(tenant: Tenant, source: Source) -> Iterator[Finding]:
    details = f"no location: import files with finops ingest-file {tenant.name}/{source.name} FILE"
    yield Finding("location", Verdict.NOTE, details)


def _check_cloudwatch(tenant: Tenant, source: Source) -> Iterator[Finding]:
    details = "not tested: requests are paid; finops ingest sends the first one"
    yield Finding("cloudwatch", Verdict.NOTE, details)


PROBES: dict[SourceKind, Callable[[Tenant, Source], Iterator[Finding]]] = {
    **dict.fromkeys(BILL_KINDS, _check_bill),
    SourceKind.COST_EXPLORER_API: _check_cost_explorer_api,
    SourceKind.COST_EXPLORER_CSV: _check_cost_explorer_csv,
    SourceKind.INVENTORY_API: _check_inventory,
    SourceKind.INVENTORY_FILES: _check_inventory_files,
    SourceKind.CLOUDWATCH: _check_cloudwatch,
}
"""The probes of each kind of source, after those of its credentials."""


def _check_access(access: Access) -> Iterator[Finding]:
    store = access.endpoint_url and not is_amazon(access.endpoint_url)
    if not access.role_arn and store:
        return  # stores like S3 rarely have STS; listing shows whether the keys are valid
    sts = sts_client(access)
    with translate_errors(access, "identify the owner of the credentials"):
        yield Finding(
            "credentials", Verdict.OK, f"{caller_arn(sts)}, from {_credentials_source(access)}"
        )
    if not access.role_arn:
        return
    with translate_errors(access, "assume the role"):
        assume_role(sts, access, access.external_id)
    yield Finding("assume role", Verdict.OK, f"{access.role_arn}, with the tenant's external id")
    yield _check_external_id_required(sts, access, "with a wrong external id", str(uuid4()))
    yield _check_external_id_required(sts, access, "without an external id", None)


def _credentials_source(access: Access) -> str:
    return f"profile {access.profile}" if access.profile else "the default credential chain"


def _check_external_id_required(
    sts: Any, access: Access, how: str, external_id: str | None
) -> Finding:
    """Check that the role refuses a caller who does not know the tenant's external id."""
    probe = f"role refuses callers {how}"
    try:
        assume_role(sts, access, external_id)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code == "AccessDenied":
            return Finding(probe, Verdict.OK, "refused, as it should be")
        return Finding(probe, Verdict.NOTE, f"undecided: STS answered {code}; try again")
    return Finding(
        probe,
        Verdict.FAILED,
        "WARNING: the role was assumed. Its trust policy does not check sts:ExternalId, so anyone"
        " who may use this platform could read this tenant's bills. Ask the customer to replace the"
        f" policy with the output of finops source policy {access.source} --part trust.",
    )


def _check_export(source: Source, location: Location) -> Iterator[Finding]:
    months = billing_periods(source, location)
    span = months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"
    details = f"{location.full_path()}: {counted(len(months), 'billing period')}, {span}"
    yield Finding("list", Verdict.OK, details)
    delivery = read_delivery(source, location, months[-1])
    size = sum(file.size_bytes for file in delivery.files)
    contents = f"{counted(len(delivery.files), 'file')}, {counted(size, 'byte')}"
    details = f"{location.full_path(delivery.manifest)}: {contents}"
    yield Finding("manifest", Verdict.OK, details)
    if isinstance(location, S3Location):
        location.try_reading(delivery.files[0])
        yield Finding("read", Verdict.OK, location.full_path(delivery.files[0].name))
        if location.can_list_whole_bucket():
            details = "the credentials can list the entire bucket, which is more than they need"
            yield Finding("least privilege", Verdict.NOTE, details)
