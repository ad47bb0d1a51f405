-- recurring_bill: the lines of one month of a payer whose resources recur, as CUR 2.0 columns.
-- variables: month (YYYY-MM), lines (usage lines of the month, about)
--
-- A series is a resource with one usage type. It has a line for every hour, or every so many hours,
-- of its life. Most live all month and keep their name; Spot instances live twelve hours.

with

kind as (
    select *
    from (
        values
            -- kind, share of lines, lines of a series, hours between them, service code, service,
            -- usage type, operation, family, instance type, unit, rate
            ('instance', 0.30, 744, 1, 'AmazonEC2', 'Amazon Elastic Compute Cloud',
                'BoxUsage:m6i.xlarge', 'RunInstances', 'Compute Instance', 'm6i.xlarge', 'Hrs', 0.1920),
            ('spot', 0.05, 12, 1, 'AmazonEC2', 'Amazon Elastic Compute Cloud',
                'SpotUsage:m6i.large', 'RunInstances:SV001', 'Compute Instance', 'm6i.large', 'Hrs', 0.0371),
            ('volume', 0.15, 744, 1, 'AmazonEC2', 'Amazon Elastic Compute Cloud',
                'EBS:VolumeUsage.gp3', 'CreateVolume-Gp3', 'Storage', null, 'GB-Mo', 0.0800),
            ('traffic', 0.10, 744, 1, 'AmazonEC2', 'Amazon Elastic Compute Cloud',
                'DataTransfer-Out-Bytes', 'RunInstances', 'Data Transfer', null, 'GB', 0.0900),
            ('database', 0.10, 744, 1, 'AmazonRDS', 'Amazon Relational Database Service',
                'InstanceUsage:db.r6g.large', 'CreateDBInstance:0014', 'Database Instance', 'db.r6g.large',
                'Hrs', 0.2250),
            ('balancer', 0.05, 744, 1, 'AWSELB', 'Elastic Load Balancing',
                'LoadBalancerUsage', 'LoadBalancing:Application', 'Load Balancer', null, 'Hrs', 0.0225),
            ('function', 0.15, 60, 12, 'AWSLambda', 'AWS Lambda',
                'Lambda-GB-Second', 'Invoke', 'Serverless', null, 'Second', 0.0000166667),
            ('bucket', 0.05, 30, 24, 'AmazonS3', 'Amazon Simple Storage Service',
                'TimedStorage-ByteHrs', 'StandardStorage', 'Storage', null, 'GB-Mo', 0.0230),
            ('requests', 0.05, 744, 1, 'AmazonS3', 'Amazon Simple Storage Service',
                'Requests-Tier1', 'PutObject', 'API Request', null, 'Requests', 0.0000050)
    ) as stated (
        kind, share, lines_each, step, code, product, usage_type, operation, family, instance_type,
        unit, rate
    )
),

series as (
    select
        kind.*,
        no,
        case when kind = 'spot' then hash(kind, no, getvariable('month')) else hash(kind, no) end as h
    from kind,
        lateral (
            select unnest(
                range(greatest((getvariable('lines') * share / lines_each)::bigint, 1))
            ) as no
        )
),

