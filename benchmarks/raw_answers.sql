-- raw_answers: the questions of docs/cookbook.md, answered from a CUR 2.0 export itself.
-- reads: `cur`, the export's Parquet files with BILLING_PERIOD from their folders; `claim`, the
--        account ids of each project and its environment
-- money: doubles, as the export has it
--
-- The first statement is the view that every analyst of raw bills writes first. An answer has the
-- columns whose numbers are defined as in the cookbook.

create view line as
select
    *,
    line_item_line_item_type as line_type,
    line_item_unblended_cost as billed_cost,
    case line_item_line_item_type
        when 'SavingsPlanCoveredUsage' then savings_plan_savings_plan_effective_cost
        when 'SavingsPlanNegation' then 0
        when 'SavingsPlanUpfrontFee' then 0
        when 'SavingsPlanRecurringFee'
        then savings_plan_total_commitment_to_date - savings_plan_used_commitment
        when 'DiscountedUsage' then reservation_effective_cost
        when 'RIFee'
        then reservation_unused_amortized_upfront_fee_for_billing_period
            + reservation_unused_recurring_fee
        else line_item_unblended_cost
    end as effective_cost,
    line_item_line_item_type in ('Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage') as is_usage,
    line_item_line_item_type in ('DiscountedUsage', 'SavingsPlanCoveredUsage') as is_covered,
    line_item_line_item_type in ('RIFee', 'SavingsPlanRecurringFee') as is_fee,
    BILLING_PERIOD = (select max(BILLING_PERIOD) from cur) as is_newest
from cur;

-- question: What changed since the previous month?
select
    product_product_name,
    sum(effective_cost) filter (is_newest) as cost,
    sum(effective_cost) filter (not is_newest) as cost_before
from line
where BILLING_PERIOD >= strftime(
        cast((select max(BILLING_PERIOD) from cur) || '-01' as date) - interval 1 month, '%Y-%m'
    )
group by all;

-- question: Which environment grew?
select BILLING_PERIOD, environment, sum(effective_cost) as effective_cost
from line left join claim on account = line_item_usage_account_id
group by all;

-- question: What do we spend most on?
select product_product_name, sum(effective_cost) as effective_cost
from line where is_newest group by all order by effective_cost desc limit 5;

-- question: Which resources cost most?
select
    coalesce(
        line_item_resource_id,
        case when is_fee
            then coalesce(savings_plan_savings_plan_a_r_n, reservation_reservation_a_r_n) end
    ) as resource,
    product_product_name,
    project,
    sum(effective_cost) as effective_cost
from line left join claim on account = line_item_usage_account_id
where is_newest and resource is not null
group by all order by effective_cost desc limit 20;

-- question: What does the total consist of?
select
    case
        when line_type = 'Tax' then 'tax'
        when line_type in ('Credit', 'Refund') then 'credits_and_refunds'
        when line_type like '%Discount' then 'discounts'
        when bill_billing_entity = 'AWS Marketplace' then 'marketplace'
        when line_item_product_code like '%Support%' then 'support'
        when is_fee or line_type = 'SavingsPlanNegation' or is_covered then 'commitments'
        when line_type in ('Fee', 'SavingsPlanUpfrontFee') then 'upfront_and_fees'
        else 'usage'
    end as charge_group,
    sum(case when line_type in ('SavingsPlanCoveredUsage', 'SavingsPlanNegation') then 0
        else billed_cost end) as billed_cost,
    sum(effective_cost) as effective_cost
from line where is_newest group by all;

-- question: What does each team cost?
select resource_tags['user_Team'] as tag_value, sum(effective_cost) as effective_cost
from line where is_newest group by all;

-- question: Where is spend untagged?
select project, product_product_name, sum(effective_cost) as untagged_cost
from line left join claim on account = line_item_usage_account_id
where is_newest and is_usage and coalesce(line_item_resource_id, '') <> ''
    and coalesce(trim(resource_tags['user_Team']), '') = ''
group by all having sum(effective_cost) >= 10;

-- question: How much spend meets the tagging policy?
select
    BILLING_PERIOD,
    key.tag_key,
    sum(case when coalesce(trim(resource_tags[tag_key]), '') <> '' then effective_cost else 0 end)
        as tagged_cost,
    sum(effective_cost) as taggable_cost
from line, (select distinct unnest(map_keys(resource_tags)) as tag_key from cur) as key
where is_usage and coalesce(line_item_resource_id, '') <> ''
group by all;

