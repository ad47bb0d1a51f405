-- account_names_equal_charges: accounts whose row in account_names has a wrong number of charges,
--   or a name that none of the charges has.
-- reads: account_names, costs
-- on failure: refuse

with

charged as (
    select
        billing_period,
        SubAccountId as sub_account_id,
        count(*) as charges,
        count(SubAccountName) as named_charges,
        list(distinct SubAccountName) as names
    from costs
    where SubAccountId is not null
    group by all
),

final as (
    select
        billing_period,
        sub_account_id,
        charged.charges as charges_of_charges,
        account_names.charges as charges_of_mart,
        account_names.sub_account_name
    from charged
    full join account_names using (billing_period, sub_account_id)
    where charged.charges is distinct from account_names.charges
        or (account_names.sub_account_name is null) <> (named_charges = 0)
        or not coalesce(list_contains(names, account_names.sub_account_name), true)
)

select * from final