described as (
    select
        *,
        (100000000000 + h % 24)::varchar as account,
        ['us-east-1', 'eu-west-1', 'eu-central-1'][1 + (h // 24 % 3)::int] as region,
        kind = 'instance' and no % 2 = 0 as has_plan,
        kind = 'database' and no % 5 < 2 as has_reservation,
        case
            when kind in ('instance', 'spot', 'volume', 'database', 'balancer') then 1
            else (1 + h // 100 % 9973)::decimal(18, 4) / 100
        end as size,
        case kind
            when 'requests' then null
            when 'bucket' then 'logs-' || substr(md5(h::varchar), 1, 12)
            when 'volume' then 'vol-' || substr(md5(h::varchar), 1, 17)
            when 'traffic' then 'i-' || substr(md5(hash('instance', no)::varchar), 1, 17)
            when 'instance' then 'i-' || substr(md5(h::varchar), 1, 17)
            when 'spot' then 'i-' || substr(md5(h::varchar), 1, 17)
            else 'arn:aws:' || kind || ':' || region || ':' || account || ':' || kind || '/'
                || substr(md5(h::varchar), 1, 17)
        end as resource,
        case when kind = 'spot' then h // 1000 % 660 else 0 end as first_hour
    from series
),

usage as (
    select
        *,
        first_hour + step * n as hour_no,
        (case
            when kind in ('volume', 'bucket') then size * (20 + h % 400) * step / 744
            when kind = 'function' then size * 40
            when kind = 'requests' then size * 100
            else size
        end)::decimal(38, 10) as amount,
        case
            when has_plan then 'SavingsPlanCoveredUsage'
            when has_reservation then 'DiscountedUsage'
            else 'Usage'
        end as line_type,
        (amount * rate)::decimal(38, 10) as list_cost,
        (case
            when has_reservation then 0
            when kind = 'spot' then list_cost * 0.35
            else list_cost
        end)::decimal(38, 10) as unblended
    from described, lateral (select unnest(range(lines_each)) as n)
    where first_hour + step * n
        < 24 * day(last_day(strptime(getvariable('month') || '-01', '%Y-%m-%d')))
),

line as (
    select
        * exclude (n, size),
        (case
            when has_plan then list_cost * 0.7
            when has_reservation then list_cost * 0.6
        end)::decimal(38, 10) as covered_cost
    from usage
    union all by name
    select
        *, 'SavingsPlanNegation' as line_type, -(amount * rate)::decimal(38, 10) as unblended
        from (select * exclude (n, size, line_type, unblended, list_cost) from usage where has_plan)
    union all by name
    select
        'SavingsPlanRecurringFee' as line_type,
        'plan' as kind,
        '100000000000' as account,
        'ComputeSavingsPlans' as code,
        'Savings Plans for AWS Compute usage' as product,
        'ComputeSP:1yrNoUpfront' as usage_type,
        hour_no,
        1 as step,
        1 as amount,
        sum((list_cost * 0.7)::decimal(38, 10)) as used_cost,
        used_cost + 1.25 as unblended
    from usage
    where has_plan
    group by hour_no
    union all by name
    select
        'RIFee' as line_type,
        'reservation' as kind,
        '100000000000' as account,
        'AmazonRDS' as code,
        'Amazon Relational Database Service' as product,
        'HeavyUsage:db.r6g.large' as usage_type,
        'CreateDBInstance:0014' as operation,
        'db.r6g.large' as instance_type,
        0 as hour_no,
        744 as step,
        count(*) + 100 as amount,
        sum((list_cost * 0.6)::decimal(38, 10)) as used_cost,
        used_cost + 13.5 as unblended
    from usage
    where has_reservation
    union all by name
    select
        'Tax' as line_type, 'tax' as kind, account, code, any_value(product) as product,
        0 as hour_no, 744 as step, 1 as amount, (sum(unblended) * 0.07)::decimal(38, 10) as unblended
    from usage
    group by account, code
    union all by name
    select
        'Credit' as line_type, 'credit' as kind, account, code, any_value(product) as product,
        'Credits' as usage_type, 0 as hour_no, 744 as step, 1 as amount,
        -(sum(unblended) * 0.01)::decimal(38, 10) as unblended
    from usage
    group by account, code
),

timed as (
    select
        *,
        strptime(getvariable('month') || '-01', '%Y-%m-%d') as month_start,
        month_start + interval 1 hour * hour_no as start_time,
        -- the fee of a reservation, taxes and credits have their month
        least(
            start_time + interval 1 hour * (case when kind = 'function' then 1 else step end),
            month_start + interval 1 month
        ) as end_time,
        kind in ('instance', 'spot', 'volume', 'traffic', 'database', 'balancer', 'function', 'bucket')
            as is_resource
    from line
)

select
    substr(base64(unhex(sha256(concat_ws('|', line_type, kind, no, account, code, hour_no)))), 1, 44)
        as identity_line_item_id,
    strftime(start_time, '%Y-%m-%dT%H:%M:%SZ') || '/' || strftime(end_time, '%Y-%m-%dT%H:%M:%SZ')
        as identity_time_interval,
    'Amazon Web Services, Inc.' as bill_invoicing_entity,
    'AWS' as bill_billing_entity,
    'Anniversary' as bill_bill_type,
    '100000000000' as bill_payer_account_id,
    month_start::timestamp_ms as bill_billing_period_start_date,
    (month_start + interval 1 month)::timestamp_ms as bill_billing_period_end_date,
    account as line_item_usage_account_id,
    line_type as line_item_line_item_type,
    start_time::timestamp_ms as line_item_usage_start_date,
    end_time::timestamp_ms as line_item_usage_end_date,
    code as line_item_product_code,
    usage_type as line_item_usage_type,
    operation as line_item_operation,
    case when is_resource then region || 'a' end as line_item_availability_zone,
    resource as line_item_resource_id,
    amount::double as line_item_usage_amount,
    'USD' as line_item_currency_code,
    rate::varchar as line_item_unblended_rate,
    unblended::double as line_item_unblended_cost,
    unblended::double as line_item_blended_cost,
    '$' || coalesce(rate::varchar, '') || ' per ' || coalesce(unit, 'line') || ' of '
        || coalesce(usage_type, kind) as line_item_line_item_description,
    'Amazon Web Services, Inc.' as line_item_legal_entity,
    case when line_type = 'Tax' then 'VAT' end as line_item_tax_type,
    product as product_product_name,
    instance_type as product_instance_type,
    family as product_product_family,
    region as product_region,
    region as product_region_code,
    code as product_servicecode,
    case when is_resource then upper(substr(md5(usage_type), 1, 16)) end as product_sku,
    usage_type as product_usagetype,
    case when is_resource then upper(substr(md5(usage_type), 1, 16)) || '.JRTCKXETXF.6YS6EN2CT7' end
        as pricing_rate_code,
    'USD' as pricing_currency,
    list_cost::double as pricing_public_on_demand_cost,
    case when list_cost is not null then rate::varchar end as pricing_public_on_demand_rate,
    case when line_type = 'DiscountedUsage' then 'Reserved'
        when kind = 'spot' then 'Spot'
        when list_cost is not null then 'OnDemand' end as pricing_term,
    unit as pricing_unit,
    case when line_type in ('DiscountedUsage', 'RIFee')
        then 'arn:aws:rds:us-east-1:100000000000:ri:ri-2026-01-01-00-00-00-000' end
        as reservation_reservation_a_r_n,
    case when line_type = 'DiscountedUsage' then covered_cost::double end as reservation_effective_cost,
    case when line_type = 'DiscountedUsage' then covered_cost::double end
        as reservation_recurring_fee_for_usage,
    case when line_type = 'RIFee' then '20' end as reservation_number_of_reservations,
    case when line_type = 'RIFee' then amount::varchar end as reservation_total_reserved_units,
    case when line_type = 'RIFee' then 100::double end as reservation_unused_quantity,
    case when line_type = 'RIFee' then 13.5::double end as reservation_unused_recurring_fee,
    case when line_type = 'RIFee' then 0::double end
        as reservation_unused_amortized_upfront_fee_for_billing_period,
    case when line_type = 'RIFee' then 0::double end
        as reservation_amortized_upfront_fee_for_billing_period,
    case when line_type = 'RIFee' then '2025-01-01T00:00:00.000Z' end as reservation_start_time,
    case when line_type = 'RIFee' then '2028-01-01T00:00:00.000Z' end as reservation_end_time,
    case when line_type like 'SavingsPlan%'
        then 'arn:aws:savingsplans::100000000000:savingsplan/0e5f1c9a-7d7f-4a51-8c27-3d0a9bd6f1b2' end
        as savings_plan_savings_plan_a_r_n,
    case when line_type = 'SavingsPlanRecurringFee' then unblended::double end
        as savings_plan_total_commitment_to_date,
    case when line_type = 'SavingsPlanRecurringFee' then used_cost::double end
        as savings_plan_used_commitment,
    case when line_type = 'SavingsPlanRecurringFee' then unblended::double end
        as savings_plan_recurring_commitment_for_billing_period,
    case when line_type = 'SavingsPlanRecurringFee' then 0::double end
        as savings_plan_amortized_upfront_commitment_for_billing_period,
    case when line_type = 'SavingsPlanCoveredUsage' then covered_cost::double end
        as savings_plan_savings_plan_effective_cost,
    case when line_type = 'SavingsPlanCoveredUsage' then (rate * 0.7)::varchar end
        as savings_plan_savings_plan_rate,
    case when line_type like 'SavingsPlan%' then 'ComputeSavingsPlans' end as savings_plan_offering_type,
    case when line_type like 'SavingsPlan%' then 'No Upfront' end as savings_plan_payment_option,
    case when line_type like 'SavingsPlan%' then '1yr' end as savings_plan_purchase_term,
    case when line_type like 'SavingsPlan%' then '2025-06-01T00:00:00.000Z' end
        as savings_plan_start_time,
    case when line_type like 'SavingsPlan%' then '2027-06-01T00:00:00.000Z' end
        as savings_plan_end_time,
    -- every seventh resource has no tags
    case when resource is null or h % 7 = 0 then map {}
        else map {
            'user_Env': ['prod', 'staging', 'dev'][1 + (h % 3)::int],
            'user_Team': 'team-' || (h // 7 % 40),
            'user_Service': 'service-' || (h // 11 % 300),
            'user_CostCenter': (4000 + h // 13 % 90)::varchar
        } end as resource_tags,
    map {'product_name': product} as product
from timed
order by start_time
