-- unused_days_equal_charges: commitments whose unused_commitment_days are not the sum of their
--   unused charges.
-- reads: costs, unused_commitment_days
-- rows only from: costs where x_RowKind = 'unused' or CommitmentDiscountStatus = 'Unused';
--        unused_commitment_days
-- on failure: refuse

with

charged as (
    select
        project,
        billing_period,
        x_Source as source,
        CommitmentDiscountId as commitment_discount_id,
        BillingCurrency as billing_currency,
        sum(EffectiveCost) as effective_cost,
        sum(x_NetEffectiveCost) as net_effective_cost
    from costs
    where x_RowKind = 'unused' or CommitmentDiscountStatus = 'Unused'
    group by all
),

summed as (
    select
        project,
        billing_period,
        source,
        commitment_discount_id,
        billing_currency,
        sum(effective_cost) as effective_cost,
        -- the sum is not known where some days state no net cost
        case when count(net_effective_cost) = count(*) then sum(net_effective_cost) end
            as net_effective_cost
    from unused_commitment_days
    group by all
),

final as (
    select
        coalesce(charged.project, summed.project) as project,
        coalesce(charged.billing_period, summed.billing_period) as billing_period,
        coalesce(charged.source, summed.source) as source,
        coalesce(charged.commitment_discount_id, summed.commitment_discount_id)
            as commitment_discount_id,
        coalesce(charged.billing_currency, summed.billing_currency) as billing_currency,
        charged.effective_cost as effective_by_charges,
        summed.effective_cost as effective_by_mart,
        charged.net_effective_cost as net_effective_by_charges,
        summed.net_effective_cost as net_effective_by_mart
    from charged
    full join summed
        on summed.project = charged.project
        and summed.billing_period = charged.billing_period
        and summed.source = charged.source
        and summed.commitment_discount_id is not distinct from charged.commitment_discount_id
        and summed.billing_currency = charged.billing_currency
    where charged.effective_cost is distinct from summed.effective_cost
        or summed.net_effective_cost is distinct from charged.net_effective_cost
            and summed.net_effective_cost is not null
)

select * from final
