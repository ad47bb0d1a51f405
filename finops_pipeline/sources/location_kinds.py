"""The choice of the kind of location that a source's exports are in.

Put here: opening a source's location, and the messages when it cannot be opened. Keep out: the
kinds themselves (location.py, s3.py). In location.py this would be an import cycle, since s3.py
needs ExportFile from there.
"""

from __future__ import annotations

from pathlib import Path

from finops_pipeline.errors import RegistryError
from finops_pipeline.sources.credentials import make_access
from finops_pipeline.sources.location import LocalFolder, Location
from finops_pipeline.sources.s3 import S3Location
from finops_pipeline.tenants.model import Source, Tenant
from finops_pipeline.tenants.places import is_s3


def open_location(tenant: Tenant, source: Source) -> Location:
    """Open a source's location. No request to S3 is sent yet.

    Raises:
        RegistryError: no such folder, or an unsupported kind of location.
        AccessRefused: the source has a role, but the tenant has no external id.
    """
    location, full_name = source.location, f"{tenant.name}/{source.name}"
    if not location:
        raise RegistryError(
            f"source {full_name} has no location",
            "a folder that contains the export",
            f"Set one: finops source add {full_name} --location FOLDER; or import files:"
            f" finops ingest-file {full_name} FILE",
        )
    if is_s3(location):
        return S3Location(make_access(tenant, source), location)
    if "://" in location and not location.startswith("file://"):
        raise RegistryError(
            f"source {full_name} reads {location}, an unsupported kind of location",
            "s3://bucket/prefix, or a local folder",
            "Copy the report's folder to one of them and set the location to it",
        )
    root = Path(location.removeprefix("file://"))
    if not root.is_dir():
        raise RegistryError(
            f"source {full_name} reads {location}, but there is no such folder",
            "the folder of the report, as AWS delivers it",
            "Correct the location or copy the files there",
        )
    return LocalFolder(root)
