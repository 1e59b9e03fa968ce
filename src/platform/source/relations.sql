-- The oids of the relations in `catalogue.sql`, and where they are, with every byte outside ASCII as an
-- octal escape, because a name need not be UTF-8.
select
    c.oid::text as oid,
    encode(decode(replace(n.nspname, E'\\', E'\\\\'), 'escape'), 'escape') as schema,
    encode(decode(replace(c.relname, E'\\', E'\\\\'), 'escape'), 'escape') as relation
from pg_catalog.pg_class as c
inner join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where
    c.relkind in ('r', 'p', 'v', 'm', 'f')
    and c.relpersistence <> 't'
    and not c.relispartition
    and n.nspname not like 'pg\_%'
    and n.nspname <> 'information_schema'
    and not exists (
        select 1
        from pg_catalog.pg_depend as d
        where
            d.classid = 'pg_catalog.pg_class'::regclass
            and d.objid = c.oid
            and d.objsubid = 0
            and d.deptype = 'e'
    )
order by c.oid
