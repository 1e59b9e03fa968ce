-- The columns of table $1, their types with domains resolved, and whether each requires a value that
-- nothing fills in.
with recursive domain (oid, base) as (
    select oid, typbasetype from pg_type where typtype = 'd'
    union
    select d.oid, t.typbasetype
    from domain as d
    inner join pg_type as t on t.oid = d.base
    where t.typtype = 'd'
)

select
    a.attname as name,
    format_type(coalesce(base_type.oid, a.atttypid), null) as type,
    a.attnotnull and not a.atthasdef and a.attidentity = '' as wants,
    current_schema() as schema
from pg_attribute as a
left join (
    select d.oid as domain, t.oid
    from domain as d
    inner join pg_type as t on t.oid = d.base
    where t.typtype <> 'd'
) as base_type on base_type.domain = a.atttypid
where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped
