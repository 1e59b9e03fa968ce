-- dim_date: the calendar.
-- Grain: one row per day, for the whole of every year in which some fact names a date.
-- Sources: named_date (the dates the facts name).
-- History: none; a day never changes, and years are only ever added.
with named_year as (
    select distinct
        year(named_date.date_id) as year
    from named_date
),

every_day as (
    select
        unnest(
            range(
                make_date(named_year.year, 1, 1)::timestamp,
                make_date(named_year.year + 1, 1, 1)::timestamp,
                interval 1 day
            )
        )::date as day
    from named_year
)

select
    every_day.day::date as day,
    dayname(every_day.day)::varchar as day_name,
    -- The library is closed on Sundays.
    (isodow(every_day.day) <> 7)::boolean as is_open
from every_day
