-- account_names: the accounts in each month's charges, with their names in the bill.
-- grain: billing_period, sub_account_id
-- money: none
-- reads: costs
-- lookback: 0 months
-- check: account_names_equal_charges
-- slice: billing_period
--
-- If an account was renamed within the month, the name on its last charge with a name counts.

with

charge as (
    select
        billing_period,
        SubAccountId as sub_account_id,
        SubAccountName as sub_account_name,
        ChargePeriodStart as charge_period_start
    from costs
    where SubAccountId is not null
),

final as (
    select
        billing_period,
        sub_account_id,
        (
            max((charge_period_start, sub_account_name))
            filter (sub_account_name is not null)
        )[2] as sub_account_name,
        count(*) as charges
    from charge
    group by all
)

select * from final
