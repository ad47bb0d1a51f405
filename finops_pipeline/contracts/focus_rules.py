"""Rules of FOCUS 1.2 for charges, across columns and rows, as data.

Put here: rules about nulls, values and prices, and the list of all rules, each with its section of
FOCUS 1.2 and the SQL that finds violations. Keep out: rules by kind of charge (charge_rules.py),
running them (focus/conformance.py), sums and comparisons with the bill (marts/checks).

AWS's own FOCUS exports leave some columns empty though FOCUS requires them (AWS, "FOCUS with AWS
columns conformance gaps"); there the rule has `is_export_gap`.
"""

from __future__ import annotations

from functools import cache

from finops_pipeline.contracts.charge_rules import CLASSES, COMMITMENTS, ORDINARY, OURS, PERIODS
from finops_pipeline.contracts.column import TEXT
from finops_pipeline.contracts.currencies import CURRENCIES
from finops_pipeline.contracts.focus import CHARGE, FOCUS_1_2
from finops_pipeline.contracts.rules import Rule, SharedValue, ValueRule
from finops_pipeline.contracts.service_categories import SERVICE_CATEGORIES, SERVICE_SUBCATEGORIES


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)


_EXPORT_GAPS = {
    "ContractedUnitPrice", "InvoiceIssuerName", "ListUnitPrice", "PricingCategory", "PricingUnit",
    "PublisherName", "SkuId", "SkuPriceId", "SkuPriceDetails",
}  # fmt: skip
_PRICED = (
    "ListUnitPrice", "ContractedUnitPrice", "PricingQuantity", "PricingUnit", "PricingCategory",
    "SkuId", "SkuPriceId",
)  # fmt: skip


def _columns() -> list[Rule]:
    """Make the rules about nulls, allowed values and placeholders from the column contracts."""
    rules = []
    for column in CHARGE:
        if not column.nullable:
            says = f"{column.name} is never null"
            rules.append(Rule(f"{column.name} given", column.name, says, f"{column.name} is null"))
        if column.allowed:
            allowed = _listed(column.allowed)
            says = f"{column.name} is one of {', '.join(column.allowed)}"
            broken = f"{column.name} not in ({allowed})"
            rules.append(Rule(f"{column.name} allowed", column.name, says, broken))
    for column in FOCUS_1_2:
        # A resource may be called "null" by its owner.
        if column.type == TEXT and not column.allowed and column.name != "ResourceName":
            says = f"{column.name} is null where there is no value, never a placeholder"
            broken = f"{column.name} in ('', 'null', 'NULL', 'N/A', 'NaN', '-')"
            rules.append(Rule(f"{column.name} without placeholder", "NullHandling", says, broken))
    return rules


def _pricing() -> list[Rule]:
    """Make the rules about prices: null on tax, required on usage and purchases."""
    rules = []
    for name in _PRICED:
        rules.append(
            Rule(
                f"{name} not on tax",
                name,
                f"{name} is null on Tax",
                f"ChargeCategory = 'Tax' and {name} is not null",
            )
        )
        rules.append(
            Rule(
                f"{name} on usage",
                name,
                f"{name} is given on every Usage and Purchase that is not a correction",
                f"ChargeCategory in ('Usage', 'Purchase') and {ORDINARY} and {name} is null",
                name in _EXPORT_GAPS,
            )
        )
    for basis in ("List", "Contracted"):
        price, cost = f"{basis}UnitPrice", f"{basis}Cost"
        rules.append(
            Rule(
                f"{cost} is price times quantity",
                cost,
                f"{price} x PricingQuantity equals {cost}, within 1e-9 of it",
                f"{ORDINARY} and {_apart(price, cost)}",
            )
        )
        rules.append(Rule(f"{price} not negative", price, f"{price} is at least 0", f"{price} < 0"))
        rules.append(
            Rule(
                f"PricingCurrency{price} not negative",
                f"PricingCurrency{price}",
                f"PricingCurrency{price} is at least 0",
                f"PricingCurrency{price} < 0",
            )
        )
    for name in ("ListUnitPrice", "ContractedUnitPrice", "EffectiveCost"):
        rules.append(
            Rule(
                f"{name} in its own currency",
                f"PricingCurrency{name}",
                f"PricingCurrency{name} is {name} where the currencies are the same",
                f"PricingCurrency = BillingCurrency and PricingCurrency{name} <> {name}",
            )
        )
    return rules


def _apart(price: str, cost: str) -> str:
    """Write SQL: price x quantity is not the cost.

    No decimal type holds the product of two DECIMAL(38,18), so the comparison (never an amount) is
    made in doubles, whose error is a millionth of the tolerance: FOCUS's 1e-9 of the cost, plus the
    effect of a price's last digit on a large quantity. The cheap comparisons come first: converting
    decimals to doubles takes most of the time of applying all rules.
    """
    off = f"abs({price}::double * PricingQuantity::double - {cost}::double)"
    tolerance = (
        f"greatest(1e-9 * greatest(abs({cost}::double), 1), abs(PricingQuantity::double) * 1e-18)"
    )
    same = "ListUnitPrice = ContractedUnitPrice and ListCost = ContractedCost"
    return (
        "case"
        + (f" when {same} then false" if price == "ListUnitPrice" else "")
        + f" when PricingQuantity = 1 and {price} = {cost} then false"
        f" when {off} <= 1e-9 then false else {off} > {tolerance} end"
    )


# FOCUS 1.2 requires a status of Usage only, and has no value for AWS's Reserved and Cancelling.
_CAPACITY = (
    " and ChargeCategory = 'Usage'"
    " and coalesce(x_CapacityReservationStatus not in ('Reserved', 'Cancelling'), true)"
)


