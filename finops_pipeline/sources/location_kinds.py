"""The kinds of location that a source's exports may lie in: which one a source has, opened.

Put here: the choice between kinds, and the message for a location that cannot be opened. Keep out:
the kinds themselves (location.py, s3.py); in location.py the choice would close an import cycle,
since s3.py needs ExportFile from there.
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
    """Open a source's location. No request to S3 is sent yet.

    Raises:
        RegistryError: no such folder, or an unsupported kind of location.
        AccessRefused: a role without the tenant's external id.
    """
    location, full_name = source.location, f"{tenant.name}/{source.name}"
    if not location:
        raise RegistryError(
            f"source {full_name} has no location",
            "a folder with the export",
            f"Set one, or bring files by hand: finops ingest-file {full_name} FILE",
        )
    if is_s3(location):
        return S3Location(access_of(tenant, source), location)
    if "://" in location and not location.startswith("file://"):
        raise RegistryError(
            f"source {full_name} reads {location}, an unsupported kind of location",
            "s3://bucket/prefix, or a local folder",
            "Copy the report's folder to one of them and set the location to it",
        )
    root = Path(location.removeprefix("file://"))
    if not root.is_dir():
        raise RegistryError(
            f"source {full_name} reads {location}, and there is no such folder",
            "the folder of the report, as AWS delivers it",
            "Correct the location or bring the files there",
        )
    return LocalFolder(root)
