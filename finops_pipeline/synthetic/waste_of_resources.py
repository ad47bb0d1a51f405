"""Waste that inventories and CloudWatch show, one item for each rule of tiers B and C.

Put here: usage, descriptions and statistics. Keep out: what the bill alone shows
(`waste_of_bills`), the classes (`waste_items`).

Items in eu-central-1 have no age that matters, so that tests can create them in an AWS-compatible
server, which gives everything the age of now.
"""

from __future__ import annotations

from finops_pipeline.synthetic.waste_items import CENTRAL, Described, Meter, WasteItem

_EC2, _RDS = "AmazonEC2", "AmazonRDS"
_INSTANCE, _VOLUME, _SNAPSHOT, _IMAGE, _ADDRESS, _GATEWAY, _ENDPOINT = (
    "AWS::EC2::Instance",
    "AWS::EC2::Volume",
    "AWS::EC2::Snapshot",
    "AWS::EC2::Image",
    "AWS::EC2::EIP",
    "AWS::EC2::NatGateway",
    "AWS::EC2::VPCEndpoint",
)
_BALANCER, _GROUP = (
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::ElasticLoadBalancingV2::TargetGroup",
)
_DATABASE, _DATABASE_SNAPSHOT, _FUNCTION = (
    "AWS::RDS::DBInstance",
    "AWS::RDS::DBSnapshot",
    "AWS::Lambda::Function",
)
_CACHE, _CLUSTER, _TABLE = (
    "AWS::ElastiCache::CacheCluster",
    "AWS::Redshift::Cluster",
    "AWS::DynamoDB::Table",
)
_BUCKET, _LOGS = "AWS::S3::Bucket", "AWS::Logs::LogGroup"


def _arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:{{region}}:{{account}}:{name}"


def _box(size: str, price: str) -> Meter:
    return Meter(_EC2, f"BoxUsage:{size}", "24", price, "Hrs", "RunInstances")


def _hours(service: str, usage_type: str, price: str) -> Meter:
    return Meter(service, usage_type, "24", price)


def _stored(service: str, usage_type: str, amount: str, price: str) -> Meter:
    return Meter(service, usage_type, amount, price, "GB-Mo")


def _processor(peak: float, p99: float = 0.0) -> dict[str, float]:
    return {"Average": p99, "Maximum": peak, "p95": p99, "p99": p99, "SampleCount": 288}


def _total(amount: float) -> dict[str, float]:
    return {"Sum": amount, "Maximum": amount, "SampleCount": 288}


def _gauge(peak: float) -> dict[str, float]:
    return {"Average": peak, "Maximum": peak, "SampleCount": 1440}


_QUIET = {
    "AWS/EC2 CPUUtilization": _processor(3.5, 2.0),
    "AWS/EC2 NetworkIn": _total(2_000_000),
    "AWS/EC2 NetworkOut": _total(2_900_000),
}
_LOUD = _QUIET | {"AWS/EC2 NetworkOut": _total(3_100_000)}
_SPARE = {
    "AWS/EC2 CPUUtilization": _processor(60, 39),
    "AWS/EC2 NetworkIn": _total(9e9),
    "AWS/EC2 NetworkOut": _total(9e9),
    "CWAgent mem_used_percent": _processor(50, 39),
}
_FULL = _SPARE | {"CWAgent mem_used_percent": _processor(80, 40)}
_NOTHING = {"AWS/EBS VolumeReadOps": _total(0.5), "AWS/EBS VolumeWriteOps": _total(0.4)}
_LITTLE = {"AWS/EBS VolumeReadOps": _total(0.5), "AWS/EBS VolumeWriteOps": _total(0.5)}
_USED = {"AWS/EBS VolumeReadOps": _total(900), "AWS/EBS VolumeWriteOps": _total(900)}


def _reads(amount: float) -> dict[str, dict[str, float]]:
    names = ("ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits")
    return {f"AWS/DynamoDB {name}": _total(amount) for name in names}


def _calls(number: float, errors: float) -> dict[str, dict[str, float]]:
    counts = {"Invocations": number, "Errors": errors}
    return {f"AWS/Lambda {name}": _total(amount) for name, amount in counts.items()}


_FUNCTION_ARN, _BALANCER_ARN = (
    _arn("lambda", "function:{id}"),
    _arn("elasticloadbalancing", "loadbalancer/{id}"),
)
_ARM = "Lambda-GB-Second-ARM"
_DURATION = Meter("AWSLambda", _ARM, "100000", "0.0000133334", "Lambda-GB-Second")
_REQUESTS = Meter("AWSLambda", "Request", "5000", "0.0000002", "Requests")


def _function(memory: int, used: float, errors: float = 0) -> tuple[Described, ...]:
    insights = {"Maximum": used + 20, "p99": used, "SampleCount": 288}
    metrics = _calls(1000, errors) | {"LambdaInsights used_memory_max": insights}
    return (Described(_FUNCTION, "{id}", {"memory_mib": memory}, metrics, _FUNCTION_ARN),)


