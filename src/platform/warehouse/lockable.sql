-- Which of the relations $1 can be locked against readers: views first, since they are read through to
-- their tables.
select c.relname::text as name
from pg_class as c
where
    c.oid in (select to_regclass(quote_ident(n)) from unnest($1::text[]) as n)
    and c.relkind in ('r', 'p', 'v')
order by c.relkind <> 'v', c.relname
