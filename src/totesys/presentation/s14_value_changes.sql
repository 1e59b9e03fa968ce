-- s14_value_changes: How much value do amendments and deletions add or remove?
-- Grain: one row per currency.
-- Unit: amount in the row's own currency; lowered and deleted are zero or negative.
-- Note: Sales orders only. The period is when a change was noticed (UTC). before_amount is what the
-- books said at its beginning, now_amount what they said at its end, and before + created + raised
-- + lowered + deleted = now, exactly. An amendment that moves an order to another currency, or into
-- or out of a filter, lowers one side and raises the other. An order that comes back after its
-- deletion is created again.
-- Filters: from, to, currency, department, counterparty, design
with period as (
    select
        coalesce(nullif(:'from', '')::date::timestamp at time zone 'utc', '-infinity') as since,
        coalesce((nullif(:'to', '')::date + 1)::timestamp at time zone 'utc', 'infinity') as until
),

amendment as (
    -- Each update and deletion: what it adds and what it takes away, each null if the filters leave
    -- it out. If the version before is a deletion, the order is created again: its return was
    -- refused at first, so an update brought it back.
    select
        f.record_operation,
        f.currency_id,
        f.before_currency_id,
        case
            when f.record_operation <> 'delete'
            and (
                nullif(:'currency', '') is null
                or f.currency_id in (
                    select u.currency_id
                    from dim_currency as u
                    where u.currency_code = :'currency'
                )
            )
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
                then f.units_sold * f.unit_price
        end as added,
        case
            when (
                nullif(:'currency', '') is null
                or f.before_currency_id in (
                    select u.currency_id
                    from dim_currency as u
                    where u.currency_code = :'currency'
                )
            )
            and (
                nullif(:'department', '') is null
                or f.before_sales_staff_id in (
                    select s.staff_id
                    from dim_staff as s
                    where s.department_name = :'department'
                )
            )
            and (
                nullif(:'counterparty', '') is null
                or f.before_counterparty_id = nullif(:'counterparty', '')::integer
            )
            and (
                nullif(:'design', '') is null
                or f.before_design_id = nullif(:'design', '')::integer
            )
                then f.before_units_sold * f.before_unit_price
        end as taken
    from fact_sales_order_revisions as f
    where f.recorded_at >= (select p.since from period as p)
        and f.recorded_at < (select p.until from period as p)
        and f.record_operation <> 'insert'
        and f.before_record_operation <> 'delete'
    -- Keeps the planner from computing both amounts again wherever they are named below.
    offset 0
),

change as (
    select
        *,
        coalesce(added, 0) - coalesce(taken, 0) as difference
    from amendment
    where added is not null or taken is not null
    offset 0
),

-- Added up by currency id first, so that the many versions are read once.
by_id as (
    select
        record_operation,
        currency_id,
        before_currency_id,
        sum(difference) filter (where difference > 0) as raised,
        sum(difference) filter (where difference <= 0) as lowered,
        sum(added) filter (where currency_id <> before_currency_id and added > 0) as raised_here,
        sum(added) filter (where currency_id <> before_currency_id and added <= 0) as lowered_here,
        -sum(taken) filter (where currency_id <> before_currency_id and taken < 0) as raised_there,
        -sum(taken) filter (where currency_id <> before_currency_id and taken >= 0) as lowered_there
    from change
    group by record_operation, currency_id, before_currency_id
),

by_code as (
    select
        c.*,
        u.currency_code,
        b.currency_code as before_currency_code
    from by_id as c
    inner join dim_currency as u on u.currency_id = c.currency_id
    inner join dim_currency as b on b.currency_id = c.before_currency_id
),

-- In one currency, what an amendment adds and takes away is one change. In two it is two.
movement as (
    select
        currency_code,
        record_operation,
        raised,
        lowered
    from by_code
    where before_currency_code = currency_code
    union all
    select
        currency_code,
        record_operation,
        raised_here,
        lowered_here
    from by_code
    where before_currency_code <> currency_code
        and coalesce(raised_here, lowered_here) is not null
    union all
    select
        before_currency_code,
        record_operation,
        raised_there,
        lowered_there
    from by_code
    where before_currency_code <> currency_code
        and coalesce(raised_there, lowered_there) is not null
),

moved as (
    select
        currency_code,
        coalesce(sum(raised) filter (where record_operation <> 'delete'), 0) as raised,
        coalesce(sum(lowered) filter (where record_operation <> 'delete'), 0) as lowered,
        coalesce(
            sum(coalesce(raised, 0) + coalesce(lowered, 0))
            filter (where record_operation = 'delete'),
            0
        ) as deleted
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
