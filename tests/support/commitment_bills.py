"""Small bills with commitments and every kind of usage that the marts tell apart, for two tenants.

Put here: the toy ledger with its known utilization, usage with known sizes and kinds, and both
ingested. Keep out: what the marts must say about them (test_commitment_marts.py and others).
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver
from tests.support.line_item_bills import Line, deliver_2, line, plan, reserved

MONTH, ACCOUNT, OTHER_ACCOUNT = "2026-09", "111122223333", "222233334444"
WHOLE_MONTH = {
    "lineItem_UsageStartDate": "2026-09-01T00:00:00Z",
    "lineItem_UsageEndDate": "2026-10-01T00:00:00Z",
}
BOX = {"lineItem_ProductCode": "AmazonEC2", "lineItem_UsageType": "BoxUsage:m5.xlarge",
       "lineItem_Operation": "RunInstances", "product_instanceType": "m5.xlarge",
       "pricing_unit": "Hrs"}  # fmt: skip
OF_RESERVATION = {
    **BOX,
    "reservation_StartTime": "2026-03-01T00:00:00.000Z",
    "reservation_EndTime": "2027-03-01T00:00:00.000Z",
    "pricing_LeaseContractLength": "1yr",
    "pricing_OfferingClass": "standard",
    "pricing_PurchaseOption": "Partial Upfront",
}
OF_PLAN = {
    "savingsPlan_OfferingType": "ComputeSavingsPlans",
    "savingsPlan_PurchaseTerm": "3yr",
    "savingsPlan_PaymentOption": "Partial Upfront",
    "savingsPlan_StartTime": "2026-01-01T00:00:00.000Z",
    "savingsPlan_EndTime": "2029-01-01T00:00:00.000Z",
}

TOY: list[Line] = [
    line("Usage", "50", lineItem_UsageAmount="240", pricing_publicOnDemandCost="50", **BOX),
    reserved("DiscountedUsage", "0", lineItem_UsageAmount="630", reservation_EffectiveCost="46",
             pricing_publicOnDemandCost="80", **OF_RESERVATION),
    reserved("RIFee", "42", lineItem_UsageAmount="720", pricing_publicOnDemandCost="20",
             reservation_AmortizedUpfrontFeeForBillingPeriod="12",
             reservation_UnusedAmortizedUpfrontFeeForBillingPeriod="2",
             reservation_UnusedRecurringFee="6", reservation_UnusedQuantity="90",
             reservation_TotalReservedUnits="720", **WHOLE_MONTH, **OF_RESERVATION),
    reserved("Fee", "144", lineItem_UsageAmount="1", bill_BillType="Purchase", **OF_RESERVATION),
    plan("SavingsPlanCoveredUsage", "100", lineItem_UsageAmount="480",
         savingsPlan_SavingsPlanEffectiveCost="60", pricing_publicOnDemandCost="100",
         **BOX, **OF_PLAN),
    plan("SavingsPlanNegation", "-100"),
    plan("SavingsPlanRecurringFee", "52", lineItem_UsageAmount="1", pricing_publicOnDemandCost="20",
         lineItem_ProductCode="ComputeSavingsPlans", savingsPlan_TotalCommitmentToDate="70",
         savingsPlan_UsedCommitment="60",
         savingsPlan_AmortizedUpfrontCommitmentForBillingPeriod="18", **OF_PLAN),
    plan("SavingsPlanUpfrontFee", "216", lineItem_ProductCode="ComputeSavingsPlans",
         bill_BillType="Purchase", **OF_PLAN),
    line("Tax", "5", lineItem_TaxType="VAT", lineItem_ProductCode="AmazonEC2"),
    line("Credit", "-13", lineItem_ProductCode="AmazonEC2"),
]  # fmt: skip
"""A bill of ten types of lines whose fees state public prices, as a reviewer's ledger did: used 106
of 124. A formula with those prices gives 126 %."""


def used(meter: str, amount: str = "10", cost: str = "1", **more: str) -> Line:
    """Return usage of 5 September: a usage type, the quantity, what it costs."""
    code, _, usage_type = meter.partition("/")
    base = {"lineItem_ProductCode": code, "lineItem_UsageType": usage_type,
            "lineItem_UsageAmount": amount, "pricing_publicOnDemandCost": cost,
            "lineItem_ResourceId": usage_type, "pricing_unit": "GB"}  # fmt: skip
    return line("Usage", cost, **(base | more))


INSTANCES: list[Line] = [
    used(f"{code}/{prefix}:{size}", "24", "2", product_instanceType=size, pricing_unit="Hrs",
         lineItem_UsageEndDate="2026-09-06T00:00:00Z", lineItem_Operation="RunInstances")
    for code, prefix, size in (
        ("AmazonEC2", "BoxUsage", "m5.large"),
        ("AmazonEC2", "BoxUsage", "m5.xlarge"),
        ("AmazonEC2", "USW2-BoxUsage", "c6g.12xlarge"),
        ("AmazonEC2", "SpotUsage", "c5.2xlarge"),
        ("AmazonEC2", "BoxUsage", "t3.nano"),
        ("AmazonRDS", "InstanceUsage", "db.r5.large"),
        ("AmazonRDS", "Multi-AZUsage", "db.r7g.xlarge"),
        ("AmazonElastiCache", "NodeUsage", "cache.m6g.large"),
        ("AmazonES", "ESInstance", "r5.large.search"),
        ("AmazonRedshift", "Node", "ra3.4xlarge"),
        ("AmazonSageMaker", "USE1-Host", "ml.m5.xlarge"),
    )
]  # fmt: skip
OTHER_ELIGIBLE: list[Line] = [
    used("AWSLambda/Lambda-GB-Second", pricing_unit="Lambda-GB-Second"),
    used("AWSLambda/Request", pricing_unit="Requests"),
    used("AmazonECS/USE1-Fargate-vCPU-Hours:perCPU", pricing_unit="hours"),
    used("AmazonRDS/Aurora:ServerlessV2Usage", pricing_unit="ACU-Hr"),
    used("AmazonDynamoDB/ReadCapacityUnit-Hrs", pricing_unit="ReadCapacityUnit-Hrs"),
    used("AmazonDynamoDB/WriteRequestUnits", pricing_unit="WriteRequestUnits"),
]  # fmt: skip
TRANSFERS = {
    "AmazonEC2/USE1-VPCPeering-In-Bytes": ("VPC peering", "in"),
    "AmazonEC2/DataTransfer-Out-Bytes": ("Internet", "out"),
    "AmazonEC2/USE1-USW2-AWS-Out-Bytes": ("Inter-region", "out"),
    "AmazonS3/USW2-USE1-AWS-In-Bytes": ("Inter-region", "in"),
    "AmazonEC2/DataTransfer-Regional-Bytes": ("Inter-AZ", None),
    "AmazonEC2/USW2-DataTransfer-xAZ-In-Bytes": ("Inter-AZ", "in"),
    "AmazonEC2/NatGateway-Bytes": ("NAT gateway", None),
    "AmazonVPC/TransitGateway-Bytes": ("Transit gateway", None),
    "AmazonVPC/USE1-VpcEndpoint-Bytes": ("VPC endpoint", None),
    "AWSDirectConnect/USE1-DataXfer-Out:dc.3": ("Direct Connect", "out"),
    "AmazonCloudFront/EU-DataTransfer-Out-Bytes": ("CloudFront", "out"),
    "AmazonS3/CloudFront-Out-Bytes": ("CloudFront", "out"),
    "AWSDataTransfer/Something-New": ("Other", None),
}
"""Service and usage type -> kind and direction of the transfer."""
NO_TRANSFER = ("AmazonS3/TimedStorage-ByteHrs", "AmazonCloudWatch/USE1-DataProcessing-Bytes",
               "AmazonCloudWatch/DataScanned-Bytes", "AmazonEC2/NatGateway-Hours")  # fmt: skip
STORED = {
    "AmazonS3/TimedStorage-ByteHrs": "Standard",
    "AmazonS3/USW2-TimedStorage-SIA-ByteHrs": "Standard-IA",
    "AmazonS3/TimedStorage-GlacierByteHrs": "Glacier Flexible Retrieval",
    "AmazonS3/TimedStorage-GDA-ByteHrs": "Glacier Deep Archive",
    "AmazonEC2/EBS:VolumeUsage.gp3": "gp3",
    "AmazonEC2/EUC1-EBS:VolumeUsage.gp2": "gp2",
    "AmazonEC2/EBS:SnapshotUsage": "Snapshot",
    "AmazonRDS/RDS:GP2-Storage": "gp2",
    "AmazonRDS/Aurora:StorageUsage": "Aurora Standard",
}
"""Service and usage type -> storage class."""


def pod(name: str, cost: str, unused: str, **tags: str) -> Line:
    """Return the share of a pod in the m5.large of `INSTANCES`, with AWS's tags."""
    base = line(
        "Usage", "0", lineItem_ProductCode="AmazonEKS", lineItem_Operation="EKSPod-EC2",
        lineItem_UsageType="USE1-EKS-EC2-vCPU-Hours", lineItem_UsageAmount="0.5",
        lineItem_UsageEndDate="2026-09-06T00:00:00Z",
        lineItem_ResourceId=f"arn:aws:eks:us-east-1:{ACCOUNT}:pod/one/shop/{name}/1",
        splitLineItem_ParentResourceId="BoxUsage:m5.large", splitLineItem_SplitCost=cost,
        splitLineItem_UnusedCost=unused,
    )  # fmt: skip
    return base | {f"resourceTags/aws:eks:{key}": value for key, value in tags.items()}


