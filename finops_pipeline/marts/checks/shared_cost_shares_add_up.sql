-- shared_cost_shares_add_up: shared costs and months whose shares do not add up to exactly 1, are
--   not in proportion to their basis, or are missing although the receivers are declared.
-- reads: shared_cost_shares, costs_to_share, shared_cost_rules
-- on failure: refuse

with

summed as (
    select
        billing_period,
        shared_cost,
        billing_currency,
        sum(share) as share,
        sum(basis) as basis
    from shared_cost_shares
    group by all
),

compared as (
    select
        part.billing_period,
        part.shared_cost,
        part.billing_currency,
        bool_and(
            abs(part.share::decimal(38, 12) * summed.basis::decimal(24, 6) - part.basis)
            <= 0.00001 + summed.basis::decimal(24, 6) * 0.000000000001
        ) as is_in_proportion
    from shared_cost_shares as part
    inner join summed using (billing_period, shared_cost, billing_currency)
    group by all
),

missing as (
    select distinct
        costs_to_share.billing_period,
        costs_to_share.shared_cost,
        costs_to_share.billing_currency
    from costs_to_share
    inner join shared_cost_rules as rule on rule.shared_cost = costs_to_share.shared_cost
    left join summed
        on summed.billing_period = costs_to_share.billing_period
        and summed.shared_cost = costs_to_share.shared_cost
        and summed.billing_currency = costs_to_share.billing_currency
    where rule.receivers is not null
        and rule.method in ('even', 'fixed')
        and summed.share is null
),

final as (
    select summed.billing_period, summed.shared_cost, summed.billing_currency, summed.share
    from summed
    inner join compared using (billing_period, shared_cost, billing_currency)
    where summed.share <> 1 or not compared.is_in_proportion
    union all
    select billing_period, shared_cost, billing_currency, null as share from missing
)

select * from final
