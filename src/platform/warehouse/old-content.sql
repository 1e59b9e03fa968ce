-- Which of the tables and views $1, and of the routines $2, are there; and for each view and routine the
-- statement that drops it.
select
    c.relname::text as name,
    case when c.relkind = 'v' then format('drop view %I', c.relname) end as drop
from unnest($1::text[]) as n
inner join pg_class as c on c.oid = to_regclass(quote_ident(n))
union all
select
    p.proname::text,
    format('drop routine %I(%s)', p.proname, pg_get_function_identity_arguments(p.oid))
from pg_proc as p
where
    p.pronamespace = to_regnamespace(quote_ident(current_schema()))
    and p.proname = any($2::text[])