SPLIT: list[Line] = [
    pod("web-1", "0.6", "0.3", **{"cluster-name": "one", "namespace": "shop",
                                  "workload-name": "web", "workload-type": "Deployment"}),
    pod("web-2", "0.5", "0.2", **{"cluster-name": "one", "namespace": "shop",
                                  "workload-name": "web", "workload-type": "Deployment"}),
    pod("job-1", "0.3", "0.1"),
]  # fmt: skip
"""Three pods that share the 2 USD of their instance."""

USAGE: list[Line] = [
    *INSTANCES,
    *OTHER_ELIGIBLE,
    *(used(meter) for meter in (*TRANSFERS, *NO_TRANSFER[1:])),
    used("AmazonEC2/USE1-DataTransfer-Out-Bytes", lineItem_Operation="CreateVpnConnection"),
    *(used(meter, pricing_unit="GB-Mo") for meter in STORED),
    *SPLIT,
]


def bill(toy: list[Line] = TOY, usage: list[Line] = USAGE) -> list[Line]:
    """Make a whole bill: the toy ledger in the first account, usage in the second."""
    period = {"bill/BillingPeriodEndDate": "2026-10-01T00:00:00Z", "bill/BillType": "Anniversary"}
    other = {"lineItem/UsageAccountId": OTHER_ACCOUNT}
    return [period | item for item in toy] + [period | item | other for item in usage]


