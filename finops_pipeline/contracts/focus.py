"""The columns of a charge: FOCUS 1.2 verbatim, two names of FOCUS 1.3, and our `x_` columns.

Put here: the contract of `costs`, in column order. Keep out: the conversion of a bill to it
(focus/sql). Source of names, types and nulls: FOCUS specification 1.2 (CostAndUsage);
ServiceProviderName and HostProviderName come from FOCUS 1.3.
"""

from __future__ import annotations

from finops_pipeline.contracts.column import JSON, MONEY, TEXT, TIME, Column, Table

CHARGE_CATEGORIES = ("Usage", "Purchase", "Tax", "Credit", "Adjustment")

FOCUS_1_2 = (
    Column("AvailabilityZone", TEXT, "Availability zone of the resource."),
    Column(
        "BilledCost", MONEY, "Cash basis: AWS unblended cost (gross; net in x_ columns).", False
    ),
    Column("BillingAccountId", TEXT, "Account that pays the bill (management account).", False),
    Column("BillingAccountName", TEXT, "Name of the billing account."),
    Column("BillingAccountType", TEXT, "Kind of billing account."),
    Column("BillingCurrency", TEXT, "ISO 4217 currency of every cost of the row.", False),
    Column("BillingPeriodEnd", TIME, "First moment after the billing period (UTC).", False),
    Column("BillingPeriodStart", TIME, "First moment of the billing period (UTC).", False),
    Column("CapacityReservationId", TEXT, "Capacity reservation that the row belongs to."),
    Column(
        "CapacityReservationStatus",
        TEXT,
        "Whether the reserved capacity was used.",
        True,
        ("Used", "Unused"),
    ),
    Column("ChargeCategory", TEXT, "What kind of charge this is.", False, CHARGE_CATEGORIES),
    Column(
        "ChargeClass", TEXT, "Correction of an earlier, invoiced period.", True, ("Correction",)
    ),
    Column("ChargeDescription", TEXT, "Description of the charge by AWS."),
    Column(
        "ChargeFrequency",
        TEXT,
        "How often such a charge occurs.",
        False,
        ("One-Time", "Recurring", "Usage-Based"),
    ),
    Column("ChargePeriodEnd", TIME, "First moment after the charge's period (UTC).", False),
    Column("ChargePeriodStart", TIME, "First moment of the charge's period (UTC).", False),
    Column(
        "CommitmentDiscountCategory",
        TEXT,
        "Commitment to spend (Savings Plan) or to usage (Reserved Instance).",
        True,
        ("Spend", "Usage"),
    ),
    Column("CommitmentDiscountId", TEXT, "ARN of the Savings Plan or Reserved Instance."),
    Column("CommitmentDiscountName", TEXT, "Display name of the commitment."),
    Column("CommitmentDiscountQuantity", MONEY, "Amount of commitment bought, used or unused."),
    Column(
        "CommitmentDiscountStatus",
        TEXT,
        "Whether the commitment was used.",
        True,
        ("Used", "Unused"),
    ),
    Column("CommitmentDiscountType", TEXT, "Savings Plan or Reserved Instance."),
    Column("CommitmentDiscountUnit", TEXT, "Unit of CommitmentDiscountQuantity."),
    Column("ConsumedQuantity", MONEY, "Amount of the resource used."),
    Column("ConsumedUnit", TEXT, "Unit of ConsumedQuantity."),
    Column("ContractedCost", MONEY, "Cost at contracted unit prices, before commitments.", False),
    Column("ContractedUnitPrice", MONEY, "Agreed price of one PricingUnit."),
    Column(
        "EffectiveCost", MONEY, "Amortized basis: commitments spread over covered usage.", False
    ),
    Column("InvoiceId", TEXT, "Invoice of the row; null until AWS finalises it."),
    Column("InvoiceIssuerName", TEXT, "Who issues the invoice.", False),
    Column("ListCost", MONEY, "Cost at public list prices.", False),
    Column("ListUnitPrice", MONEY, "Public price of one PricingUnit."),
    Column(
        "PricingCategory",
        TEXT,
        "Pricing model of the charge.",
        True,
        ("Standard", "Dynamic", "Committed", "Other"),
    ),
    Column("PricingCurrency", TEXT, "Currency of the price list."),
    Column("PricingCurrencyContractedUnitPrice", MONEY, "ContractedUnitPrice in PricingCurrency."),
    Column("PricingCurrencyEffectiveCost", MONEY, "EffectiveCost in PricingCurrency."),
    Column("PricingCurrencyListUnitPrice", MONEY, "ListUnitPrice in PricingCurrency."),
    Column("PricingQuantity", MONEY, "Amount by which prices are multiplied."),
    Column("PricingUnit", TEXT, "Unit of PricingQuantity."),
    Column("ProviderName", TEXT, "Who makes the service available.", False),
    Column("PublisherName", TEXT, "Who produced the service (a Marketplace seller).", False),
    Column("RegionId", TEXT, "AWS region code; null for global services."),
    Column("RegionName", TEXT, "Name of the AWS region."),
    Column("ResourceId", TEXT, "ARN or id of the resource."),
    Column("ResourceName", TEXT, "Name that the resource's owner gave it (tag Name)."),
    Column("ResourceType", TEXT, "Kind of resource."),
    Column("ServiceCategory", TEXT, "FOCUS category of the service.", False),
    Column("ServiceName", TEXT, "AWS service.", False),
    Column("ServiceSubcategory", TEXT, "FOCUS subcategory of the service."),
    Column("SkuId", TEXT, "AWS SKU."),
    Column("SkuMeter", TEXT, "What is metered (AWS usage type)."),
    Column("SkuPriceDetails", JSON, "Properties of the SKU, a JSON object as text."),
    Column("SkuPriceId", TEXT, "AWS rate code."),
    Column("SubAccountId", TEXT, "AWS account that used the service."),
    Column("SubAccountName", TEXT, "Name of the sub account."),
    Column("SubAccountType", TEXT, "Kind of sub account."),
    Column("Tags", JSON, "Tags, a JSON object as text; users' keys without their prefix."),
)

