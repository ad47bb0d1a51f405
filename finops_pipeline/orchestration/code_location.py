"""Loading a changed registry into Dagster without a person.

Put here: noticing that partitions have changed, and asking the webserver to load them. Keep out:
the partitions (partitions.py), when this is called (automatic_runs.py).

The daemon loads the definitions again every minute by itself. The webserver does so only when it is
asked; if it shares a code server with the daemon (`dagster dev`), that loads them for both.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence

from finops_pipeline.application.first_month import find_first_month
from finops_pipeline.application.installation import Installation
from finops_pipeline.orchestration.partitions import Partitions, partitions
from finops_pipeline.tenants.model import Tenant

LOCATION = "finops_pipeline"
"""The name of the code location that has all tenants; a share's name is its own."""

_SECONDS = 10.0
_RELOAD = """
mutation ($name: String!) {
  reloadRepositoryLocation(repositoryLocationName: $name) { __typename }
}
"""


class CodeLocation:
    """The code location of a share of the tenants, as this process has loaded it."""

    def __init__(self, installation: Installation, loaded: Partitions) -> None:
        self._installation = installation
        self._loaded = loaded

    def show(self, tenants: Sequence[Tenant], shown: str) -> tuple[str, str]:
        """Have the webserver load the present partitions, unless it was told before.

        It is told at the first look, too: it may have been started long before this process.

        Args:
            shown: the mark of the partitions that it was last told of.

        Returns:
            the mark that it has been told of now, and a note; empty if there was nothing to do.
        """
        first = find_first_month(self._installation, tenants)
        present = partitions(tenants, first, self._loaded.shard).mark
        address = self._installation.settings.dagster_url
        if present == shown or not address:
            return present, ""
        try:
            answer = ask_webserver(address, _RELOAD, {"name": self.name})
        except (OSError, ValueError) as error:
            return shown, f"Dagster's webserver at {address} cannot be asked to reload: {error}"
        loaded = answer.get("data", {}).get("reloadRepositoryLocation", {}).get("__typename")
        return present, f"tenants, sources or projects have changed; reloaded: {loaded}"

    @property
    def name(self) -> str:
        """Its name in `workspace.yaml`."""
        shard = self._loaded.shard
        return shard.name if shard.count > 1 else LOCATION


def ask_webserver(
    address: str, query: str, variables: dict[str, str]
) -> dict[str, dict[str, dict[str, str]]]:
    """Ask Dagster's webserver by GraphQL.

    Raises:
        OSError: it cannot be reached, or refuses.
        ValueError: its answer is not JSON.
    """
    body = json.dumps({"query": query, "variables": variables}).encode()
    url = f"{address.rstrip('/')}/graphql"
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=_SECONDS) as response:
        answer: dict[str, dict[str, dict[str, str]]] = json.load(response)
    return answer
