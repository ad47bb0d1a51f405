-- saving_macros: what usage costs at another price, and what that saves; exact, without floats.
-- grain: none (scalar macros of each tenant's file, so that rules run there unchanged)
-- money: cost_at_price, saving_at_own_rate (DECIMAL(38,18) in, no float inside)
-- reads: nothing

-- a quantity at a price; null: the price is not known, or the amount too large for a decimal
create or replace macro cost_at_price(quantity, price) as
    try(quantity::decimal(26, 6) * price::decimal(18, 12))::decimal(38, 18);

-- what a resource saves at its own rate if its usage cost `new_cost` at list prices: the same part
-- of its cost as of its list cost; 0: nothing; null: not known
create or replace macro saving_at_own_rate(cost, list_cost, new_cost) as
    case
        when list_cost <= 0 then null
        when new_cost >= list_cost then 0
        when cost = list_cost then list_cost - new_cost
        else try(
            (
                cost::decimal(24, 12)
                * (
                    (((list_cost - new_cost) * 1000000000)::hugeint * 1000000000000
                    // nullif((list_cost * 1000000000)::hugeint, 0))::decimal(14, 0)
                    * 0.000000000001::decimal(12, 12)
                )::decimal(14, 12)
            )::decimal(38, 18)
        )
    end::decimal(38, 18);
