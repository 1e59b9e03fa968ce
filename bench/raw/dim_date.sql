-- As the model of this name makes it: src/totesys/models. Runs in the warehouse, over the facts.
with named as (
    select
        min(least(created_date, last_updated_date, agreed_payment_date, agreed_delivery_date)) as first,
        max(greatest(created_date, last_updated_date, agreed_payment_date, agreed_delivery_date)) as last
    from fact_sales_order
    union all
    select
        min(least(created_date, last_updated_date, agreed_payment_date, agreed_delivery_date)),
        max(greatest(created_date, last_updated_date, agreed_payment_date, agreed_delivery_date))
    from fact_purchase_orders
    union all
    select
        min(least(created_date, last_updated_date, payment_date)),
        max(greatest(created_date, last_updated_date, payment_date))
    from fact_payment
),

calendar as (
    select
        generate_series(
            date_trunc('year', min(first)),
            date_trunc('year', max(last)) + interval '1 year - 1 day',
            interval '1 day'
        )::date as date_id
    from named
)

select
    date_id,
    extract(year from date_id)::integer as year,
    extract(month from date_id)::integer as month,
    extract(day from date_id)::integer as day,
    extract(isodow from date_id)::integer as day_of_week,
    to_char(date_id, 'FMDay') as day_name,
    to_char(date_id, 'FMMonth') as month_name,
    extract(quarter from date_id)::integer as quarter
from calendar
