"""Waste that the bill alone shows, one item for each rule of tier A, with its near miss.

Put here: usage and prices. Keep out: what needs an inventory or CloudWatch
(`waste_of_resources`), the classes (`waste_items`).

Two rules are not planted: A24 (aurora_io_optimized) never knows enough to find anything, and A10
(old_snapshot) only with bills of thirteen months, which `waste_estate` writes on request.
"""

from __future__ import annotations

from finops_pipeline.synthetic.waste_items import Meter, WasteItem

_EC2, _S3, _VPC, _RDS = "AmazonEC2", "AmazonS3", "AmazonVPC", "AmazonRDS"
_POSTGRES, _REDIS, _MEMCACHED = (
    "CreateDBInstance:0014",
    "CreateCacheCluster:0002",
    "CreateCacheCluster:0001",
)
_RUN = "RunInstances"


def _hours(service: str, usage_type: str, price: str, operation: str = "") -> Meter:
    return Meter(service, usage_type, "24", price, "Hrs", operation)


def _box(size: str, price: str, operation: str = _RUN, amount: str = "24") -> Meter:
    return Meter(_EC2, f"BoxUsage:{size}", amount, price, "Hrs", operation)


def _stored(usage_type: str, amount: str, price: str, service: str = _S3) -> Meter:
    return Meter(service, usage_type, amount, price, "GB-Mo")


def _gigabytes(service: str, usage_type: str, amount: str, price: str) -> Meter:
    return Meter(service, usage_type, amount, price, "GB")


def _between_zones(amount: str, way: str) -> Meter:
    return Meter(_EC2, "DataTransfer-Regional-Bytes", amount, "0.01", "GB", f"InterZone-{way}")


def _requests(tier: str, amount: str, operation: str = "") -> Meter:
    price = "0.000005" if tier == "Tier1" else "0.0000004"
    return Meter(_S3, f"Requests-{tier}", amount, price, "Requests", operation)


_NAT, _BALANCER = _hours(_EC2, "NatGateway-Hours", "0.045"), _hours("AWSELB", "LoadBalancerUsage",
                                                                    "0.0225")  # fmt: skip
_ENDPOINT, _WALL = (
    _hours(_VPC, "VpcEndpoint-Hours", "0.01"),
    _hours("AWSNetworkFirewall", "Endpoint-Hour", "0.395"),
)
_STREAM, _TRANSIT = (
    _hours("AmazonKinesis", "Storage-ShardHour", "0.015"),
    _hours(_VPC, "TransitGateway-Hours", "0.05"),
)
_GP2, _IO1 = (
    _stored("EBS:VolumeUsage.gp2", "105", "0.1", _EC2),
    _stored("EBS:VolumeUsage.piops", "93", "0.125", _EC2),
)
_IOPS = Meter(_EC2, "EBS:VolumeP-IOPS.piops", "2500", "0.065", "IOPS-Mo")
_ITEMS_OF_TABLE = _stored("TimedStorage-ByteHrs", "300", "0.25", "AmazonDynamoDB")
_READS = Meter("AmazonDynamoDB", "ReadRequestUnits", "400000", "0.00000025", "ReadRequestUnits")
_SNAPSHOT = _stored("EBS:SnapshotUsage", "60", "0.05", _EC2)

_NETWORK = (
    WasteItem("A01", "nat-idle", (_NAT,),
              near=(_NAT, _gigabytes(_EC2, "NatGateway-Bytes", "2", "0.045"))),
    WasteItem("A02", "lb-idle", (_BALANCER,),
              near=(_BALANCER, Meter("AWSELB", "LCUUsage", "1", "0.008", "LCU-Hrs"))),
    WasteItem("A03", "vpce-idle", (_ENDPOINT,),
              near=(_ENDPOINT, _gigabytes(_VPC, "VpcEndpoint-Bytes", "1", "0.01"))),
    WasteItem("A04", "fw-idle", (_WALL,),
              near=(_WALL, _gigabytes("AWSNetworkFirewall", "Traffic-GB-Processed", "9", "0.065"))),
    WasteItem("A05", "address-idle", (_hours(_VPC, "PublicIPv4:IdleAddress", "0.005"),),
              near=(_hours(_VPC, "PublicIPv4:InUseAddress", "0.005"),)),
    WasteItem("A06", "zones", (_between_zones("1000", "In"),), None,
              near=(_between_zones("1000", "In"), _between_zones("900", "Out"))),
    WasteItem("A07", "nat-busy", (_gigabytes(_EC2, "NatGateway-Bytes", "100", "0.045"),), None,
              near=(_gigabytes(_EC2, "NatGateway-Bytes", "10", "0.045"),)),
    WasteItem("A29", "tgw-idle", (_TRANSIT,),
              near=(_TRANSIT, _gigabytes(_VPC, "TransitGateway-Bytes", "1", "0.02"))),
)  # fmt: skip

