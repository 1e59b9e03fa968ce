-- The types of the columns of relations $1, with domains resolved. Those of relation $2 come first.
with recursive column_type as (
    select
        attrelid,
        attname::text as name,
        atttypid as type,
        atttypmod as modifier
    from pg_attribute
    where attrelid = any($1::text[]::regclass[]) and attnum > 0 and not attisdropped
    union all
    select
        c.attrelid,
        c.name,
        t.typbasetype,
        t.typtypmod
    from column_type as c
    inner join pg_type as t on t.oid = c.type and t.typtype = 'd'
)

select
    c.name,
    format_type(c.type, c.modifier) as type
from column_type as c
inner join pg_type as t on t.oid = c.type and t.typtype <> 'd'
order by c.attrelid <> $2::text::regclass
