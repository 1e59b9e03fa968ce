-- The columns of relation $1 that the reader may read, in order. A domain has the type behind it.
-- Grain: one row per column. `plain` is the type without a length or precision, so that a cast to it
-- neither cuts nor rounds a value.
select
    a.attname::text as name,
    format_type(a.atttypid, a.atttypmod) as type,
    format_type(coalesce(nullif(t.typbasetype, 0), a.atttypid), -1) as plain,
    col_description(a.attrelid, a.attnum) as description
from pg_attribute as a
inner join pg_type as t on t.oid = a.atttypid
where a.attrelid = to_regclass(quote_ident($1))
    and a.attnum > 0
    and not a.attisdropped
    and has_column_privilege(a.attrelid, a.attnum, 'select')
order by a.attnum