def _volume(attached_to: str, metrics: dict[str, dict[str, float]]) -> Described:
    attachments = [attached_to] if attached_to else []
    return Described(_VOLUME, "{id}", {"attachments": attachments}, metrics)


def _balancer(requests: float, targets: int) -> tuple[Described, ...]:
    listed = [{"id": f"i-{n}", "state": "healthy"} for n in range(targets)]
    metrics = {"AWS/ApplicationELB RequestCount": _total(requests)}
    group = {"load_balancers": [_BALANCER_ARN], "targets": listed}
    return (
        Described(_BALANCER, "{id}", {}, metrics, _BALANCER_ARN),
        Described(_GROUP, "targetgroup/{id}/1", group),
    )


def _database(connections: float, age: int = 400) -> tuple[Described, ...]:
    metrics = {"AWS/RDS DatabaseConnections": _gauge(connections)}
    return (Described(_DATABASE, "{id}", {}, metrics, _arn("rds", "db:{id}"), "available", age),)


def _image(snapshot: str, launched: str) -> Described:
    attributes = {"snapshots": [snapshot], "last_launched_at": launched}
    return Described(_IMAGE, "ami-{id}", attributes)


def _endpoint(name: str, service: str, age: int) -> Described:
    attributes = {"endpoint_type": "Interface", "service_name": service, "vpc_id": "vpc-1"}
    return Described(_ENDPOINT, name, attributes, age=age)


_GP3 = _stored(_EC2, "EBS:VolumeUsage.gp3", "124", "0.08")
_KEPT = _stored(_EC2, "EBS:SnapshotUsage", "62", "0.05")
_ELB = _hours("AWSELB", "LoadBalancerUsage", "0.0225")
_LCU = Meter("AWSELB", "LCUUsage", "1", "0.008", "LCU-Hrs")
_READ = Meter("AmazonS3", "Requests-Tier2", "500", "0.0000004", "Requests")
_ELASTIC, _BYTES = (
    _hours("AmazonVPC", "PublicIPv4:InUseAddress", "0.005"),
    Meter("AmazonEC2", "NatGateway-Bytes", "2", "0.045", "GB"),
)

_MEASURED = (
    WasteItem("B01", "i-0b01", (_box("m6g.large", "0.077"),), region=CENTRAL,
              described=(Described(_INSTANCE, "{id}", {"instance_type": "m6g.large"}, _QUIET),),
              near_described=(Described(_INSTANCE, "{id}", {"instance_type": "m6g.large"}, _LOUD),),
              ),
    WasteItem("B02", "i-0b02", (_box("m6g.xlarge", "0.154"),), (_box("m6g.large", "0.077"),),
              described=(Described(_INSTANCE, "{id}", {"instance_type": "m6g.xlarge"}, _SPARE),),
              near_described=(Described(_INSTANCE, "{id}", {"instance_type": "m6g.xlarge"}, _FULL),
                              )),
    WasteItem("B03", "crm", (_hours(_RDS, "InstanceUsage:db.m7g.large", "0.168"),),
              described=_database(0), near_described=_database(1), billed=_arn("rds", "db:{id}")),
    WasteItem("B04", "nat-0b04", (_hours(_EC2, "NatGateway-Hours", "0.045"), _BYTES),
              region=CENTRAL, billed=_arn("ec2", "natgateway/{id}"),
              described=(Described(_GATEWAY, "{id}", {},
                                   {"AWS/NATGateway BytesOutToDestination": _total(0)}),),
              near_described=(Described(_GATEWAY, "{id}", {},
                                        {"AWS/NATGateway BytesOutToDestination": _total(1)}),)),
    WasteItem("B05", "app/rare-lb/50dc6c495c0c9188", (_ELB, _LCU), billed=_BALANCER_ARN,
              region=CENTRAL, described=_balancer(99, 1), near_described=_balancer(100, 1)),
    WasteItem("B06", "vol-0b06", (_GP3,), region=CENTRAL,
              described=(_volume("i-0b01", _NOTHING),),
              near_described=(_volume("i-0b01", _LITTLE),)),
    WasteItem("B07", "resize", (_DURATION, _REQUESTS), billed=_FUNCTION_ARN,
              after=(Meter("AWSLambda", _ARM, "62500", "0.0000133334", "Lambda-GB-Second"),
                     _REQUESTS), compared=(_ARM,),
              described=_function(1024, 480), near_described=_function(960, 480)),
    WasteItem("B08", "pay", (_DURATION, _REQUESTS), None, billed=_FUNCTION_ARN,
              described=_function(512, 480, 101), near_described=_function(512, 480, 100)),
    WasteItem("B09", "cache-b09", (_hours("AmazonElastiCache", "NodeUsage:cache.m6g.large",
                                          "0.149"),), None,
              billed=_arn("elasticache", "cluster:{id}"), region=CENTRAL,
              described=(Described(_CACHE, "{id}", {},
                                   {"AWS/ElastiCache CPUUtilization": _gauge(19)}),),
              near_described=(Described(_CACHE, "{id}", {},
                                        {"AWS/ElastiCache CPUUtilization": _gauge(20)}),)),
    WasteItem("B10", "wh-b10", (_hours("AmazonRedshift", "Node:ra3.xlplus", "1.086"),),
              billed=_arn("redshift", "cluster:{id}"), region=CENTRAL,
              described=(Described(_CLUSTER, "{id}", {},
                                   {"AWS/Redshift DatabaseConnections": _gauge(0)}),),
              near_described=(Described(_CLUSTER, "{id}", {},
                                        {"AWS/Redshift DatabaseConnections": _gauge(1)}),)),
    WasteItem("B11", "table-b11",
              (Meter("AmazonDynamoDB", "ReadCapacityUnit-Hrs", "240", "0.00013",
                     "ReadCapacityUnit-Hrs"),
               Meter("AmazonDynamoDB", "WriteCapacityUnit-Hrs", "240", "0.00065",
                     "WriteCapacityUnit-Hrs")),
              billed=_arn("dynamodb", "table/{id}"), region=CENTRAL,
              described=(Described(_TABLE, "{id}", {"billing_mode": "PROVISIONED"}, _reads(0)),),
              near_described=(Described(_TABLE, "{id}", {"billing_mode": "PROVISIONED"},
                                        _reads(1)),)),
)  # fmt: skip