-- question: Which discounts and credits did we get?
select product_product_name, sum(billed_cost) as billed_cost
from line
where is_newest and (line_type in ('Credit', 'Refund') or line_type like '%Discount')
group by all;

-- question: Where do savings come from?
select
    sum(pricing_public_on_demand_cost) filter (is_usage) as list_cost,
    sum(billed_cost - pricing_public_on_demand_cost)
        filter (line_type = 'Usage' and pricing_term = 'Spot') as spot_savings,
    sum(billed_cost - pricing_public_on_demand_cost)
        filter (line_type = 'Usage' and pricing_term <> 'Spot') as negotiated_savings,
    sum(effective_cost - pricing_public_on_demand_cost) filter (is_covered) as commitment_savings,
    sum(effective_cost) filter (is_fee) as unused_cost,
    sum(case when line_type like '%Discount' then billed_cost else 0 end) as discount_cost,
    sum(case when line_type in ('Credit', 'Refund') then billed_cost else 0 end) as credit_cost,
    sum(case when line_type = 'Tax' then billed_cost else 0 end) as tax_cost,
    sum(effective_cost) as effective_cost
from line where is_newest;

-- question: What is our effective savings rate?
select
    BILLING_PERIOD,
    sum(pricing_public_on_demand_cost) filter (is_usage) as list_cost,
    sum(pricing_public_on_demand_cost - effective_cost) filter (is_usage)
        - sum(effective_cost) filter (is_fee) as saved_cost,
    round(100 * saved_cost / nullif(list_cost, 0), 2) as savings_rate_percent
from line group by all;

-- question: What disappeared from the bill?
with month as (
    select BILLING_PERIOD, product_product_name, sum(effective_cost) as cost_before
    from line group by all
)
select month.*
from month
anti join month as later
    on later.product_product_name = month.product_product_name
    and later.BILLING_PERIOD = strftime(
        cast(month.BILLING_PERIOD || '-01' as date) + interval 1 month, '%Y-%m'
    )
where month.BILLING_PERIOD < (select max(BILLING_PERIOD) from cur);

-- question: How do billed and effective cost differ?
select
    BILLING_PERIOD,
    sum(billed_cost) as billed_cost,
    sum(effective_cost) as effective_cost,
    sum(billed_cost) filter (is_fee) as commitment_fees,
    sum(case when line_type in ('SavingsPlanCoveredUsage', 'SavingsPlanNegation') then 0
        when is_fee then 0 else billed_cost end)
        - sum(effective_cost) as amortized_fees
from line group by all;

-- question: Which days were unusually expensive?
select
    cast(line_item_usage_start_date as date) as charge_date,
    product_product_name,
    sum(effective_cost) as effective_cost
from line where is_newest and is_usage
group by all order by effective_cost desc limit 10;

-- question: What does an hour cost?
select line_item_usage_start_date as charge_hour, sum(effective_cost) as effective_cost
from line
where line_item_usage_end_date = line_item_usage_start_date + interval 1 hour
    and (is_usage or is_fee)
    and cast(line_item_usage_start_date as date)
        > (select max(cast(line_item_usage_start_date as date)) from cur) - 35
group by all order by charge_hour desc limit 24;

-- question: How much of our commitments do we use?
select
    BILLING_PERIOD,
    line_type,
    sum(billed_cost) as total_cost,
    sum(effective_cost) as unused_cost,
    round(100 * (total_cost - unused_cost) / nullif(total_cost, 0), 2) as used_percent
from line where is_fee group by all;

-- question: When are commitments unused?
select
    savings_plan_savings_plan_a_r_n,
    extract(hour from line_item_usage_start_date) as hour_of_day,
    sum(effective_cost) as unused_cost
from line
where is_newest and line_type = 'SavingsPlanRecurringFee'
group by all having sum(effective_cost) > 0;

-- question: Which commitments do we have, and which end soon?
select
    coalesce(savings_plan_savings_plan_a_r_n, reservation_reservation_a_r_n) as commitment,
    max(coalesce(nullif(savings_plan_purchase_term, ''), '')) as term,
    date_diff(
        'day',
        (select max(cast(line_item_usage_start_date as date)) from line where is_newest and is_usage),
        max(coalesce(savings_plan_end_time, reservation_end_time))::timestamp::date
    ) as days_left,
    sum(billed_cost)
        / sum(date_diff('hour', line_item_usage_start_date, line_item_usage_end_date))
        as hourly_commitment
