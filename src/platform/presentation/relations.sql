-- The relations that the reader may read, with their columns, and functions that return rows.
-- Grain: one row per relation or function. `columns` is a JSON array of [name, type].
select
    c.relname::text as name,
    case when c.relkind in ('v', 'm') then 'view' else 'table' end as kind,
    (
        -- A table may have no columns.
        select coalesce(
            json_agg(
                json_build_array(a.attname, format_type(a.atttypid, a.atttypmod)) order by a.attnum
            ),
            '[]'
        )
        from pg_attribute as a
        where a.attrelid = c.oid
            and a.attnum > 0
            and not a.attisdropped
            and has_column_privilege(c.oid, a.attnum, 'select')
    ) as columns
from pg_class as c
where c.relnamespace = to_regnamespace(quote_ident(current_schema()))
    and c.relkind in ('r', 'p', 'v', 'm')
    and has_any_column_privilege(c.oid, 'select')
union all
select
    p.proname::text || '(' || pg_get_function_arguments(p.oid) || ')',
    'function',
    '[]'::json
from pg_proc as p
where p.pronamespace = to_regnamespace(quote_ident(current_schema()))
    and p.proretset
    and has_function_privilege(p.oid, 'execute')
order by name
