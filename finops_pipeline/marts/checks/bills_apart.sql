-- bills_apart: accounts whose charges are in two bills and therefore count twice.
-- reads: bill_totals, costs
-- on failure: warn
--
-- Two exports of one bill (a legacy CUR and a CUR 2.0, a CUR and a FOCUS export, or the same export
-- twice) repeat each other's charges, except for a few that only the later export has. So charges
-- are compared one by one: those with the same account, currency, start, resource and billed cost
-- are equal. If in any account at least half of the charges of the bill with fewer charges have an
-- equal one in the other, both are the same bill. An account that moves to another payer within the
-- month has no equal charges.
--
-- Not compared: resources, if the share of charges that have one is less than half as large in one
-- bill as in the other; line item ids, which are new in each report; ends of charges, which exports
-- state differently; decimals after the 8th, because CSV has 10 and Parquet has more. Taxes do not
-- decide, because small taxes are often equal by chance. If one bill is hourly and the other daily
-- or monthly, sums by resource are compared as well.

with

shared_account as materialized (
    select
        billing_period,
        coalesce(sub_account_id, '') as sub_account_id,
        billing_currency,
        row_number() over () as account_number
    from bill_totals
    group by all
    having count(distinct source) > 1
),

charge as not materialized (
    select
        shared_account.billing_period,
        shared_account.account_number,
        costs.x_Source as charged_by,
        costs.ChargePeriodStart as begins_at,
        hash(costs.ResourceId) as resource,
        costs.ResourceId is not null as has_resource,
        costs.ChargeCategory = 'Tax' as is_tax,
        costs.BilledCost as billed_cost
    from costs
    inner join shared_account
        on costs.billing_period = shared_account.billing_period
        and coalesce(costs.SubAccountId, '') = shared_account.sub_account_id
        and costs.BillingCurrency = shared_account.billing_currency
    where abs(costs.BilledCost) >= 0.000000005
),

bill as materialized (
    select
        billing_period,
        charged_by,
        count(*) as charges,
        count(*) filter (has_resource) as with_resource,
        case
            when bool_or(extract(hour from begins_at) <> 0) then 1
            when bool_or(extract(day from begins_at) <> 1) then 2
            else 3
        end as granularity
    from charge
    group by all
),

pair as materialized (
    select
        row_number() over () as pair_number,
        bill.billing_period,
        bill.charged_by as source,
        other_bill.charged_by as other_source,
        bill.with_resource * other_bill.charges * 2 >= other_bill.with_resource * bill.charges
        and other_bill.with_resource * bill.charges * 2
            >= bill.with_resource * other_bill.charges as is_by_resource,
        ['hour', 'day', 'month'][greatest(bill.granularity, other_bill.granularity)]
            as longer_period,
        bill.granularity <> other_bill.granularity as has_two_granularities
    from bill
    inner join bill as other_bill
        on bill.billing_period = other_bill.billing_period
        and bill.charged_by < other_bill.charged_by
),

pair_member as (
    select
        *,
        unnest([true, false]) as is_first,
        unnest([source, other_source]) as charged_by
    from pair
),

-- Through a list, so that DuckDB knows that these rows are few and does not hash the charges.
member as materialized (
    select unnest(members, recursive := true)
    from (select list(pair_member) as members from pair_member)
),

sum_of_charges as (
    select
        pair_number,
        account_number,
        is_tax,
        is_first,
        date_trunc(longer_period, begins_at) as begins_at,
        case when is_by_resource then resource end as resource,
        sum(billed_cost)::decimal(38, 18) as billed_cost
    from charge
    inner join member using (billing_period, charged_by)
    where has_two_granularities
    group by all
),

-- The key is one number, because there may be as many groups as charges.
compared as (
    select
        pair_number,
        account_number,
        false as is_sum,
        is_tax,
        is_first,
        hash(
            begins_at, case when is_by_resource then resource end, round(billed_cost, 8)
        ) as charge_key,
        billed_cost
    from charge
    inner join member using (billing_period, charged_by)
    union all
    select
        pair_number,
        account_number,
        true as is_sum,
        is_tax,
        is_first,
        hash(begins_at, resource, round(billed_cost, 6)) as charge_key,
        billed_cost
    from sum_of_charges
),

equal_charge as (
    select
        pair_number,
        account_number,
        is_sum,
        is_tax,
        charge_key,
        count(*) filter (is_first) as charges,
        count(*) filter (not is_first) as other_charges,
        sum(billed_cost) filter (is_first) as billed_cost,
        sum(billed_cost) filter (not is_first) as other_billed_cost
    from compared
    group by all
),

account as materialized (
    select
        pair_number,
        account_number,
        is_sum,
        sum(charges)::bigint as charges,
        sum(other_charges)::bigint as other_charges,
        sum(least(charges, other_charges))::bigint as equal_charges,
        coalesce(
            sum(if(charges <= other_charges, billed_cost, other_billed_cost))
                filter (least(charges, other_charges) > 0),
            0
        )::decimal(38, 18) as billed_cost,
        least(
            sum(charges) filter (not is_tax), sum(other_charges) filter (not is_tax)
        ) as charges_of_smaller_bill,
        sum(least(charges, other_charges)) filter (not is_tax) as equal_without_tax
    from equal_charge
    group by all
),

same_bill as (
    select
        pair_number,
        bool_and(is_sum) as is_sum
    from account
    where charges_of_smaller_bill > 0
        and equal_without_tax * 2 >= charges_of_smaller_bill
    group by all
),

final as (
    select
        pair.billing_period,
        pair.source,
        pair.other_source,
        if(account.is_sum, pair.longer_period, 'charge') as compared_by,
        shared_account.sub_account_id,
        shared_account.billing_currency,
        account.charges,
        account.other_charges,
        account.equal_charges,
        account.billed_cost
    from account
    inner join same_bill using (pair_number, is_sum)
    inner join pair using (pair_number)
    inner join shared_account using (account_number)
    where account.equal_charges > 0
)

select * from final