FOCUS_1_3 = (
    Column("ServiceProviderName", TEXT, "Who sells the service (FOCUS 1.3).", False),
    Column("HostProviderName", TEXT, "Whose infrastructure it runs on (FOCUS 1.3)."),
)

OWN = (
    Column("x_Source", TEXT, "Source (export) that the row came from.", False),
    Column(
        "x_RowKind",
        TEXT,
        "line: a row of the bill; unused: the unused part of a commitment fee;"
        " residual: what Savings Plan negations did not cancel.",
        False,
        ("line", "unused", "residual"),
    ),
    Column("x_LineItemType", TEXT, "AWS line item type."),
    Column("x_LineItemId", TEXT, "AWS line item id; unique only within one delivery."),
    Column("x_BillType", TEXT, "AWS bill type: Anniversary, Purchase or Refund."),
    Column("x_BillingEntity", TEXT, "AWS or AWS Marketplace."),
    Column("x_TaxType", TEXT, "Kind of tax."),
    Column("x_ServiceCode", TEXT, "AWS product code."),
    Column("x_UsageType", TEXT, "AWS usage type."),
    Column("x_Operation", TEXT, "AWS operation."),
    Column("x_InstanceType", TEXT, "Instance type."),
    Column("x_IamPrincipal", TEXT, "ARN of the IAM user or role that used the service."),
    Column("x_UserIdentifier", TEXT, "Workforce user (IAM Identity Center) who used the service."),
    Column("x_UnblendedCost", MONEY, "AWS unblended cost of the row (gross basis)."),
    Column("x_NetUnblendedCost", MONEY, "Unblended cost after private discounts, where given."),
    Column("x_NetEffectiveCost", MONEY, "Amortized cost after private discounts, where given."),
    Column(
        "x_AmortizedUpfrontCost",
        MONEY,
        "On commitment fees: the share of an upfront payment that falls in the row's period.",
    ),
    Column(
        "x_UseKnownUntil",
        TIME,
        "On unused parts of an unfinished month: the time up to which the bill has usage.",
    ),
    Column(
        "x_NotYetUsedCost",
        MONEY,
        "On unused parts of an unfinished month: the cost of the time after x_UseKnownUntil.",
    ),
    Column("x_PublicOnDemandCost", MONEY, "On-demand cost as AWS states it, in PricingCurrency."),
    Column("x_CostCategories", JSON, "AWS cost categories, a JSON object as text."),
    Column("x_Discounts", JSON, "Discounts that the net columns contain, a JSON object as text."),
    Column("x_SourceFile", TEXT, "File of the delivery that the row comes from."),
    Column(
        "x_UnknownColumns",
        JSON,
        "Values of the bill's columns that AWS does not document, a JSON object as text.",
    ),
    Column("x_ParentResourceId", TEXT, "On split rows: the instance that the task or pod ran on."),
    Column(
        "x_SplitCost",
        MONEY,
        "On split rows: the share of the instance's cost; it is billed by the instance's row.",
    ),
    Column("x_SplitUnusedCost", MONEY, "On split rows: the share of the cost that nothing used."),
    Column("x_NetSplitCost", MONEY, "x_SplitCost after private discounts, where given."),
    Column("x_NetSplitUnusedCost", MONEY, "x_SplitUnusedCost after private discounts."),
    Column(
        "x_CapacityReservationStatus",
        TEXT,
        "AWS's status of the capacity reservation: Used, Unused, Reserved or Cancelling.",
    ),
    Column(
        "x_TagKeys",
        JSON,
        "The bill's own key of each tag that Tags spells differently: a JSON object as text.",
    ),
    Column(
        "x_OtherTags",
        JSON,
        "Tags of accounts, users and IAM principals, with AWS's prefix: a JSON object as text.",
    ),
    Column(
        "x_FilledCosts",
        TEXT,
        "Costs that were null in a FOCUS export and were filled: ContractedCost, ListCost.",
    ),
    Column(
        "x_CommitmentOffering",
        TEXT,
        "On rows of commitments: the kind of Savings Plan (ComputeSavingsPlans, …), or the class of"
        " the reservation (standard or convertible).",
    ),
    Column("x_CommitmentTerm", TEXT, "On rows of commitments: how long it runs, such as 1yr."),
    Column(
        "x_CommitmentPaymentOption",
        TEXT,
        "On rows of commitments: No Upfront, Partial Upfront or All Upfront.",
    ),
    Column("x_CommitmentStart", TIME, "On rows of commitments: when it begins (UTC), if stated."),
    Column("x_CommitmentEnd", TIME, "On rows of commitments: when it ends (UTC), if stated."),
)

PARTITION = (
    Column("project", TEXT, "Project (folder) that the charge belongs to.", False),
    Column("billing_period", TEXT, "Billing period YYYY-MM (folder).", False),
)

CHARGE = FOCUS_1_2 + FOCUS_1_3 + OWN
"""The columns of a costs file, in order."""

COSTS = Table(
    name="costs",
    kind="view",
    meaning="Every charge, one FOCUS row each, in the Parquet files of this tenant.",
    grain=("one charge",),
    columns=CHARGE + PARTITION,
)
