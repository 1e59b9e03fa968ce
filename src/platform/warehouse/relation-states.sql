-- The tables and views of the schema $1, as people know them.
select
    c.oid::text as oid,
    c.relname::text as name,
    c.relkind in ('v', 'm') as "isView",
    obj_description(c.oid, 'pg_class') as comment,
    array(
        select jsonb_build_object(
            'name', a.attname,
            'type', format_type(a.atttypid, a.atttypmod),
            'nullable', not a.attnotnull,
            'comment', col_description(c.oid, a.attnum)
        )
        from pg_attribute as a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        order by a.attnum
    ) as columns,
    array(
        select pg_get_constraintdef(k.oid) from pg_constraint as k
        where k.conrelid = c.oid and k.contype in ('p', 'u', 'f')
        order by k.contype = 'f', 1
    ) as keys,
    array(
        select i.indexrelid::regclass::text from pg_index as i
        where i.indrelid = c.oid and not i.indisprimary
        order by 1
    ) as indexes
from pg_class as c
where c.relnamespace = to_regnamespace(quote_ident($1)) and c.relkind in ('r', 'p', 'v', 'm')
order by c.relname
