"""The door to a source's exports: which kind of location it is, opened.

Put here: the choice between kinds, and what is said of one that cannot be opened. Keep out: the
kinds themselves (location.py, s3.py).
"""

from __future__ import annotations

from pathlib import Path

from finops_pipeline.errors import RegistryError
from finops_pipeline.sources.credentials import access_of
from finops_pipeline.sources.location import LocalFolder, Location
from finops_pipeline.sources.s3 import S3Location
from finops_pipeline.tenants.model import Source, Tenant
from finops_pipeline.tenants.places import is_s3


def open_location(tenant: Tenant, source: Source) -> Location:
    """The door to a source's location. Nothing is asked of S3 yet.

    Raises:
        RegistryError: there is no such folder, or a kind of location that is not read.
        AccessRefused: a role without the tenant's external id.
    """
    location, what = source.location, f"{tenant.name}/{source.name}"
    if not location:
        raise RegistryError(
            f"source {what} has no location",
            "a folder with the export",
            f"Set one, or bring files by hand: finops ingest-file {what} FILE",
        )
    if is_s3(location):
        return S3Location(access_of(tenant, source), location)
    if "://" in location and not location.startswith("file://"):
        raise RegistryError(
            f"source {what} reads {location}, a kind of place that is not read",
            "s3://bucket/prefix, or a local folder",
            "Copy the report's folder to one of them and set the location to it",
        )
    root = Path(location.removeprefix("file://"))
    if not root.is_dir():
        raise RegistryError(
            f"source {what} reads {location}, and there is no such folder",
            "the folder of the report, as AWS delivers it",
            "Correct the location or bring the files there",
        )
    return LocalFolder(root)