_LISTED = (
    WasteItem("C01", "vol-0c01", (_GP3,), region=CENTRAL, described=(_volume("", {}),),
              near_described=(_volume("i-0b01", _USED),)),
    WasteItem("C02", "eipalloc-0c02", (_ELASTIC,), billed=_arn("ec2", "elastic-ip/{id}"),
              region=CENTRAL, described=(Described(_ADDRESS, "{id}", {"association_id": None}),),
              near_described=(Described(_ADDRESS, "{id}", {"association_id": "eipassoc-1"}),)),
    WasteItem("C03", "vol-0c03", (_GP3,), region=CENTRAL,
              described=(_volume("i-0c03", _USED),
                         Described(_INSTANCE, "i-0c03", state="stopped")),
              near_described=(_volume("i-0c03", _USED),
                              Described(_INSTANCE, "i-0c03", state="running"))),
    WasteItem("C04", "snap-0c04", (_KEPT,), billed=_arn("ec2", "snapshot/{id}"),
              described=(Described(_SNAPSHOT, "{id}", {"volume_id": "vol-gone"}),),
              near_described=(Described(_SNAPSHOT, "{id}", {"volume_id": "vol-gone"}, age=89),)),
    WasteItem("C05", "/app-c05", (_stored("AmazonCloudWatch", "TimedStorage-ByteHrs", "31",
                                          "0.03"),), None,
              billed=_arn("logs", "log-group:{id}"), region=CENTRAL,
              described=(Described(_LOGS, "{id}", {"retention_days": None}),),
              near_described=(Described(_LOGS, "{id}", {"retention_days": 30}),)),
    WasteItem("C06", "bucket-c06", (_stored("AmazonS3", "TimedStorage-INT-AA-ByteHrs", "310",
                                            "0.004"), _READ), None,
              region=CENTRAL,
              described=(Described(_BUCKET, "{id}", {"lifecycle_rules": []}, region="global"),),
              near_described=(Described(
                  _BUCKET, "{id}", {"lifecycle_rules": [{"id": "all", "status": "Enabled"}]},
                  region="global"),)),
    WasteItem("C07", "app/empty-lb/50dc6c495c0c9188", (_ELB, _LCU), billed=_BALANCER_ARN,
              region=CENTRAL, described=_balancer(5000, 0), near_described=_balancer(5000, 1)),
    WasteItem("C08", "final", (_stored(_RDS, "RDS:ChargedBackupUsage", "31", "0.095"),),
              billed=_arn("rds", "snapshot:{id}"),
              described=(Described(_DATABASE_SNAPSHOT, "{id}",
                                   {"instance_id": "gone", "snapshot_type": "manual"}),),
              near_described=(Described(_DATABASE_SNAPSHOT, "{id}",
                                        {"instance_id": "crm", "snapshot_type": "manual"}),)),
    WasteItem("C09", "vpce-0c09", (_hours("AmazonVPC", "VpcEndpoint-Hours", "0.01"),
                                   Meter("AmazonVPC", "VpcEndpoint-Bytes", "1", "0.01", "GB")),
              (Meter("AmazonVPC", "VpcEndpoint-Bytes", "1", "0.01", "GB"),),
              described=(_endpoint("{id}", "ec2", 100), _endpoint("vpce-first", "ec2", 200)),
              near_described=(_endpoint("{id}", "s3-{id}", 100),
                              _endpoint("vpce-first", "ec2", 200))),
    WasteItem("C10", "snap-0c10", (_KEPT,), billed=_arn("ec2", "snapshot/{id}"),
              described=(Described(_SNAPSHOT, "{id}", {"volume_id": "vol-ffffffff"}),
                         _image("{id}", "{long_ago}")),
              near_described=(Described(_SNAPSHOT, "{id}", {"volume_id": "vol-ffffffff"}),
                              _image("{id}", "{lately}"))),
)  # fmt: skip

DESCRIBED_ITEMS = (*_MEASURED, *_LISTED)
