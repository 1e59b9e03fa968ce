-- s14_value_changes: How much value do amendments and deletions add or remove?
-- Grain: one row per currency.
-- Unit: amount in the row's own currency; lowered and deleted are zero or negative.
-- Note: Sales orders only. The period is when a change was noticed (UTC). before_amount is what the
-- books said when it began, now_amount what they said at its end, and before + created + raised +
-- lowered + deleted = now, exactly. An amendment that moves an order to another currency, or into or
-- out of a filter, lowers one side and raises the other. An order that comes back after its deletion
-- is created again.
-- Filters: from, to, currency, department, counterparty, design
with period as (
    select
        coalesce(nullif(:'from', '')::date::timestamp at time zone 'utc', '-infinity') as since,
        coalesce((nullif(:'to', '')::date + 1)::timestamp at time zone 'utc', 'infinity') as until
),

amendment as (
    -- Each update and deletion beside the version before it. If that is a deletion, the order is
    -- created again: its return was refused at first, so that an update brought it back.
    select
        f.sales_record_id,
        f.record_operation,
        f.created_date,
        f.sales_staff_id,
        f.counterparty_id,
        f.design_id,
        f.currency_id,
        f.units_sold * f.unit_price as amount,
        b.created_date as created_date_before,
        b.sales_staff_id as sales_staff_id_before,
        b.counterparty_id as counterparty_id_before,
        b.design_id as design_id_before,
        b.currency_id as currency_id_before,
        b.units_sold * b.unit_price as amount_before
    from period as p
    inner join fact_sales_order as f on f.recorded_at >= p.since and f.recorded_at < p.until
    cross join lateral (
        select e.*
        from fact_sales_order as e
        where e.sales_order_id = f.sales_order_id
            and e.sales_record_id < f.sales_record_id
        order by e.sales_record_id desc
        limit 1
    ) as b
    where f.record_operation <> 'insert'
        and b.record_operation <> 'delete'
),

-- What it adds, and what it takes away.
entry as not materialized (
    select
        sales_record_id,
        record_operation,
        created_date,
        sales_staff_id,
        counterparty_id,
        design_id,
        currency_id,
        amount as change
    from amendment
    where record_operation <> 'delete'
    union all
    select
        sales_record_id,
        record_operation,
        created_date_before,
        sales_staff_id_before,
        counterparty_id_before,
        design_id_before,
        currency_id_before,
        -amount_before
    from amendment
),

movement as (
    select
        u.currency_code,
        case
            when f.record_operation = 'delete' then 'deleted'
            when sum(f.change) > 0 then 'raised'
            else 'lowered'
        end as kind,
        sum(f.change) as change
    from entry as f
    inner join dim_currency as u on u.currency_id = f.currency_id
    where (u.currency_code = nullif(:'currency', '')) is not false
        and (
            nullif(:'department', '') is null
            or f.sales_staff_id in (
                select s.staff_id
                from dim_staff as s
                where s.department_name = :'department'
            )
        )
        and (
            nullif(:'counterparty', '') is null
            or f.counterparty_id = nullif(:'counterparty', '')::integer
        )
        and (
            nullif(:'design', '') is null
            or f.design_id = nullif(:'design', '')::integer
        )
    group by f.sales_record_id, f.record_operation, u.currency_code
),

moved as (
    select
        currency_code,
        coalesce(sum(change) filter (where kind = 'raised'), 0) as raised,
        coalesce(sum(change) filter (where kind = 'lowered'), 0) as lowered,
        coalesce(sum(change) filter (where kind = 'deleted'), 0) as deleted
    from movement
    group by currency_code
),

-- What the books said, at three moments. Each of the sums is read only if it is asked for.
book as (
    select
        'now' as moment,
        f.*
    from fact_sales_order_sums_current as f
    where nullif(:'to', '') is null
    union all
    select
        'now',
        f.*
    from fact_sales_order_sums_as_of(
        (select p.until - interval '1 microsecond' from period as p)
    ) as f
    where nullif(:'to', '') is not null
    union all
    select
        'before',
        f.*
    from fact_sales_order_sums_as_of(
        (select p.since - interval '1 microsecond' from period as p)
    ) as f
    where nullif(:'from', '') is not null
),

standing as (
    select
        u.currency_code,
        sum(f.amount) filter (where f.moment = 'before') as before,
        sum(f.amount) filter (where f.moment = 'now') as now
    from book as f
    inner join dim_currency as u on u.currency_id = f.currency_id
    where f.grain = case
            when coalesce(:'design', '') <> '' then 'row'
            when coalesce(:'counterparty', '') = '' then 'staff'
            when coalesce(:'department', '') = '' then 'counterparty'
            else 'row'
        end
        and (u.currency_code = nullif(:'currency', '')) is not false
        and (
            nullif(:'department', '') is null
            or f.sales_staff_id in (
                select s.staff_id
                from dim_staff as s
                where s.department_name = :'department'
            )
        )
        and (
            nullif(:'counterparty', '') is null
            or f.counterparty_id = nullif(:'counterparty', '')::integer
        )
        and (
            nullif(:'design', '') is null
            or f.design_id = nullif(:'design', '')::integer
        )
    group by u.currency_code
)

-- What is there now, was not there before, and was not added or taken away by a change, was created.
select
    coalesce(n.currency_code, m.currency_code)::text as currency_code,
    coalesce(n.before, 0)::numeric(20, 2) as before_amount,
    (
        coalesce(n.now, 0) - coalesce(n.before, 0)
        - coalesce(m.raised, 0) - coalesce(m.lowered, 0) - coalesce(m.deleted, 0)
    )::numeric(20, 2) as created_amount,
    coalesce(m.raised, 0)::numeric(20, 2) as raised_amount,
    coalesce(m.lowered, 0)::numeric(20, 2) as lowered_amount,
    coalesce(m.deleted, 0)::numeric(20, 2) as deleted_amount,
    coalesce(n.now, 0)::numeric(20, 2) as now_amount
from standing as n
full join moved as m on m.currency_code = n.currency_code
where (select p.since < p.until from period as p)
order by 1
