-- waste_findings: what the rules gave, with decisions, and each amount of money counted once.
-- grain: finding_id
-- money: cost, monthly_saving, counted_saving (billing currency)
-- reads: rule_findings, waste_rule_heads, waste_decisions, recent_usage
--
-- rule_findings are the rows of all rules, waste_rule_heads is what their heads state, and
-- waste_decisions is the last decision on each finding; they exist only while a file is built.
-- Savings of the same part of a resource exclude each other: the largest counts, and of equal ones
-- that with the better evidence (inventory, metrics, bill). A finding about
-- `all` of a resource excludes those about its parts, unless these save more together.

with

resource as (
    select
        source,
        sub_account_id,
        service_code,
        resource_id,
        billing_currency,
        any_value(window_start) as window_start,
        any_value(window_end) as window_end,
        bool_or(covered_quantity > 0) as is_covered,
        bool_or(is_in_several_projects) as is_in_several_projects,
        greatest(sum(own_cost), 0) as cost_limit
    from recent_usage
    group by all
),

decided as (
    select * from waste_decisions
),

stated as (
    select
        head.rule || '-' || left(
            md5(
                concat_ws(
                    chr(31),
                    head.rule, found.source, coalesce(found.sub_account_id, ''),
                    coalesce(found.region_id, ''), coalesce(found.service_code, ''),
                    coalesce(found.resource_id, ''), found.billing_currency,
                    -- what no inventory lists is one finding per project
                    case when found.resource_id is null then found.project end
                )
            ), 12
        ) as finding_id,
        head.rule_version,
        head.tier,
        head.meaning as finding,
        head.part as cost_part,
        head.effort,
        head.risk,
        found.*,
        resource.window_start,
        resource.window_end,
        coalesce(resource.is_covered, false) as is_commitment_absorbed,
        coalesce(resource.is_in_several_projects, false) as is_in_several_projects,
        coalesce(resource.cost_limit, greatest(found.cost, 0)) as cost_limit
    from rule_findings as found
    inner join waste_rule_heads as head on head.rule = found.rule
    left join resource
        on resource.source = found.source
        and resource.sub_account_id is not distinct from found.sub_account_id
        and resource.service_code is not distinct from found.service_code
        and resource.resource_id is not distinct from found.resource_id
        and resource.billing_currency = found.billing_currency
    -- an instance whose type was changed in the 30 days: the type with the larger cost
    qualify row_number() over (
        partition by finding_id order by found.cost desc, found.evidence
    ) = 1
),

limited as (
    select
        stated.* exclude (monthly_saving, window_start, window_end),
        coalesce(window_start, found_start) as window_start,
        coalesce(window_end, found_end) as window_end,
        case
            when state = 'found' and monthly_saving is not null
            then least(greatest(monthly_saving, 0), greatest(cost, 0), cost_limit)
        end as monthly_saving
    from stated
    cross join (
        select min(window_start) as found_start, max(window_end) as found_end from recent_usage
    )
),

judged as (
    select
        limited.*,
        case
            when decided.status = 'dismissed' and decided.until < limited.window_end then 'open'
            else coalesce(decided.status, 'open')
        end as status,
        decided.reason as status_reason,
        decided.until as status_until,
        decided.decided_at as status_changed_at
    from limited
    left join decided on decided.finding_id = limited.finding_id
),

counting as (
    select
        *,
        case
            when status not in ('dismissed', 'done') then coalesce(monthly_saving, 0)
            else 0
        end::decimal(38, 18) as candidate,
        row_number() over (
            partition by
                source, sub_account_id, service_code, resource_id, billing_currency, cost_part
            order by candidate desc, tier desc, rule
        ) as place,
        coalesce(
            max(case when cost_part = 'all' then candidate end) over same_resource, 0
        ) as whole
    from judged
    window same_resource as (
        partition by source, sub_account_id, service_code, resource_id, billing_currency
    )
),

parted as (
    select
        *,
        coalesce(
            sum(candidate) filter (cost_part <> 'all' and place = 1) over same_resource, 0
        ) as parts,
        coalesce(
            sum(candidate) filter (cost_part <> 'all' and place = 1) over (
                partition by source, sub_account_id, service_code, resource_id, billing_currency
                order by candidate desc, rule, finding_id
                rows between unbounded preceding and 1 preceding
            ), 0
        ) as counted_before
    from counting
    window same_resource as (
        partition by source, sub_account_id, service_code, resource_id, billing_currency
    )
),

final as (
    select
        finding_id,
        rule,
        rule_version,
        tier,
        finding,
        state,
        status,
        project,
        source,
        sub_account_id,
        region_id,
        service_code,
        resource_id,
        billing_currency,
        window_start,
        window_end,
        cost_part,
        cost,
        monthly_saving,
        case
            when place <> 1 or resource_id is null then 0
            when cost_part = 'all' then case when whole >= parts then candidate else 0 end
            when whole >= parts then 0
            else greatest(least(candidate, cost_limit - counted_before), 0)
        end::decimal(38, 18) as counted_saving,
        is_commitment_absorbed,
        is_in_several_projects,
        confidence,
        effort,
        risk,
        price,
        price_source,
        reason,
        cure,
        evidence,
        status_reason,
        status_until,
        status_changed_at
    from parted
)

select * from final
