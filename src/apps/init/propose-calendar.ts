import { modelHeader } from './model-sql.ts'
import type { ProposedModel } from './proposed-model.ts'

const SQL = `
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

/** The dimension of days, to which the dates of facts refer. Pure. */
export function proposeCalendar(name: string): ProposedModel {
  const header = modelHeader(name, {
    says: 'the calendar.',
    grain: 'one row per day, for the whole of every year in which some fact names a date.',
    sources: ['named_date (the dates that facts name)'],
    history: 'none; a day never changes, and years are only ever added.',
  })
  return { name, config: { key: 'date_id', calendar: true }, sql: header + SQL, reads: [] }
}
