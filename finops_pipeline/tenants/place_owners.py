"""Which tenants read which places, and the rule that no two tenants read the same.

Put here: finding overlapping places and shared role accounts among all tenants. Keep out: what a
place is (places.py), storing tenants (registry.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.model import Source, Tenant
from finops_pipeline.tenants.places import Place, role_account


class PlaceOwners:
    """The places and role accounts of all tenants; each is read once, so that a thousand tenants
    are compared without comparing each with every other."""

    def __init__(self, tenants: Iterable[Tenant]) -> None:
        self._exactly: defaultdict[Place, set[str]] = defaultdict(set)
        self._at_or_below: defaultdict[Place, set[str]] = defaultdict(set)
        self._accounts: defaultdict[str, set[str]] = defaultdict(set)
        for tenant in tenants:
            for source in tenant.sources:
                self._accounts[role_account(source.role_arn)].add(tenant.name)
                for place in source.places:
                    self._exactly[place].add(tenant.name)
                    for container in place.containers():
                        self._at_or_below[container].add(tenant.name)

    def check_own(self, tenant: str, source: Source) -> None:
        """Check that no other tenant reads a source's location or uses the account of its role.

        A folder of bills belongs to one tenant: otherwise `unassigned` would show the accounts of
        another one.

        Raises:
            RegistryError: another tenant does; the message does not name it.
        """
        label = f"source {tenant}/{source.name}"
        if any(self._readers(place) - {tenant} for place in source.places):
            reads = source.location or "Cost Explorer with these credentials"
            raise RegistryError(
                f"{label} reads {reads}, a location that belongs to another tenant",
                "a place that only one tenant reads",
                "Correct the location; one export never feeds two tenants",
            )
        account = role_account(source.role_arn)
        if account and self._accounts[account] - {tenant}:
            raise RegistryError(
                f"{label} uses a role of account {account}, which belongs to another tenant",
                "a role in an account of this tenant",
                "Correct role_arn; the roles of one account serve only one tenant",
            )

    def _readers(self, place: Place) -> set[str]:
        """Return the tenants that read a place, a part of it, or something that contains it."""
        readers = set(self._at_or_below.get(place, ()))
        return readers.union(*(self._exactly.get(p, ()) for p in place.containers()))