_COMPUTE = (
    WasteItem("A08", "vol-gp2", (_GP2,), near=(_stored("EBS:VolumeUsage.gp2", "174", "0.1", _EC2),),
              after=(_stored("EBS:VolumeUsage.gp3", "105", "0.08", _EC2),
                     Meter(_EC2, "EBS:VolumeP-Throughput.gp3", "3", "0.04", "MiBps-Mo"))),
    WasteItem("A09", "vol-io1", (_IO1, _IOPS), compared=("EBS:VolumeUsage.piops",
                                                         "EBS:VolumeUsage.gp3"),
              after=(_stored("EBS:VolumeUsage.gp3", "93", "0.08", _EC2),),
              near=(_IO1, Meter(_EC2, "EBS:VolumeP-IOPS.piops", "18000", "0.065", "IOPS-Mo"))),
    WasteItem("A10", "snap-ancient", (_SNAPSHOT,), is_old=True),
    WasteItem("A11", "i-old", (_box("m4.large", "0.1"),), (_box("m5.large", "0.096"),),
              near=(_box("m4.large", "0.1", "RunInstances:0002"),)),
    WasteItem("A12", "i-x86", (_box("m5.large", "0.096"),), (_box("m6g.large", "0.077"),),
              near=(_box("m6g.large", "0.077"),)),
    WasteItem("A16", "i-night", (_box("c6g.large", "0.068"),), role="lab",
              after=(_box("c6g.large", "0.068", amount="8.571429"),),
              near=(_box("c6g.large", "0.068", amount="20"),)),
    WasteItem("A14", "fn-x86", (Meter("AWSLambda", "Lambda-GB-Second", "100000", "0.0000166667",
                                      "Lambda-GB-Second"),),
              after=(Meter("AWSLambda", "Lambda-GB-Second-ARM", "100000", "0.0000133334",
                           "Lambda-GB-Second"),),
              near=(Meter("AWSLambda", "Lambda-GB-Second-ARM", "100000", "0.0000133334",
                          "Lambda-GB-Second"),)),
    WasteItem("A15", "task-x86", (_hours("AmazonECS", "Fargate-vCPU-Hours:perCPU", "0.04048"),),
              after=(_hours("AmazonECS", "Fargate-ARM-vCPU-Hours:perCPU", "0.03238"),),
              near=(_hours("AmazonECS", "Fargate-ARM-vCPU-Hours:perCPU", "0.03238"),)),
    WasteItem("A26", "cr-unused", (_hours(_EC2, "UnusedBox:m5.large", "0.096"),),
              near=(Meter(_EC2, "UnusedBox:m5.large", "1", "0.096"),)),
    WasteItem("A31", "snap-fast", (_hours(_EC2, "EBS:FastSnapshotRestore", "0.75"),),
              near=(Meter(_EC2, "EBS:FastSnapshotRestore", "1", "0.75"),)),
)  # fmt: skip

