"""Rules of FOCUS 1.2 for kinds of charges (corrections, credits, commitments, periods), and ours.

Put here: rules across the columns of a charge, by kind of charge. Keep out: rules for single
columns and prices, and the list of all rules (focus_rules.py). Rules of the section `own` are ours:
they state which charge a line item must become.
"""

from __future__ import annotations

from finops_pipeline.contracts.rules import Rule

ORDINARY = "ChargeClass is distinct from 'Correction'"
"""SQL: the charge does not correct an earlier period."""

_COMMITTED = "CommitmentDiscountId is not null"
_FROM_CUR = "x_LineItemType is not null and x_RowKind = 'line'"

CLASSES = (
    Rule(
        "Correction of an earlier period",
        "ChargeClass",
        "a Correction belongs to an earlier billing period that was invoiced",
        "ChargeClass = 'Correction' and x_LineItemType is not null"
        " and x_BillType is distinct from 'Refund' and ChargePeriodEnd > BillingPeriodStart",
    ),
    Rule(
        "ChargeFrequency of a purchase",
        "ChargeFrequency",
        "a Purchase is never Usage-Based",
        "ChargeCategory = 'Purchase' and ChargeFrequency = 'Usage-Based'",
    ),
    Rule(
        "costs of a credit",
        "EffectiveCost",
        "every cost of a Credit equals what it bills",
        "ChargeCategory = 'Credit' and (EffectiveCost <> BilledCost"
        " or (ListUnitPrice is null and ListCost <> BilledCost)"
        " or (ContractedUnitPrice is null and ContractedCost <> BilledCost))",
    ),
    Rule(
        "quantity consumed by usage",
        "ConsumedQuantity",
        "only Usage states a consumed quantity, and all Usage does except unused commitments",
        f"(ConsumedQuantity is not null and (ChargeCategory <> 'Usage'"
        f" or CommitmentDiscountStatus = 'Unused')) or (ConsumedQuantity is null and {ORDINARY}"
        " and ChargeCategory = 'Usage' and CommitmentDiscountStatus is distinct from 'Unused'"
        " and CapacityReservationStatus is distinct from 'Unused')",
        True,
    ),
)

COMMITMENTS = (
    Rule(
        "commitment named by its id",
        "CommitmentDiscountId",
        "a charge without a CommitmentDiscountId states nothing else about a commitment",
        "CommitmentDiscountId is null and (CommitmentDiscountName is not null"
        " or CommitmentDiscountStatus is not null or CommitmentDiscountQuantity is not null)",
    ),
    Rule(
        "commitment status of usage",
        "CommitmentDiscountStatus",
        "Usage with a commitment is Used or Unused; a Purchase is neither",
        f"{_COMMITTED} and ((ChargeCategory = 'Usage' and CommitmentDiscountStatus is null)"
        " or (ChargeCategory = 'Purchase' and CommitmentDiscountStatus is not null))",
    ),
    Rule(
        "commitment quantity",
        "CommitmentDiscountQuantity",
        "Usage and Purchase of a commitment state its quantity; nothing else does",
        f"(CommitmentDiscountQuantity is null and {_COMMITTED} and {ORDINARY}"
        " and ChargeCategory in ('Usage', 'Purchase')) or (CommitmentDiscountQuantity is not null"
        " and ChargeCategory not in ('Usage', 'Purchase'))",
        True,  # FOCUS 1.0 has no such column
    ),
    Rule(
        "commitment category of its type",
        "CommitmentDiscountCategory",
        "a Savings Plan is a commitment to Spend, a Reserved Instance is one to Usage",
        "(CommitmentDiscountType = 'Savings Plan' and CommitmentDiscountCategory <> 'Spend') or"
        " (CommitmentDiscountType = 'Reserved Instance' and CommitmentDiscountCategory <> 'Usage')",
    ),
    Rule(
        "covered usage bills nothing",
        "BilledCost",
        "usage that a commitment covers bills nothing, because the commitment was billed",
        "CommitmentDiscountStatus = 'Used' and PricingCategory = 'Committed'"
        f" and BilledCost <> 0 and {ORDINARY}"
        " and coalesce(x_LineItemType, '') not in ('Refund', 'DiscountedUsage')",
    ),
    Rule(
        "purchase of a commitment costs nothing effectively",
        "EffectiveCost",
        "the fee for a commitment has no effective cost, because it is spread over what uses it",
        f"ChargeCategory = 'Purchase' and {_COMMITTED} and EffectiveCost <> 0"
        " and x_LineItemType is distinct from 'Refund'",
    ),
    Rule(
        "purchase of a commitment is its own resource",
        "ResourceId",
        "fees and unused parts have the commitment as their resource",
        f"{_COMMITTED} and (ChargeCategory = 'Purchase' or CommitmentDiscountStatus = 'Unused')"
        " and ResourceId is distinct from CommitmentDiscountId",
    ),
    Rule(
        "PricingCategory of a purchase",
        "PricingCategory",
        "a Purchase is not priced as Committed",
        "ChargeCategory = 'Purchase' and PricingCategory = 'Committed'",
    ),
    Rule(
        "PricingCategory of commitments",
        "PricingCategory",
        "what a commitment covers, used or unused, is priced as Committed",
        "CommitmentDiscountStatus is not null and PricingCategory <> 'Committed'"
        f" and {ORDINARY} and x_LineItemType is distinct from 'Refund'",
    ),
    Rule(
        "Committed needs a commitment",
        "PricingCategory",
        "only what a commitment covers is priced as Committed",
        "PricingCategory = 'Committed' and CommitmentDiscountId is null",
    ),
    Rule(
        "unused commitment bills nothing",
        "CommitmentDiscountStatus",
        "the unused part of a commitment is Usage, bills nothing and consumes nothing",
        "CommitmentDiscountStatus = 'Unused' and (ChargeCategory <> 'Usage' or BilledCost <> 0"
        " or PricingCategory is distinct from 'Committed' or ConsumedUnit is not null)",
    ),
)

