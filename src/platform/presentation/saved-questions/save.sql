-- Saves a question, or replaces the one that its author saved under the same name.
-- Parameters: $1 name, $2 title, $3 SQL, $4 filters as JSON, $5 chart, $6 author, $7 how many
-- questions are kept, $8 whether it may replace one. The tables are locked.
-- Grain: one row.
with present as (
    select from saved_question where name = $1
),

saved as (
    insert into saved_question (name, title, sql, filters, chart, author, saved_at)
    select $1, $2, $3, $4::json, $5, $6, clock_timestamp()
    where exists (select from present) or (select count(*) from saved_question) < $7::bigint
    on conflict (name) do update set
        title = excluded.title,
        sql = excluded.sql,
        filters = excluded.filters,
        chart = excluded.chart,
        saved_at = excluded.saved_at
    where saved_question.author = excluded.author and $8::boolean
    returning name
)

select
    case
        when exists (select from saved) then 'saved'
        when exists (select from present) then 'taken'
        else 'full'
    end as saving
