"""Reasons why Cost Explorer and a bill differ though both are right; names of the same service.

Put here: the reasons, as data, with their origin; names of services. Keep out: comparing
(reconciliation/cost_explorer_comparison.py).
"""

from __future__ import annotations

ESTIMATED = "estimated"
PARTIAL_DAY = "partial day"
OTHER_SERVICE = "other service"
NO_SUCH_SERVICE = "no such service"
ROUNDING = "rounding"

DIFFERENCE_REASONS: dict[str, str] = {
    # AWS, "Refreshing Cost Explorer": figures of the current month are estimated until the bill is
    # final, and CUR and Cost Explorer are updated at different times.
    ESTIMATED: "AWS may still change these days in Cost Explorer: they are estimated, or were"
    " imported before the month was closed",
    # AWS, "What are AWS Cost and Usage Reports": the current month's report grows with every
    # delivery, and its latest day is incomplete.
    PARTIAL_DAY: "days after the bill's last complete day are left out",
    # Data transfer, volumes and NAT gateways are part of EC2 in one and separate in the other.
    OTHER_SERVICE: "all services together agree: AWS lists this cost under another service's name",
    NO_SUCH_SERVICE: "no service of this name on the other side",
    # GetCostAndUsage answers with up to 10 decimals, the console's CSV with 2 or 10.
    ROUNDING: "each value that is summed was rounded to the decimals that are shown",
}
"""Reason -> its text for readers. The first two and the fourth can explain a difference."""

DIGITS_OF_API, DIGITS_OF_CONSOLE = 10, 2
"""Decimals of Cost Explorer's values: those of the API, and the fewest that the console shows."""

TAX = "tax"
"""Cost Explorer has all taxes under one service; a bill has them under the service taxed."""

_SAME = {
    "ec2-instances": "elastic compute cloud",
    "elastic compute cloud - compute": "elastic compute cloud",
    "ec2 - other": "elastic compute cloud",
    "ec2-other": "elastic compute cloud",
    "elastic block store": "elastic compute cloud",
    "s3": "simple storage service",
    "rds": "relational database service",
    "sns": "simple notification service",
    "sqs": "simple queue service",
    "ses": "simple email service",
    "efs": "elastic file system",
    "eks": "elastic container service for kubernetes",
    "ec2 container service": "elastic container service",
    "ecs": "elastic container service",
    "kms": "key management service",
    "elastic mapreduce": "emr",
    "eventbridge": "cloudwatch events",
}
"""Names of the same service in Cost Explorer's API, its console and the bill."""


def service_key(name: str | None) -> str:
    """Return the name by which a service is compared: lower case, without Amazon or AWS."""
    key = _plain(name)
    return _SAME.get(key, key)


def is_main_name(name: str) -> bool:
    """Check whether a name is the one that represents a service with several names."""
    return _plain(name) not in _SAME


def _plain(name: str | None) -> str:
    key = " ".join((name or "").lower().split())
    for maker in ("amazon ", "aws ", "amazon", "aws"):
        if key.startswith(maker) and key != maker.strip():
            return key.removeprefix(maker).strip()
    return key
