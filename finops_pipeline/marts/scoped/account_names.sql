-- account_names: the accounts in each month's charges of some projects, with their names.
-- grain: billing_period, sub_account_id
-- money: none
-- reads: account_names, monthly_costs
-- parameters: projects
--
-- An account may have charges of several projects, so the number of charges is counted again.

with

used as (
    select
        billing_period,
        sub_account_id,
        sum(charges)::bigint as charges
    from monthly_costs
    where list_contains($projects::varchar[], project)
        and sub_account_id is not null
    group by all
),

named as (
    select * from account_names
),

final as (
    select
        used.billing_period,
        used.sub_account_id,
        named.sub_account_name,
        used.charges
    from used
    left join named
        on named.billing_period = used.billing_period
        and named.sub_account_id = used.sub_account_id
)

select * from final
