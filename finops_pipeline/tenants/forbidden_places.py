"""Places that no source may read: the lake, folders of the operating system, unknown protocols.

Put here: the rule for one source on its own. Keep out: places of other tenants (place_owners.py),
the syntax of locations (places.py), hard links (sources/hard_links.py).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.model import Source
from finops_pipeline.tenants.places import Place, is_s3, place_of

_OF_THE_SYSTEM = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/run", "/sbin"),
    *("/sys", "/usr"),
)
_NOT_OF_THE_SYSTEM = ("/dev/shm", "/run/media")
"""Folders below the former in which users keep files."""


def check_place(name: str, source: Source, data: Path | None) -> None:
    """Check that a source's location is one that a source may read.

    Args:
        name: the source's full name, for the message.
        data: the data folder of the installation, if it is known.

    Raises:
        RegistryError: it is in the lake, or contains it; it is a folder of the operating system;
            or its protocol is not supported.
    """
    location = source.location
    if not location or not source.is_bill:
        return
    if "://" in location and not is_s3(location) and not location.startswith("file://"):
        raise RegistryError(
            f"source {name} reads {location}, an unsupported kind of location",
            "s3://bucket/prefix, or a local folder",
            "Copy the S3 URI of the report's folder from the S3 console, or download the folder",
        )
    place = place_of(location)
    if data is not None and place.overlaps(place_of(str(data / "lake"))):
        raise RegistryError(
            f"source {name}: {location} leads to a folder that is not its own",
            "a folder that only this tenant reads, outside the lake",
            f"Correct it: finops source add {name} --location LOCATION",
        )
    if not is_s3(location) and _is_of_the_system(place):
        raise RegistryError(
            f"source {name}: {location} is a folder of the operating system",
            "a folder of exports",
            f"Correct it: finops source add {name} --location LOCATION",
        )


def _is_of_the_system(place: Place) -> bool:
    """Check whether a folder is the root folder, or one of the system's, or in one."""
    if len(place.segments) < 2:
        return True
    containers = set(place.containers())
    return bool(containers & _places(_OF_THE_SYSTEM)) and not containers & _places(
        _NOT_OF_THE_SYSTEM
    )


@cache
def _places(folders: tuple[str, ...]) -> frozenset[Place]:
    return frozenset(place_of(folder) for folder in folders)