def declare(made: TemporaryInstallation, folder: Path, dev: str = OTHER_ACCOUNT) -> None:
    """Declare acme with a legacy report and globex with CUR 2.0; `dev` is the second account."""
    projects = [
        {"name": "prod", "environment": "prod", "accounts": [ACCOUNT]},
        {"name": "dev", "accounts": [dev]},
    ]
    tenants = [
        {
            "name": tenant,
            "sources": [{"name": "payer", "format": form, "location": f"{tenant}/cur"}],
            "projects": projects,
        }
        for tenant, form in (("acme", "legacy-cur"), ("globex", "cur-2.0"))
    ]
    (folder / "tenants.yaml").write_text(yaml.safe_dump({"tenants": tenants}))
    made.apply(folder / "tenants.yaml")


@pytest.fixture(scope="module")
def commitment_bills(tmp_path_factory: pytest.TempPathFactory) -> TemporaryInstallation:
    """acme with the bill as a legacy report, globex as CUR 2.0. Read only."""
    folder = tmp_path_factory.mktemp("commitments")
    made = TemporaryInstallation(folder / "data")
    declare(made, folder)
    deliver(folder / "acme/cur", bill(), MONTH)
    deliver_2(folder / "globex/cur", bill(), MONTH)
    for tenant in ("acme", "globex"):
        assert not made.ingest(tenant).failed
    return made
