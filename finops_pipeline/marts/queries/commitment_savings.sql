-- commitment_savings: what commitments saved compared with contracted prices, net of their unused
--   parts.
-- use case: not in the FOCUS library, but in its form (FOCUS 1.0)
-- grain: billing_period, commitment_discount_type, billing_currency
-- money: contracted_cost, effective_cost, saved_cost (billing currency, exact decimal)
-- reads: costs_focus_1_2

with

charge as (
    select *, strftime(BillingPeriodStart, '%Y-%m') as billing_period
    from costs_focus_1_2
    where BillingPeriodStart >= $from and BillingPeriodStart < $to
),

final as (
    select
        billing_period,
        CommitmentDiscountType as commitment_discount_type,
        BillingCurrency as billing_currency,
        sum(ContractedCost) as contracted_cost,
        sum(EffectiveCost) as effective_cost,
        sum(ContractedCost) - sum(EffectiveCost) as saved_cost
    from charge
    where ChargeCategory = 'Usage' and CommitmentDiscountStatus is not null
    group by all
    order by billing_period, commitment_discount_type, billing_currency
)

select * from final
