"""Every call of the table of inventories: against moto's AWS, and against recorded shapes.

Put here: one resource of each type, made in moto or written as AWS's documentation shows it, and
what a refusal of a call does. Keep out: a whole run (test_inventory.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from finops_pipeline.sources.credentials import Access
from finops_pipeline.sources.inventory_api import InventoryApi, Listing, explain_failure
from finops_pipeline.sources.inventory_records import Home, find, find_fault, read_item
from finops_pipeline.sources.inventory_table import CALLS
from tests.support.inventoried_tenants import ACME, REGION, TRUST, client_in, reset
from tests.support.recorded_answers import RECORDED
from tests.support.servers import Store, trusting_role

BY_TYPE = {call.resource_type: call for call in CALLS}


@pytest.mark.parametrize("kind", BY_TYPE)
def test_a_recorded_answer_becomes_a_record(kind: str) -> None:
    call, (answer, expected) = BY_TYPE[kind], RECORDED[kind]
    items = find(call.items, answer["listed"]) or []
    assert len(items) == 1
    item = items[0]
    for follow_up, followed in zip(call.follow_ups, answer.get("followed", []), strict=True):
        inner = find(follow_up.result, followed)
        item = {**item, follow_up.key: inner} if follow_up.key else inner
    record = read_item(call, item, Home(ACME, REGION))
    assert not find_fault(record), find_fault(record)
    attributes = json.loads(record.attributes)
    values = {**vars(record), **attributes}
    assert {name: values[name] for name in expected} == expected
    assert record.resource_arn and ":*" not in record.resource_arn


@pytest.fixture(scope="module")
def listings(moto: Store) -> Iterator[dict[str, Listing]]:
    """What moto's AWS lists, by type, in an account with a few resources."""
    reset(moto)
    role = trusting_role(moto, ACME, "calls", TRUST)
    ec2 = client_in(moto, ACME, "ec2")
    volume = ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=8)["VolumeId"]
    ec2.create_snapshot(VolumeId=volume)
    ec2.allocate_address(Domain="vpc")
    bucket = client_in(moto, ACME, "s3")
    location = {"LocationConstraint": REGION}
    bucket.create_bucket(Bucket="finops-calls", CreateBucketConfiguration=location)
    client_in(moto, ACME, "logs").create_log_group(logGroupName="/app", tags={"Team": "x"})
    client_in(moto, ACME, "rds").create_db_instance(
        DBInstanceIdentifier="db", DBInstanceClass="db.t3.micro", Engine="postgres",
        AllocatedStorage=20, MasterUsername="u", MasterUserPassword="password",
    )  # fmt: skip
    client_in(moto, ACME, "ecs").create_cluster(clusterName="jobs")
    access = Access("acme/aws", role, "external", endpoint_url=moto.url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        api = InventoryApi(access, (REGION,))
        assert api.find_account() == ACME
        listed = {each.covered.resource_type: each for each in api.list_resources(ACME)}
    yield listed


def test_moto_answers_every_call(listings: dict[str, Listing]) -> None:
    failed = {kind: each.covered for kind, each in listings.items()
              if each.covered.state != "collected"}  # fmt: skip
    assert not failed
    assert listings.keys() == BY_TYPE.keys()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("AWS::EC2::Volume", None),
        ("AWS::EC2::Snapshot", None),
        ("AWS::EC2::EIP", None),
        ("AWS::S3::Bucket", "finops-calls"),
        ("AWS::Logs::LogGroup", "/app"),
        ("AWS::RDS::DBInstance", "db"),
        ("AWS::ECS::Cluster", "jobs"),
    ],
)
def test_moto_lists_created_resources(
    listings: dict[str, Listing], kind: str, name: str | None
) -> None:
    records = listings[kind].records
    assert any(name in (None, record.resource_name) for record in records)
    assert not [find_fault(record) for record in records if find_fault(record)]


def refusal(code: str, operation: str = "DescribeVolumes") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


@pytest.mark.parametrize(
    ("error", "state", "permission", "is_end"),
    [
        (refusal("UnauthorizedOperation"), "denied", "ec2:DescribeVolumes", False),
        (refusal("AccessDeniedException"), "denied", "ec2:DescribeVolumes", False),
        (refusal("AuthFailure"), "failed", None, False),
        (refusal("ExpiredToken"), "failed", None, True),
        (refusal("AccessDenied", "AssumeRole"), "failed", None, True),
        (refusal("InternalError"), "failed", None, False),
    ],
)
def test_a_refusal_is_a_gap_with_its_cure(
    error: ClientError, state: str, permission: str | None, is_end: bool
) -> None:
    gap = explain_failure(error, "ec2:DescribeVolumes")
    assert (gap.state, gap.permission, gap.is_end) == (state, permission, is_end)


class Volumes:
    """A stand-in for one client: its second page fails as AWS fails when a role expires."""

    def __init__(self, code: str) -> None:
        self.code = code

    def can_paginate(self, operation: str) -> bool:
        """As in boto3."""
        return True

    def get_paginator(self, operation: str) -> Any:
        """As in boto3."""
        return self

    def paginate(self, **parameters: object) -> Iterator[dict[str, Any]]:
        """As in boto3."""
        made = datetime(2026, 1, 1, tzinfo=UTC)
        yield {"Volumes": [{"VolumeId": "vol-1", "CreateTime": made}]}
        raise refusal(self.code)


@pytest.mark.parametrize(
    ("code", "later"), [("ExpiredToken", "failed"), ("UnauthorizedOperation", "denied")]
)
def test_resources_listed_before_a_refusal_stay(code: str, later: str) -> None:
    api = InventoryApi(Access("acme/aws"), (REGION,))
    api._clients.open = lambda service, region="": Volumes(code)  # type: ignore[method-assign]
    api._clients.is_offered = lambda service, region: True  # type: ignore[method-assign]
    call = BY_TYPE["AWS::EC2::Volume"]
    listing = api._list(call, Home(ACME, REGION))
    assert [record.resource_id for record in listing.records] == ["vol-1"]
    assert (listing.covered.state, listing.covered.is_listed) == (later, False)
    after = api._list(BY_TYPE["AWS::EC2::Image"], Home(ACME, REGION))
    assert (after.covered.state == "failed") is (later == "failed")
