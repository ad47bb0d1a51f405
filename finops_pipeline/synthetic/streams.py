"""The metered resources of the estate: a table of streams, one row each.

Put here: each stream's account, unit, prices and range of quantities. Keep out: turning a stream
into lines (`usage`), commitments and fees.

Quantities are integers scaled by a number of decimals, so that every product with a price is
exact. `decimals` is for exports whose numbers are doubles (at most 15 significant digits), `fine`
for exports that are text (17 decimals occur in real bills).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from finops_pipeline.synthetic.catalogue import (
    CLOUDWATCH,
    EBS,
    EC2,
    LAMBDA,
    MARKETPLACE,
    RDS,
    S3,
    TRANSFER,
    Product,
)


@dataclass(frozen=True, slots=True)
class Stream:
    """A metered resource: `low`..`high` units (scaled integers) per hour.

    `place` picks one of the tenant's three regions. `price` and `public` are USD per unit, as
    text. The first `hourly_days` days are metered by the hour, the rest by the day.
    """

    name: str
    role: str
    product: Product
    usage_type: str
    operation: str
    unit: str
    price: str
    low: int
    high: int
    decimals: int = 2
    fine: int = 2
    place: int = 0
    public: str = ""
    hourly_days: int = 0
    last_day: int = 31
    instance_type: str = ""
    waste: str = ""
    tag_style: int = 0


def _box(name: str, role: str, size: str, price: str) -> Stream:
    """Make an on-demand Linux instance that runs every full hour."""
    return Stream(
        name, role, EC2, f"BoxUsage:{size}", "RunInstances", "Hrs", price, 100, 100,
        instance_type=size,
    )  # fmt: skip


def _spot(name: str, role: str, size: str, price: str) -> Stream:
    """Make a Spot instance, which is sometimes interrupted and ends after a few days."""
    return Stream(
        name, role, EC2, f"SpotUsage:{size}", "RunInstances:SV001", "Hrs", price, 40, 100,
        hourly_days=4, last_day=9, instance_type=size, tag_style=2,
    )  # fmt: skip


STREAMS: tuple[Stream, ...] = (
    replace(_box("web-a", "prod", "m5.large", "0.096"), hourly_days=9),
    replace(_box("web-b", "prod", "m5.large", "0.096"), place=1, tag_style=1),
    replace(_box("api-a", "prod2", "c5.xlarge", "0.17"), hourly_days=4, tag_style=2),
    replace(_box("api-b", "prod2", "c5.xlarge", "0.17"), place=2, tag_style=4),
    replace(_box("build", "dev", "t3.medium", "0.0416"), place=1, tag_style=3),
    replace(_box("idle", "dev", "m5.2xlarge", "0.384"), waste="idle instance"),
    replace(_box("stage-a", "staging", "t3.large", "0.0832"), tag_style=1),
    replace(_box("mover-a", "moving", "t3.large", "0.0832"), hourly_days=2, tag_style=2),
    replace(_box("mover-b", "moving", "m5.large", "0.096"), place=2, tag_style=5),
    replace(_box("etl", "extra", "r5.xlarge", "0.252"), tag_style=4),
    replace(_box("toy", "sandbox", "t3.micro", "0.0104"), place=1, tag_style=3),
    replace(_spot("spot-a", "extra", "c5.2xlarge", "0.1363"), public="0.34", place=0),
    replace(_spot("spot-b", "dev", "m5.xlarge", "0.0721"), public="0.192", place=2),
    Stream("pg-prod", "prod", RDS, "InstanceUsage:db.r5.large", "CreateDBInstance:0014", "Hrs",
           "0.24", 100, 100, instance_type="db.r5.large"),
    Stream("aurora-staging", "staging", RDS, "Aurora:StorageIOUsage", "CreateDBInstance:0021",
           "IOs", "0.0000002", 900_000, 1_400_000, decimals=0, fine=3, tag_style=1),
    Stream("pg-storage", "prod2", RDS, "RDS:GP2-Storage", "CreateDBInstance:0014", "GB-Mo",
           "0.115", 200, 260, decimals=2, fine=10, place=1, tag_style=2),
    Stream("lake", "extra", S3, "TimedStorage-ByteHrs", "StandardStorage", "GB-Mo",
           "0.023", 8_000, 9_500, decimals=4, fine=14, tag_style=4),
    Stream("assets", "prod", S3, "TimedStorage-ByteHrs", "StandardStorage", "GB-Mo",
           "0.023", 2_000, 2_600, decimals=4, fine=14, place=1, tag_style=0),
    Stream("backup", "payer", S3, "TimedStorage-GlacierByteHrs", "GlacierStorage", "GB-Mo",
           "0.0036", 30_000, 31_000, decimals=4, fine=12, place=2, tag_style=3),
    Stream("puts", "prod", S3, "Requests-Tier1", "PutObject", "Requests",
           "0.000005", 2_000, 9_000, decimals=0, fine=0, tag_style=1),
    Stream("gets", "prod2", S3, "Requests-Tier2", "GetObject", "Requests",
           "0.0000004", 9_000, 90_000, decimals=0, fine=0, place=1, tag_style=2),
    Stream("crumbs", "dev", S3, "Requests-Tier2", "GetObject", "Requests",
           "0.0000004", 0, 3, decimals=0, fine=0, place=2, hourly_days=3, tag_style=3),
    Stream("free-s3", "sandbox", S3, "Requests-Tier1", "ListBucket", "Requests",
           "0", 1, 40, decimals=0, fine=0, public="0.000005", tag_style=3),
    Stream("lambda-req", "prod", LAMBDA, "Request", "Invoke", "Requests",
           "0.0000002", 40_000, 250_000, decimals=0, fine=10, tag_style=1),
    Stream("lambda-gb", "dev", LAMBDA, "Lambda-GB-Second", "Invoke", "Lambda-GB-Second",
           "0.0000166667", 2_000, 9_000, decimals=0, fine=7, place=1, tag_style=2),
    Stream("lambda-big", "extra", LAMBDA, "Lambda-GB-Second-ARM", "Invoke", "Lambda-GB-Second",
           "0.0000133334", 40_000, 48_000, decimals=0, fine=7, tag_style=4),
    Stream("free-lambda", "staging", LAMBDA, "Request", "Invoke", "Requests",
           "0", 100, 900, decimals=0, fine=0, public="0.0000002", tag_style=3),
    Stream("bytes", "extra", CLOUDWATCH, "DataScanned-Bytes", "StartQuery", "Bytes",
           "0.000000000005", 50_000_000_000, 99_000_000_000, decimals=0, fine=0, tag_style=2),
    Stream("logs-dev", "dev", CLOUDWATCH, "DataProcessing-Bytes", "PutLogEvents", "GB",
           "0.5", 5, 20, decimals=2, fine=9, tag_style=1),
    Stream("metrics", "prod", CLOUDWATCH, "CW:MetricMonitorUsage", "MetricStorage", "Metrics",
           "0.3", 10, 14, decimals=3, fine=12, place=2, tag_style=4),
    Stream("logs-pay", "payer", CLOUDWATCH, "DataProcessing-Bytes", "PutLogEvents", "GB",
           "0.5", 1, 5, decimals=2, fine=12, place=1, tag_style=3),
    Stream("disk-web", "prod", EBS, "EBS:VolumeUsage.gp3", "CreateVolume-Gp3", "GB-Mo",
           "0.08", 13, 14, decimals=2, fine=10, tag_style=1),
    Stream("disk-etl", "extra", EBS, "EBS:VolumeUsage.gp2", "CreateVolume-Gp2", "GB-Mo",
           "0.1", 27, 29, decimals=2, fine=10, place=1, tag_style=2),
    Stream("disk-orphan", "staging", EBS, "EBS:VolumeUsage.gp2", "CreateVolume-Gp2", "GB-Mo",
           "0.1", 68, 68, decimals=2, fine=2, waste="unattached volume", tag_style=3),
    Stream("disk-dev", "dev", EBS, "EBS:VolumeUsage.gp3", "CreateVolume-Gp3", "GB-Mo",
           "0.08", 5, 6, decimals=2, fine=10, place=2, tag_style=3),
    Stream("transfer-out", "prod", TRANSFER, "DataTransfer-Out-Bytes", "RunInstances", "GB",
           "0.09", 20, 90, decimals=2, fine=9, tag_style=1),
    Stream("transfer-region", "prod2", TRANSFER, "{from}-{to}-AWS-Out-Bytes", "RunInstances",
           "GB", "0.02", 50, 170, decimals=2, fine=10, tag_style=2),
    Stream("transfer-side", "extra", TRANSFER, "{from}-{to}-AWS-Out-Bytes", "PutObject",
           "GB", "0.02", 1, 9, decimals=2, fine=10, place=1, tag_style=4),
    Stream("observe", "prod", MARKETPLACE, "SoftwareUsage:Hosts", "Hourly", "Units",
           "0.045", 300, 340, decimals=2, fine=2, tag_style=5),
)  # fmt: skip
