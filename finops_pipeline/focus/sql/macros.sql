-- macros: arithmetic on money that stays in decimals throughout.
-- grain: none (scalar macros)
-- money: exact_ratio, fits (DECIMAL(38,18) in, no float inside)
-- reads: nothing
-- check: conformance

-- the digits of a decimal as an integer, without its sign and decimal point
create or replace macro digits(x) as replace(abs(x)::varchar, '.', '')::hugeint;

-- c / q to 18 decimals by long division, six digits at a time (a decimal divided
-- by a decimal would become a float)
create or replace macro long_division(c, q) as (
    (c // q)::varchar || '.'
    || lpad(((c % q) * 1000000 // q)::varchar, 6, '0')
    || lpad(((c % q) * 1000000 % q * 1000000 // q)::varchar, 6, '0')
    || lpad((((c % q) * 1000000 % q * 1000000 % q) * 1000000 // q)::varchar, 6, '0')
);

-- |cost / quantity|, null when there is no quantity
create or replace macro exact_ratio(cost, quantity) as
    case
        when quantity <> 0 and abs(quantity) < 10000000000000 and abs(cost) < 10000000000000
        then try_cast(long_division(digits(cost), digits(quantity)) as decimal(38, 18))
    end;

-- within 1e-9 of each other (relative above 1); the cheap comparison comes first
create or replace macro near(product, cost) as
    case
        when abs(product - cost) <= 0.000000001 then true
        else abs(product - cost) <= 0.000000001 * abs(cost)::decimal(28, 9)
    end;

-- whether price x quantity is cost within 1e-9 of it (FOCUS rule for cost columns); outside the
-- bounds the result is false. The bounds keep the product below 9e11, so that its difference from a
-- cost of the other sign stays below 1e12, the largest number that a decimal with 26 places holds.
create or replace macro fits(price, quantity, cost) as
    case
        when price is null or quantity is null then false
        when price < 0 or price >= 900000 or abs(cost) >= 1000000000 then false
        when quantity = 1 then near(price, cost)
        -- the bounds leave room for what rounding to fewer decimals can add
        when abs(quantity) < 999999
        then near(price::decimal(20, 14) * quantity::decimal(18, 12), cost)
        when abs(quantity) < 999999999999 and price < 0.999
        then near(price::decimal(18, 16) * quantity::decimal(19, 7), cost)
        else false
    end;

-- total x part / of_all, to 16 decimals; null where of_all is 0
create or replace macro share_of(total, part, of_all) as
    case
        when abs(total) < 9999999999
        and abs(of_all) < 1000000000000000 and abs(part) <= 10 * abs(of_all)
        then try_cast(
            sign(part) * sign(of_all)
            * exact_ratio(part, of_all)::decimal(18, 16) * total::decimal(20, 10)
            as decimal(38, 18)
        )
    end;

-- a + b, or the one that is stated where the other is null
create or replace macro sum_of_stated(a, b) as coalesce(a + b, a, b);

-- hours of a reservation in normalized units, by the size of its instances (a factor as text)
create or replace macro normalized(hours, factor) as
    try_cast(
        try_cast(hours as decimal(24, 8)) * try_cast(factor as decimal(12, 8)) as decimal(38, 18)
    );

-- a unit price: the stated one where it fits the cost, else the exact ratio
create or replace macro unit_price(stated, quantity, cost) as
    case
        when quantity is null then null
        when fits(stated, quantity, cost) then stated
        else coalesce(exact_ratio(cost, quantity), greatest(stated, 0), 0)
    end;

-- AWS ends some periods at :59; FOCUS ends are exclusive
create or replace macro exclusive_end(x) as
    case when second(x) = 59 then date_trunc('minute', x) + interval 1 minute else x end;

-- AWS's pricing units in FOCUS's UnitFormat; the common ones first, because patterns are slow
create or replace macro focus_unit(unit) as
    case
        when unit in ('GB', 'Requests', 'Units') then unit
        when unit in ('Hrs', 'hrs', 'Hr', 'hours', 'hour', 'Hour') then 'Hours'
        when unit = 'GB-Mo' then 'GB-Months'
        when contains(unit, '-')
        then regexp_replace(
            regexp_replace(
                regexp_replace(
                    regexp_replace(unit, '^Lambda-', ''), '(?i)-(mo|mos|months?)$', '-Months'
                ),
                '(?i)-(h|hrs?|hours?)$', '-Hours'
            ),
            '(?i)-(s|seconds?)$', '-Seconds'
        )
        else unit
    end;

-- a text as a time in UTC, null where it is none; AWS writes 2026-09-01T00:00:00.000Z
create or replace macro stated_time(x) as
    case
        when x not like '____-__-__%' or x like '%(%' then null
        when x like '%Z' then try_cast(x as timestamp)
        else try_cast(x as timestamptz) at time zone 'UTC'
    end;
