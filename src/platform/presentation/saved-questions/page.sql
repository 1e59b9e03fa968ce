-- The saved questions on a person's page, in the order in which they were added.
-- Parameter: $1, the person's subject.
-- Grain: one row per saved question on the page.
select
    q.name,
    q.title,
    q.sql,
    q.filters,
    q.chart,
    q.author,
    q.saved_at
from saved_on_page as p
inner join saved_question as q on q.name = p.name
where p.subject = $1
order by p.place
