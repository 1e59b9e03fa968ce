-- Saved questions. Parameter: $1, a name, or null for all.
-- Grain: one row per saved question.
select
    name,
    title,
    sql,
    filters,
    chart,
    author,
    saved_at
from saved_question
where $1::text is null or name = $1
