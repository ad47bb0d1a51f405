-- charges_equal_ledger: files of charges that no longer hold what was written into them.
-- reads: costs, partitions
-- on failure: refuse
--
-- Compared by project, month, source, currency and kind of row: charges that were lost, doubled or
-- changed since they were published. Cure: `finops rebuild TENANT --project PROJECT --month MONTH`,
-- which builds the file again from what landed.

with

charged as (
    select
        project,
        billing_period,
        x_Source as source,
        BillingCurrency as billing_currency,
        x_RowKind as row_kind,
        count(*) as charges,
        sum(BilledCost) as billed_cost,
        sum(EffectiveCost) as effective_cost,
        sum(ListCost) as list_cost,
        sum(ContractedCost) as contracted_cost
    from costs
    group by all
),

written as (
    select * from partitions
),

final as (
    select
        coalesce(charged.project, written.project) as project,
        coalesce(charged.billing_period, written.billing_period) as billing_period,
        coalesce(charged.source, written.source) as source,
        coalesce(charged.billing_currency, written.billing_currency) as billing_currency,
        coalesce(charged.row_kind, written.row_kind) as row_kind,
        written.rows as charges_written,
        coalesce(charged.charges, 0) as charges_found,
        written.billed_cost as billed_written,
        charged.billed_cost as billed_found,
        written.effective_cost as effective_written,
        charged.effective_cost as effective_found,
        written.list_cost as list_written,
        charged.list_cost as list_found,
        written.contracted_cost as contracted_written,
        charged.contracted_cost as contracted_found
    from charged
    full join written
        on charged.project = written.project
        and charged.billing_period = written.billing_period
        and charged.source = written.source
        and charged.billing_currency = written.billing_currency
        and charged.row_kind = written.row_kind
    where charged.charges is distinct from written.rows
        or charged.billed_cost is distinct from written.billed_cost
        or charged.effective_cost is distinct from written.effective_cost
        or charged.list_cost is distinct from written.list_cost
        or charged.contracted_cost is distinct from written.contracted_cost
)

select * from final
