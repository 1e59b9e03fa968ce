-- s17_amended_orders: Which orders were amended, and what did that change?
-- Grain: one row per amendment of a sales order.
-- Unit: amounts in the row's own currency; times in UTC.
-- Note: The newest comes first. The period is when the amendment was noticed (UTC), which is
-- recorded_at. The other filters apply to the order as it was after the amendment. what_changed names
-- the fields, except `last_updated`. before_amount and difference are null if the order was in
-- another currency before. A deletion and a return from one are not amendments.
-- Filters: from, to, currency, department, counterparty, design
with amendment as (
    select
        f.*,
        u.currency_code,
        case
            when u.currency_code = b.currency_code
                then f.before_units_sold * f.before_unit_price
        end as before_amount,
        concat_ws(
            ', ',
            case when f.created_date <> f.before_created_date then 'created date' end,
            case when f.created_time <> f.before_created_time then 'created time' end,
            case when f.sales_staff_id <> f.before_sales_staff_id then 'sales staff' end,
            case when f.counterparty_id <> f.before_counterparty_id then 'counterparty' end,
            case when f.units_sold <> f.before_units_sold then 'units sold' end,
            case when f.unit_price <> f.before_unit_price then 'unit price' end,
            case when f.currency_id <> f.before_currency_id then 'currency' end,
            case when f.design_id <> f.before_design_id then 'design' end,
            case
                when f.agreed_payment_date <> f.before_agreed_payment_date then 'agreed payment date'
            end,
            case
                when f.agreed_delivery_date <> f.before_agreed_delivery_date
                    then 'agreed delivery date'
            end,
            case
                when f.agreed_delivery_location_id <> f.before_agreed_delivery_location_id
                    then 'agreed delivery location'
            end
        ) as what_changed
    from fact_sales_order_revisions as f
    inner join dim_currency as u on u.currency_id = f.currency_id
    inner join dim_currency as b on b.currency_id = f.before_currency_id
    where f.record_operation = 'update'
        and f.before_record_operation <> 'delete'
)

select
    f.sales_order_id::integer as sales_order_id,
    f.recorded_at::timestamptz as recorded_at,
    f.batch_id::bigint as batch_id,
    f.created_date::date as created_date,
    f.what_changed::text as what_changed,
    f.currency_code::text as currency_code,
    f.before_amount::numeric(20, 2) as before_amount,
    (f.units_sold * f.unit_price)::numeric(20, 2) as amount,
    (f.units_sold * f.unit_price - f.before_amount)::numeric(20, 2) as difference,
    f.counterparty_id::integer as counterparty_id,
    c.counterparty_legal_name::text as counterparty,
    f.design_id::integer as design_id,
    d.design_name::text as design_name,
    s.department_name::text as department,
    (s.first_name || ' ' || s.last_name)::text as staff_name
from amendment as f
inner join dim_counterparty as c on c.counterparty_id = f.counterparty_id
inner join dim_design as d on d.design_id = f.design_id
inner join dim_staff as s on s.staff_id = f.sales_staff_id
where f.recorded_at
        >= coalesce(nullif(:'from', '')::date::timestamp at time zone 'utc', '-infinity')
    and f.recorded_at
        < coalesce((nullif(:'to', '')::date + 1)::timestamp at time zone 'utc', 'infinity')
    and (f.currency_code = nullif(:'currency', '')) is not false
    and (s.department_name = nullif(:'department', '')) is not false
    and (
        nullif(:'counterparty', '') is null
        or f.counterparty_id = nullif(:'counterparty', '')::integer
    )
    and (
        nullif(:'design', '') is null
        or f.design_id = nullif(:'design', '')::integer
    )
order by f.sales_record_id desc
