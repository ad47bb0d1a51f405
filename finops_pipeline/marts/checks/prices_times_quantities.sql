-- prices_times_quantities: charges whose unit price times quantity is not their cost.
-- reads: costs
-- on failure: warn
--
-- FOCUS 1.2: ListUnitPrice x PricingQuantity = ListCost, likewise contracted, where both are
-- given and the row is no correction. Tolerance 1e-7 of the cost, at least 1e-7: a product of
-- two decimals must fit 38 digits, so the factors are rounded first. Where list and contracted
-- say the same, one comparison answers for both; the dear one (relative) is for what is left.

with

charge as (
    select *
    from costs
    where ChargeClass is null
        and PricingQuantity <> 0
        and abs(ListCost) < 1000000000
        and abs(ContractedCost) < 1000000000
),

priced as (
    select
        'contracted' as cost_basis, ContractedUnitPrice as unit_price, ContractedCost as cost, *
    from charge
    union all
    select 'list' as cost_basis, ListUnitPrice as unit_price, ListCost as cost, *
    from charge
    where ListUnitPrice <> ContractedUnitPrice
        or ListCost <> ContractedCost
        or ContractedUnitPrice is null
),

compared as (
    select
        project,
        billing_period,
        x_LineItemId as line_item_id,
        x_LineItemType as line_item_type,
        cost_basis,
        PricingQuantity as pricing_quantity,
        unit_price,
        cost,
        case
            when PricingQuantity = 1 then unit_price - cost
            when abs(PricingQuantity) < 1000000 and abs(unit_price) < 1000000
            then unit_price::decimal(20, 14) * PricingQuantity::decimal(18, 12) - cost
            when abs(PricingQuantity) < 1000000000000 and abs(unit_price) < 1
            then unit_price::decimal(18, 16) * PricingQuantity::decimal(19, 7) - cost
        end as difference
    from priced
),

final as (
    select *
    from compared
    where case
        when abs(difference) <= 0.0000001 then false
        else abs(difference) > 0.0000001 * greatest(abs(cost)::decimal(28, 9), 1)
    end
)

select * from final
