"""AWS's part of the estate: services and regions, as bills name them.

Put here: codes, display names and FOCUS categories of services; names of regions.
Keep out: tenants, prices, quantities.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

AWS_SELLER = "Amazon Web Services, Inc."


@dataclass(frozen=True, slots=True)
class Product:
    """One AWS (or Marketplace) service.

    `category` and `subcategory` are FOCUS ServiceCategory and ServiceSubcategory.
    """

    code: str
    name: str
    family: str
    category: str
    subcategory: str
    resource_type: str
    seller: str = AWS_SELLER
    billing_entity: str = "AWS"


EC2 = Product(
    "AmazonEC2",
    "Amazon Elastic Compute Cloud",
    "Compute Instance",
    "Compute",
    "Virtual Machines",
    "Instance",
)
EBS = Product(
    "AmazonEBS",
    "Amazon Elastic Block Store",
    "Storage",
    "Storage",
    "Block Storage",
    "Volume",
)
RDS = Product(
    "AmazonRDS",
    "Amazon Relational Database Service",
    "Database Instance",
    "Databases",
    "Relational Databases",
    "DBInstance",
)
S3 = Product(
    "AmazonS3",
    "Amazon Simple Storage Service",
    "Storage",
    "Storage",
    "Object Storage",
    "Bucket",
)
LAMBDA = Product(
    "AWSLambda",
    "AWS Lambda",
    "Serverless",
    "Compute",
    "Serverless Compute",
    "Function",
)
CLOUDWATCH = Product(
    "AmazonCloudWatch",
    "AmazonCloudWatch",
    "Metric",
    "Management and Governance",
    "Observability",
    "LogGroup",
)
TRANSFER = Product(
    "AWSDataTransfer",
    "AWS Data Transfer",
    "Data Transfer",
    "Networking",
    "Content Delivery",
    "Instance",
)
SAVINGS_PLANS = Product(
    "ComputeSavingsPlans",
    "Savings Plans for AWS Compute usage",
    "Savings Plan",
    "Compute",
    "Other (Compute)",
    "Savings Plan",
)
SUPPORT = Product(
    "AWSSupportBusiness",
    "AWS Support (Business)",
    "Support",
    "Other",
    "Other (Other)",
    "Support Plan",
)
MARKETPLACE = Product(
    "9x0example7snowpeak",
    'Snowpeak "Observe", Enterprise',
    "Software",
    "Management and Governance",
    "Observability",
    "Subscription",
    seller="Snowpeak Software GmbH",
    billing_entity="AWS Marketplace",
)
NOVELTY = Product(
    "AWSFutureService",
    "AWS Future Service",
    "Preview",
    "Other",
    "Other (Other)",
    "Preview",
)

REGION_NAMES: dict[str, str] = {
    "us-east-1": "US East (N. Virginia)",
    "us-west-2": "US West (Oregon)",
    "eu-west-1": "EU (Ireland)",
    "eu-central-1": "EU (Frankfurt)",
    "ap-southeast-2": "Asia Pacific (Sydney)",
}

# AWS gives usage types of every region except us-east-1 such a prefix.
REGION_PREFIXES: dict[str, str] = {
    "us-east-1": "",
    "us-west-2": "USW2-",
    "eu-west-1": "EUW1-",
    "eu-central-1": "EUC1-",
    "ap-southeast-2": "APS2-",
}


def token(*parts: object, length: int = 16) -> str:
    """Make a hexadecimal name from `parts`; the same parts always give the same name."""
    text = "/".join(str(part) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def uuid_like(*parts: object) -> str:
    """Make a stable name in the 8-4-4-4-12 form of AWS's execution and assembly ids."""
    raw = token(*parts, length=32)
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"


def sku_of(product: Product, usage_type: str) -> str:
    """Make the SKU of a usage type: 16 upper-case letters or digits, equal in every tenant."""
    return token("sku", product.code, usage_type).upper()