_DATA = (
    WasteItem("A13", "db-x86", (_hours(_RDS, "InstanceUsage:db.m5.large", "0.178", _POSTGRES),),
              after=(_hours(_RDS, "InstanceUsage:db.m6g.large", "0.159", _POSTGRES),),
              near=(_hours(_RDS, "InstanceUsage:db.m5.large", "0.178", "CreateDBInstance:0015"),)),
    WasteItem("A22", "table-cold", (_ITEMS_OF_TABLE, _READS),
              after=(_stored("IA-TimedStorage-ByteHrs", "300", "0.1", "AmazonDynamoDB"),
                     Meter("AmazonDynamoDB", "IA-ReadRequestUnits", "400000", "0.0000003125",
                           "ReadRequestUnits")),
              near=(_ITEMS_OF_TABLE, _READS, Meter("AmazonDynamoDB", "WriteRequestUnits",
                                                   "90000000", "0.00000125", "WriteRequestUnits"))),
    WasteItem("A23", "cache-redis",
              (_hours("AmazonElastiCache", "NodeUsage:cache.m5.large", "0.156", _REDIS),),
              after=(_hours("AmazonElastiCache", "NodeUsage:cache.m5.large", "0.1248",
                            "CreateCacheCluster:0003"),),
              near=(_hours("AmazonElastiCache", "NodeUsage:cache.m5.large", "0.156", _MEMCACHED),)),
    WasteItem("A25", "db-ancient", (_hours(_RDS, "ExtendedSupport:Yr1-Yr2:MySQL5.7", "0.1"),),
              near=(_hours(_RDS, "InstanceUsage:db.m7g.large", "0.168", _POSTGRES),)),
    WasteItem("A27", "stream-idle", (_STREAM,),
              near=(_STREAM, Meter("AmazonKinesis", "PutRequestPayloadUnits", "9", "0.000000014",
                                   "PutRequest"))),
    WasteItem("A28", "log-group", (_gigabytes("AmazonCloudWatch", "DataProcessing-Bytes", "2",
                                              "0.5"),),
              after=(_gigabytes("AmazonCloudWatch", "DataProcessingIA-Bytes", "2", "0.25"),),
              near=(_gigabytes("AmazonCloudWatch", "DataProcessingIA-Bytes", "2", "0.25"),)),
    WasteItem("A30", "trail", (Meter("AWSCloudTrail", "PaidEventsRecorded", "100000", "0.00002",
                                     "Events"),),
              near=(Meter("AWSCloudTrail", "FreeEventsRecorded", "100000", "0", "Events"),)),
)  # fmt: skip

_BUSY = (_requests("Tier1", "50"), _requests("Tier2", "500"))
_STANDARD = _stored("TimedStorage-ByteHrs", "310", "0.023")

_BUCKETS = (
    WasteItem("A17", "unread", (_STANDARD, _requests("Tier1", "50")),
              after=(_stored("TimedStorage-SIA-ByteHrs", "310", "0.0125"),
                     _requests("Tier1", "50")),
              near=(_STANDARD, *_BUSY)),
    WasteItem("A18", "forgotten", (_stored("TimedStorage-INT-FA-ByteHrs", "310", "0.023"),), None,
              near=(_stored("TimedStorage-INT-FA-ByteHrs", "310", "0.023"), *_BUSY)),
    WasteItem("A19", "parts", (_requests("Tier1", "10", "InitiateMultipartUpload"),), None,
              near=(_requests("Tier1", "10", "InitiateMultipartUpload"),
                    _requests("Tier1", "10", "CompleteMultipartUpload"))),
    WasteItem("A20", "cold", (_stored("TimedStorage-GlacierByteHrs", "3100", "0.0036"), *_BUSY),
              after=(_stored("TimedStorage-GDA-ByteHrs", "3100", "0.00099"), *_BUSY),
              near=(_stored("TimedStorage-GlacierByteHrs", "3100", "0.0036"), *_BUSY,
                    _gigabytes(_S3, "Standard-Retrieval-Bytes", "1", "0.01"))),
    WasteItem("A21", "rare", (_stored("TimedStorage-SIA-ByteHrs", "310", "0.0125"), *_BUSY),
              after=(_stored("TimedStorage-GIR-ByteHrs", "310", "0.004"), *_BUSY),
              near=(_stored("TimedStorage-SIA-ByteHrs", "310", "0.0125"), *_BUSY,
                    _gigabytes(_S3, "Retrieval-SIA", "1", "0.01"))),
    WasteItem("A32", "old-class", (_stored("TimedStorage-RRS-ByteHrs", "310", "0.024"), *_BUSY),
              after=(_stored("TimedStorage-ByteHrs", "310", "0.023"), *_BUSY),
              near=(_STANDARD, *_BUSY)),
)  # fmt: skip

BILLED_ITEMS = (*_NETWORK, *_COMPUTE, *_DATA, *_BUCKETS)

OWN_PRICES: dict[tuple[str, str], tuple[str, str]] = {
    (_RDS, f"InstanceUsage:db.m6g.large/{_POSTGRES}"): ("Hrs", "0.159"),
    ("AmazonElastiCache", "NodeUsage:cache.m5.large/Valkey"): ("Hrs", "0.1248"),
    (_EC2, "BoxUsage:m5.large"): ("Hrs", "0.096"),
}
"""Prices in us-east-1 that neither the bills nor the shipped list have: (unit, price)."""
