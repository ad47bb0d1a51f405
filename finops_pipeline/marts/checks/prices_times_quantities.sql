-- prices_times_quantities: charges whose unit price times quantity is not their cost.
-- reads: costs
-- on failure: warn
--
-- FOCUS 1.2: ListUnitPrice x PricingQuantity = ListCost, likewise contracted, where both are
-- given and the row is no correction. Tolerance 1e-7 of the cost, at least 1e-7: a product of
-- two decimals must fit 38 digits, so the factors are rounded first.

with

priced as (
    select
        project,
        billing_period,
        x_LineItemId as line_item_id,
        x_LineItemType as line_item_type,
        PricingQuantity as pricing_quantity,
        unnest([ListUnitPrice, ContractedUnitPrice]) as unit_price,
        unnest([ListCost, ContractedCost]) as cost,
        unnest(['list', 'contracted']) as cost_basis
    from costs
    where ChargeClass is null
        and PricingQuantity <> 0
        and abs(ListCost) < 1000000000
        and abs(ContractedCost) < 1000000000
),

compared as (
    select
        *,
        case
            when abs(pricing_quantity) < 1000000 and unit_price < 1000000
            then unit_price::decimal(20, 14) * pricing_quantity::decimal(18, 12)
            when abs(pricing_quantity) < 1000000000000 and unit_price < 1
            then unit_price::decimal(18, 16) * pricing_quantity::decimal(19, 7)
        end as product
    from priced
),

final as (
    select *
    from compared
    where abs(product - cost) > 0.0000001 * greatest(abs(cost)::decimal(28, 9), 1)
)

select * from final
