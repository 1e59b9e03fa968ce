-- Relations with a name in $1, and any but a view with the name $2, each with a statement that gives
-- it another name.
select
    c.relname::text as name,
    'alter '
    || case c.relkind
        when 'v' then 'view'
        when 'm' then 'materialized view'
        when 'S' then 'sequence'
        when 'i' then 'index'
        when 'I' then 'index'
        when 'f' then 'foreign table'
        when 'c' then 'type'
        else 'table'
    end
    || ' "' || replace(current_schema(), '"', '""') || '"."' || replace(c.relname, '"', '""') || '"'
    || ' rename to ' || quote_ident('other ' || c.relname) || ';' as rename
from pg_class as c
where
    c.relnamespace = to_regnamespace(quote_ident(current_schema()))
    and (c.relname = any($1::text[]) or (c.relname = $2 and c.relkind <> 'v'))
order by 1
