"""Usage in which each rule of waste finds something, and usage in which it nearly does.

Put here: the usage, by rule. Keep out: what is expected besides the saving (test_waste_rules.py).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from tests.support.waste_bills import DEV, OTHER, Use

EC2, S3, VPC, RDS = "AmazonEC2", "AmazonS3", "AmazonVPC", "AmazonRDS"
DB = "CreateDBInstance:0014"


def use(resource: str, service: str, usage_type: str, amount: str, price: str, **more: Any) -> Use:
    return Use(resource, service, usage_type, amount, price, **more)


def hours(resource: str, service: str, usage_type: str, price: str, **more: Any) -> Use:
    return Use(resource, service, usage_type, "24", price, **more)


def stored(resource: str, usage_type: str, amount: str, price: str, **more: Any) -> Use:
    return Use(resource, S3, usage_type, amount, price, unit="GB-Mo", **more)


def box(resource: str, size: str, price: str, **more: Any) -> Use:
    return hours(resource, EC2, f"BoxUsage:{size}", price, operation="RunInstances", **more)


HITS: dict[str, tuple[list[Use], str | None]] = {
    "A01": ([hours("nat-idle", EC2, "NatGateway-Hours", "0.045")], "32.4"),
    "A02": ([hours("lb-idle", "AWSELB", "LoadBalancerUsage", "0.0225")], "16.2"),
    "A03": ([hours("vpce-idle", VPC, "VpcEndpoint-Hours", "0.01")], "7.2"),
    "A04": ([hours("fw-idle", "AWSNetworkFirewall", "Endpoint-Hour", "0.395")], "284.4"),
    "A05": ([hours("eip-idle", VPC, "PublicIPv4:IdleAddress", "0.005")], "3.6"),
    "A06": (
        [
            use("i-zones", EC2, "DataTransfer-Regional-Bytes", "1000", "0.01", unit="GB",
                operation="InterZone-In"),
        ],
        None,
    ),
    "A07": (
        [
            use("nat-busy", EC2, "NatGateway-Bytes", "100", "0.045", unit="GB"),
            stored("near-nat", "Requests-Tier1", "500", "0.000005"),
        ],
        None,
    ),
    "A08": (
        [use("vol-gp2", EC2, "EBS:VolumeUsage.gp2", "3.5", "0.1", unit="GB-Mo")],
        "1.98",  # 105 GB-months: 20 % less, without 3 MB/s for USD 0.04
    ),
    "A09": (
        [
            use("vol-io1", EC2, "EBS:VolumeUsage.piops", "3", "0.125", unit="GB-Mo"),
            use("vol-io1", EC2, "EBS:VolumeP-IOPS.piops", "100", "0.065", unit="IOPS-Mo"),
        ],
        "4.05",
    ),
    "A11": ([box("i-old", "m4.large", "0.1")], "2.88"),
    "A12": ([box("i-x86", "m5.large", "0.096")], "13.68"),
    "A13": (
        [
            hours("db-x86", RDS, "InstanceUsage:db.m5.large", "0.178", operation=DB),
            hours("db-arm", RDS, "InstanceUsage:db.m6g.large", "0.159", operation=DB),
        ],
        "13.68",
    ),
    "A14": (
        [use("fn-x86", "AWSLambda", "Lambda-GB-Second", "100000", "0.0000166667",
             unit="Lambda-GB-Second")],
        "9.9999",
    ),
    "A15": (
        [hours("task-x86", "AmazonECS", "Fargate-vCPU-Hours:perCPU", "0.04048", unit="hours")],
        "5.832",
    ),
    "A16": ([box("i-night", "c5.large", "0.085", account=DEV)], "39.342857142857"),
    "A17": ([stored("unread", "TimedStorage-ByteHrs", "10", "0.023")], "3.15"),
    "A18": ([stored("forgotten", "TimedStorage-ByteHrs", "10", "0.023")], None),
    "A19": (
        [
            use("parts", S3, "Requests-Tier1", "10", "0.000005", unit="Requests",
                operation="InitiateMultipartUpload"),
        ],
        None,
    ),
    "A20": ([stored("cold", "TimedStorage-GlacierByteHrs", "100", "0.0036")], "7.83"),
    "A21": ([stored("rare", "TimedStorage-SIA-ByteHrs", "10", "0.0125")], "2.55"),
    "A22": (
        [
            use("table", "AmazonDynamoDB", "TimedStorage-ByteHrs", "10", "0.25", unit="GB-Mo"),
            use("table", "AmazonDynamoDB", "ReadRequestUnits", "400000", "0.00000025",
                unit="ReadRequestUnits"),
        ],
        "44.25",  # 60 % of USD 75 for storage, without a quarter of USD 3
    ),
    "A23": (
        [hours("cache", "AmazonElastiCache", "NodeUsage:cache.m5.large", "0.156",
               operation="CreateCacheCluster:0002")],
        "22.464",
    ),
    "A25": ([hours("db-ancient", RDS, "ExtendedSupport:Yr1-Yr2:MySQL5.7", "0.1")], "72"),
    "A26": ([hours("cr-1", EC2, "UnusedBox:m5.large", "0.096")], "69.12"),
    "A27": ([hours("stream", "AmazonKinesis", "Storage-ShardHour", "0.015")], "10.8"),
    "A28": (
        [use("group", "AmazonCloudWatch", "DataProcessing-Bytes", "2", "0.5", unit="GB")], "15",
    ),
    "A29": ([hours("tgw-idle", VPC, "TransitGateway-Hours", "0.05")], "36"),
    "A30": (
        [use("trail", "AWSCloudTrail", "PaidEventsRecorded", "100000", "0.00002", unit="Events")],
        "60",
    ),
    "A31": ([hours("snap-fast", EC2, "EBS:FastSnapshotRestore", "0.75")], "540"),
    "A32": ([stored("old-class", "TimedStorage-RRS-ByteHrs", "10", "0.024")], "0.3"),
}  # fmt: skip
"""Rule -> usage in which it finds the first resource, and what that saves; None: unknown."""


def miss(rule: str, *more: Use, **changed: Any) -> list[Use]:
    """The hit under another name, changed or with more usage."""
    first = HITS[rule][0][0]
    name = f"miss-{first.resource}"
    return [
        replace(first, resource=name, **changed),
        *(replace(u, resource=name if u.resource == "*" else u.resource) for u in more),
    ]


MISSES: dict[str, list[Use]] = {
    "A01": miss("A01", use("*", EC2, "NatGateway-Bytes", "2", "0.045", unit="GB")),
    "A02": miss("A02", use("*", "AWSELB", "LCUUsage", "1", "0.008")),
    "A03": miss("A03", use("*", VPC, "VpcEndpoint-Bytes", "1", "0.01", unit="GB")),
    "A04": miss("A04", use("*", "AWSNetworkFirewall", "Traffic-GB-Processed", "9", "0.065")),
    "A05": miss("A05", usage_type="PublicIPv4:InUseAddress"),
    "A06": miss("A06", use("*", EC2, "DataTransfer-Regional-Bytes", "900", "0.01", unit="GB",
                           operation="InterZone-Out")),
    "A07": miss("A07", amount="10"),
    "A08": miss("A08", amount="5.8"),  # 174 GB: 125 MB/s more cost more than 20 % save
    "A09": miss("A09", use("*", EC2, "EBS:VolumeP-IOPS.piops", "600", "0.065", unit="IOPS-Mo")),
    "A11": miss("A11", operation="RunInstances:0002"),
    "A12": miss("A12", usage_type="BoxUsage:m6g.large", price="0.077"),
    "A13": miss("A13", operation="CreateDBInstance:0015"),
    "A14": miss("A14", usage_type="Lambda-GB-Second-ARM", price="0.0000133334"),
    "A15": miss("A15", usage_type="Fargate-ARM-vCPU-Hours:perCPU", price="0.03238"),
    "A16": miss("A16", amount="20"),
    "A17": miss("A17", use("*", S3, "Requests-Tier2", "50", "0.0000004", unit="Requests")),
    "A18": miss("A18", use("*", S3, "Requests-Tier1", "50", "0.000005", unit="Requests")),
    "A19": miss("A19", use("*", S3, "Requests-Tier1", "10", "0.000005", unit="Requests",
                           operation="CompleteMultipartUpload")),
    "A20": miss("A20", use("*", S3, "Standard-Retrieval-Bytes", "1", "0.01", unit="GB")),
    "A21": miss("A21", use("*", S3, "Retrieval-SIA", "1", "0.01", unit="GB")),
    "A22": miss("A22", use("*", "AmazonDynamoDB", "ReadRequestUnits", "99000000", "0.00000025")),
    "A23": miss("A23", operation="CreateCacheCluster:0001"),
    "A24": [use("miss-cluster", RDS, "Aurora:StorageIOUsage", "1000000", "0.0000002", unit="IOs"),
            use("miss-cluster", RDS, "Aurora:StorageUsage", "10", "0.1", unit="GB-Mo")],
    "A25": miss("A25", usage_type="InstanceUsage:db.m7g.large"),
    "A26": miss("A26", usage_type="UnusedBox:m5.large", amount="1"),
    "A27": miss("A27", use("*", "AmazonKinesis", "PutRequestPayloadUnits", "9", "0.000000014")),
    "A28": miss("A28", usage_type="DataProcessingIA-Bytes", price="0.25"),
    "A29": miss("A29", use("*", VPC, "TransitGateway-Bytes", "1", "0.02", unit="GB")),
    "A30": miss("A30", price="0"),
    "A31": miss("A31", amount="1"),
    "A32": miss("A32", usage_type="TimedStorage-ByteHrs", price="0.023"),
}  # fmt: skip
"""Rule -> usage in which it finds nothing, although only little is missing."""

FURTHER = [
    # D3: a volume of 151 GB, and one of 4 TB
    use("vol-151", EC2, "EBS:VolumeUsage.gp2", "5.033333333333333333", "0.1", unit="GB-Mo"),
    use("vol-4000", EC2, "EBS:VolumeUsage.gp2", "133.333333333333333333", "0.1", unit="GB-Mo"),
    # D10, D21: requests, and a price below the list
    use("fn-x86", "AWSLambda", "Request", "1000000", "0.0000002", unit="Requests"),
    box("i-deal", "m5.large", "0.048", listed="0.096"),
    # D11: two clusters of one account
    use("cluster-io", RDS, "Aurora:StorageIOUsage", "9000000", "0.0000002", unit="IOs"),
    use("cluster-io", RDS, "Aurora:StorageUsage", "1", "0.1", unit="GB-Mo"),
    # D20: an instance that is younger than the window, and one that is gone
    box("i-young", "m5.large", "0.096", first=date(2026, 9, 15)),
    box("i-gone", "m5.large", "0.096", last=date(2026, 9, 20)),
    # a region without a known price
    box("i-far", "m5.large", "0.107", region="eu-west-1"),
    use("snap-any", EC2, "EBS:SnapshotUsage", "10", "0.05", unit="GB-Mo"),
    Use("market", EC2, "NatGateway-Hours", "24", "1", kind="Credit"),
]


def every_use() -> list[Use]:
    hits = [u for uses, _ in HITS.values() for u in uses]
    unnamed = [replace(uses[0], resource="", account=OTHER) for uses, _ in HITS.values()]
    return [*hits, *(u for uses in MISSES.values() for u in uses), *unnamed, *FURTHER]