def _pairs() -> list[Rule]:
    """Make the rules about columns that have values together or not at all."""
    pairs = (
        ("SubAccountId", "SubAccountName"), ("SubAccountId", "SubAccountType"),
        ("BillingAccountId", "BillingAccountType"), ("RegionId", "RegionName"),
        ("ResourceId", "ResourceType"), ("CapacityReservationId", "CapacityReservationStatus"),
        ("PricingQuantity", "PricingUnit"), ("ConsumedQuantity", "ConsumedUnit"),
        ("CommitmentDiscountQuantity", "CommitmentDiscountUnit"),
        ("CommitmentDiscountId", "CommitmentDiscountCategory"),
        ("CommitmentDiscountId", "CommitmentDiscountType"),
    )  # fmt: skip
    gaps = ("RegionName", "ResourceType", "BillingAccountType", "SubAccountType", "PricingUnit")
    return [
        Rule(
            f"{name} with {other}",
            other,
            f"{name} and {other} are both given or both null",
            f"({name} is null) <> ({other} is null)"
            + (_CAPACITY if name == "CapacityReservationId" else ""),
            other in gaps,
        )
        for name, other in pairs
    ]


@cache
def row_rules() -> tuple[Rule, ...]:
    """List the rules that apply to single charges."""
    of_columns = (*_columns(), *_pricing(), *_pairs())
    return (*of_columns, *CLASSES, *COMMITMENTS, *PERIODS, *OURS)


SHARED_VALUE_RULES: tuple[SharedValue, ...] = (
    SharedValue("one SkuId of a price", "SkuPriceId", "SkuPriceId", "SkuId"),
    SharedValue("one category of a service", "ServiceCategory", "ServiceName", "ServiceCategory"),
    SharedValue(
        "one subcategory of a service", "ServiceSubcategory", "ServiceName", "ServiceSubcategory"
    ),
    SharedValue("one name of a region", "RegionName", "RegionId", "RegionName"),
    SharedValue(
        "one unit of a commitment",
        "CommitmentDiscountUnit",
        "CommitmentDiscountId",
        "CommitmentDiscountUnit",
    ),
    SharedValue(
        "one type of a commitment",
        "CommitmentDiscountType",
        "CommitmentDiscountId",
        "CommitmentDiscountType",
    ),
)

# A case evaluates in order; an `or` might look into text that is not JSON.
_JSON_OBJECT = "case when json_valid(value) then json_type(value) <> 'OBJECT' else true end"
_KEYS_TWICE = "len(json_keys(value)) <> len(list_distinct(json_keys(value)))"
_NESTED = "list_has_any(json_type(value, '$.*'), ['OBJECT', 'ARRAY'])"
_FOREIGN_KEYS = (
    "len(list_filter(json_keys(value),"
    " lambda k: not regexp_full_match(k, '[A-Z][A-Za-z0-9]*|x_[A-Za-z0-9_]+'))) > 0"
)


def _key_values(broken: str) -> str:
    return f"case when {_JSON_OBJECT} then true else {broken} end"


@cache
def value_rules() -> tuple[ValueRule, ...]:
    """List the rules that apply to distinct values."""
    pairs = tuple(f"{category}: {name}" for name, category in SERVICE_SUBCATEGORIES.items())
    return (
        ValueRule(
            "Tags key-value",
            "KeyValueFormat",
            "Tags is a JSON object of plain values, without repeated keys",
            "Tags",
            _key_values(f"{_NESTED} or {_KEYS_TWICE}"),
        ),
        ValueRule(
            "SkuPriceDetails key-value",
            "KeyValueFormat",
            "SkuPriceDetails is a JSON object of plain values, with keys in PascalCase or x_ keys",
            "SkuPriceDetails",
            _key_values(f"{_NESTED} or {_KEYS_TWICE} or {_FOREIGN_KEYS}"),
            True,
        ),
        *(
            ValueRule(f"{name} JSON", "own", f"{name} is a JSON object", name, _JSON_OBJECT)
            for name in (
                "x_CostCategories",
                "x_Discounts",
                "x_OtherTags",
                "x_TagKeys",
                "x_UnknownColumns",
            )
        ),
        ValueRule(
            "ServiceCategory allowed",
            "ServiceCategory",
            "ServiceCategory is one of FOCUS's categories",
            "ServiceCategory",
            f"value not in ({_listed(SERVICE_CATEGORIES)})",
        ),
        ValueRule(
            "ServiceSubcategory allowed",
            "ServiceSubcategory",
            "ServiceSubcategory belongs to its ServiceCategory",
            "ServiceCategory || ': ' || ServiceSubcategory",
            f"value not in ({_listed(pairs)})",
        ),
        *(
            ValueRule(
                f"{name} ISO 4217",
                "CurrencyFormat",
                f"{name} is a currency code of ISO 4217",
                name,
                f"value not in ({_listed(CURRENCIES)})",
            )
            for name in ("BillingCurrency", "PricingCurrency")
        ),
    )


@cache
def rules() -> dict[str, Rule | SharedValue | ValueRule]:
    """Map the name of every rule to the rule."""
    every: tuple[Rule | SharedValue | ValueRule, ...] = (
        *row_rules(),
        *SHARED_VALUE_RULES,
        *value_rules(),
    )
    return {rule.name: rule for rule in every}


CONTRACT_RULE = "columns of the contract"
"""The rule that a file has exactly the contract's columns and types (FOCUS: custom columns begin
with x_ and follow FOCUS's). It applies to a file, not to its rows."""


def describe_rule(rule: str) -> str:
    """Describe a rule, given by its name, in a sentence."""
    if rule == CONTRACT_RULE:
        return "a file of charges can be read and has exactly the contract's columns"
    return rules()[rule].says if rule in rules() else "a rule that no longer exists"