PERIODS = (
    Rule(
        "charge period has a length",
        "ChargePeriodEnd",
        "ChargePeriodEnd is after ChargePeriodStart",
        "ChargePeriodEnd <= ChargePeriodStart",
    ),
    Rule(
        "billing period is a month",
        "BillingPeriodEnd",
        "BillingPeriodStart is the first of a month and BillingPeriodEnd the first of the next",
        "BillingPeriodStart <> date_trunc('month', BillingPeriodStart)"
        " or BillingPeriodEnd <> BillingPeriodStart + interval 1 month",
    ),
    Rule(
        "billing period is its folder's",
        "own",
        "a charge is in the folder of its billing period",
        "strftime(BillingPeriodStart, '%Y-%m') <> billing_period",
    ),
    Rule(
        "ends are exclusive",
        "ChargePeriodEnd",
        "the end of a period is the first moment after it, not its last second (:59)",
        "second(ChargePeriodEnd) = 59 or second(BillingPeriodEnd) = 59",
    ),
    Rule(
        "usage in its billing period",
        "ChargePeriodStart",
        "usage that is not a correction falls within its billing period",
        f"ChargeCategory = 'Usage' and {ORDINARY} and x_RowKind = 'line'"
        " and x_LineItemType is distinct from 'Refund'"
        " and (ChargePeriodStart >= BillingPeriodEnd or ChargePeriodEnd <= BillingPeriodStart)",
    ),
)

OURS = (
    Rule(
        "billed is unblended",
        "own",
        "BilledCost is the line's unblended cost; usage that a Savings Plan covers bills nothing",
        f"{_FROM_CUR} and x_LineItemType <> 'SavingsPlanCoveredUsage'"
        " and BilledCost is distinct from x_UnblendedCost",
    ),
    Rule(
        "plain lines cost what they bill",
        "own",
        "the effective cost of tax, credits, discounts and usage without a commitment equals what"
        " they bill",
        f"{_FROM_CUR} and EffectiveCost <> BilledCost and CommitmentDiscountId is null"
        " and ChargeCategory <> 'Purchase'",
    ),
    Rule(
        "consumed is priced",
        "own",
        "usage in a report consumes the quantity that is priced, except that 1 is priced where no"
        " quantity is stated, and a negative quantity where the cost is negative",
        f"{_FROM_CUR} and ConsumedQuantity <> PricingQuantity"
        " and not (ConsumedQuantity = 0 and abs(PricingQuantity) = 1)"
        " and not (ConsumedQuantity = -PricingQuantity and ContractedCost < 0)",
    ),
    Rule(
        "covered usage has its commitment",
        "own",
        "SavingsPlanCoveredUsage and DiscountedUsage are Usage of a commitment, except split rows",
        "x_LineItemType in ('SavingsPlanCoveredUsage', 'DiscountedUsage')"
        " and x_ParentResourceId is null"
        " and (ChargeCategory <> 'Usage' or CommitmentDiscountId is null)",
    ),
    Rule(
        "category of the line item type",
        "own",
        "Usage, Tax, Credit and fees have the ChargeCategory of their line item type",
        "(x_LineItemType = 'Usage' and ChargeCategory <> 'Usage')"
        " or (x_LineItemType = 'Tax' and ChargeCategory <> 'Tax')"
        " or (x_LineItemType = 'Credit' and ChargeCategory <> 'Credit')"
        " or (x_RowKind = 'line' and ChargeCategory <> 'Purchase' and x_LineItemType in"
        " ('Fee', 'RIFee', 'SavingsPlanRecurringFee', 'SavingsPlanUpfrontFee'))",
    ),
    Rule(
        "unused rows are unused",
        "own",
        "x_RowKind is unused on the unused part of a commitment fee, and only there",
        "x_LineItemType is not null"
        " and (x_RowKind = 'unused') <> (CommitmentDiscountStatus is not distinct from 'Unused')",
    ),
    Rule(
        "list not below contracted",
        "own",
        "usage in a FOCUS export has ListCost >= ContractedCost >= 0 (for reports, see the checks)",
        f"x_LineItemType is null and ChargeCategory = 'Usage' and {ORDINARY}"
        " and PricingQuantity > 0 and PricingCategory is distinct from 'Dynamic'"
        " and (ContractedCost < 0 or ContractedCost > ListCost + 0.000000001)",
    ),
    Rule(
        "account ids",
        "SubAccountId",
        "an AWS account id has twelve digits",
        "not regexp_full_match(SubAccountId, '[0-9]{12}')"
        " or not regexp_full_match(BillingAccountId, '[0-9]{12}')",
        True,
    ),
    Rule(
        "SkuPriceDetails of a price",
        "SkuPriceDetails",
        "SkuPriceDetails is null where SkuPriceId is, and SkuMeter where SkuId is",
        "(SkuPriceId is null and SkuPriceDetails is not null)"
        " or (SkuId is null and SkuMeter is not null)",
        True,
    ),
)
