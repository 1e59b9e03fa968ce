-- Adds a saved question to a person's page, unless it is there.
-- Parameters: $1 subject, $2 name, $3 how many a page has at most. The tables are locked.
-- Grain: one row.
with question as (
    select name from saved_question where name = $2
),

page as (
    select
        count(*) as entries,
        coalesce(bool_or(name = $2), false) as has_it
    from saved_on_page
    where subject = $1
),

added as (
    insert into saved_on_page (subject, name)
    select $1, q.name
    from question as q
    cross join page as p
    where not p.has_it and p.entries < $3::bigint
    returning name
)

select
    case
        when not exists (select from question) then 'unknown'
        when p.has_it or exists (select from added) then 'added'
        else 'full'
    end as adding
from page as p
