-- Statements that move the tables and views $2 and the routines $4 from the schema $1 to the schema $3.
select
    format(
        'alter %s %I.%I set schema %I',
        case c.relkind when 'v' then 'view' else 'table' end,
        $1::text,
        c.relname,
        $3::text
    ) as statement
from pg_class as c
where
    c.relnamespace = to_regnamespace(quote_ident($1))
    and c.relname = any($2::text[])
    and c.relkind in ('r', 'p', 'v')
union all
select
    format(
        'alter routine %I.%I(%s) set schema %I',
        $1::text,
        p.proname,
        pg_get_function_identity_arguments(p.oid),
        $3::text
    )
from pg_proc as p
where
    p.pronamespace = to_regnamespace(quote_ident($1))
    and p.proname = any($4::text[])
    and p.prokind in ('f', 'p')
