-- charges_in_their_bill: charges in the folder of a month other than that of their bill.
-- reads: costs
-- on failure: refuse
--
-- The month of BillingPeriodStart is the billing_period of the folder. That the period is a month
-- long is a rule of conformance, because an export may state it otherwise.

with

final as (
    select
        project,
        billing_period,
        x_Source as source,
        SubAccountId as sub_account_id,
        BillingPeriodStart as billing_period_start,
        BillingPeriodEnd as billing_period_end,
        min(x_LineItemId) as line_item_id,
        count(*) as charges,
        sum(BilledCost) as billed_cost
    from costs
    where strftime(BillingPeriodStart, '%Y-%m') is distinct from billing_period
    group by all
)

select * from final
