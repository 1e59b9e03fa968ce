import type { ProposedModel } from './propose-star.ts'

/** The dimension of days, to which the dates of facts refer. */
export const CALENDAR = 'dim_date'

const SQL = `-- dim_date: the calendar.
-- Grain: one row per day, for the whole of every year in which some fact names a date.
-- Sources: named_date (the dates that facts name).
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
        )::date as date_id
    from named_year
)

select
    every_day.date_id,
    year(every_day.date_id)::integer as year,
    quarter(every_day.date_id)::integer as quarter,
    month(every_day.date_id)::integer as month,
    monthname(every_day.date_id)::varchar as month_name,
    day(every_day.date_id)::integer as day,
    -- ISO: Monday is 1, Sunday is 7.
    isodow(every_day.date_id)::integer as day_of_week,
    dayname(every_day.date_id)::varchar as day_name
from every_day
`

/** The calendar as a project starts with it. */
export const CALENDAR_MODEL: ProposedModel = {
  name: CALENDAR,
  config: { key: 'date_id', calendar: true },
  sql: SQL,
  reads: [],
}