from line where is_newest and is_fee group by all;

-- question: How much of our compute and database usage do commitments cover?
select
    BILLING_PERIOD,
    case
        when regexp_matches(line_item_usage_type, '(Box|Dedicated|Host)Usage') then 'EC2 Instance'
        when line_item_usage_type like '%Lambda-GB-Second%' then 'Lambda'
        when line_item_product_code = 'AmazonRDS'
        and regexp_matches(line_item_usage_type, '(Instance|Multi-AZ)Usage') then 'RDS'
    end as service_family,
    sum(pricing_public_on_demand_cost) as eligible_list_cost,
    coalesce(sum(pricing_public_on_demand_cost) filter (is_covered), 0) as covered_list_cost,
    round(100 * covered_list_cost / nullif(eligible_list_cost, 0), 2) as covered_percent
from line
where is_usage and pricing_term <> 'Spot' and service_family is not null
group by all;

-- question: How large a commitment could we still use?
select line_item_usage_start_date as period_start, sum(billed_cost) as on_demand_cost
from line
where is_newest and line_type = 'Usage' and pricing_term <> 'Spot'
    and regexp_matches(
        line_item_usage_type, '(Box|Dedicated|Host)Usage|Fargate|Lambda-(Provisioned-)?GB-Second'
    )
group by all;

-- question: What does each kind of data transfer cost?
select
    case
        when line_item_usage_type like '%VPCPeering%' then 'VPC peering'
        when line_item_usage_type like '%TransitGateway%' then 'Transit gateway'
        when line_item_usage_type like '%NatGateway%' then 'NAT gateway'
        when line_item_usage_type like '%DataTransfer-Regional%' then 'Inter-AZ'
        when regexp_matches(line_item_usage_type, 'AWS-(In|Out)-Bytes') then 'Inter-region'
        when regexp_matches(line_item_usage_type, 'DataTransfer-(In|Out)-Bytes') then 'Internet'
        else 'Other'
    end as kind,
    regexp_extract(line_item_usage_type, '-(In|Out)-', 1) as direction,
    sum(line_item_usage_amount) as gigabytes,
    sum(effective_cost) as effective_cost
from line
where is_newest and is_usage and line_item_usage_type like '%Bytes'
    and line_item_usage_type not like '%ByteHrs%'
group by all;

-- question: What does each class of storage cost?
select
    product_product_name,
    case
        when line_item_usage_type like '%TimedStorage-SIA%' then 'Standard-IA'
        when line_item_usage_type like '%TimedStorage-INT%' then 'Intelligent-Tiering'
        when line_item_usage_type like '%TimedStorage%' then 'Standard'
        when line_item_usage_type like '%EBS:VolumeUsage.gp3%' then 'gp3'
        when line_item_usage_type like '%EBS:VolumeUsage.gp2%' then 'gp2'
        else 'Other'
    end as storage_class,
    line_item_resource_id,
    sum(line_item_usage_amount) as gigabyte_months,
    sum(effective_cost) as effective_cost
from line
where is_newest and is_usage
    and (pricing_unit in ('GB-Mo', 'GB-month')
        or regexp_matches(line_item_usage_type, 'TimedStorage|EBS:VolumeUsage|EBS:Snapshot'))
group by all order by effective_cost desc limit 20;

-- question: Which instances never stop?
select
    project,
    environment,
    product_instance_type,
    line_item_resource_id,
    round(100 * sum(line_item_usage_amount)
        / (24 * day(last_day(any_value(bill_billing_period_start_date)::date))), 2)
        as elasticity_percent,
    sum(effective_cost) as effective_cost
from line left join claim on account = line_item_usage_account_id
where is_newest and is_usage and environment is distinct from 'prod'
    and regexp_matches(line_item_usage_type, '(Box|Spot|Instance)Usage')
group by all having elasticity_percent >= 100;

-- no answer: What does each cluster, namespace and workload cost?
-- The bill has no split cost allocation data, so the answers of both are empty.

-- no answer: Which projects miss our tagging policy?
-- Not in a bill: which tags are required is declared, and this tenant declares none.

-- no answer: What does an order, a user or a request cost?
-- Not in a bill: business metrics are loaded, and this tenant has none.

-- no answer: What does a project cost with its part of shared costs?
-- Not in a bill: how costs are shared is declared, and this tenant declares nothing.

-- no answer: What do we charge each project?
-- Not in a bill: statements follow declared terms.
