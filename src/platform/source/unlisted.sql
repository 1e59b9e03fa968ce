-- One row for each table, view or foreign table that lies in a captured schema and is not in the
-- contract. $1 and $2 are the schemas and names of the relations in the contract. Partitions belong
-- to their parent. If $3 is true, bytes outside ASCII are escaped, because a name need not be UTF-8.
with wanted as (
    select *
    from unnest($1::text[], $2::text[]) as w (schema, relation)
)

select
    case
        when $3::boolean then encode(decode(replace(format('%s.%s', n.nspname, c.relname), E'\\', E'\\\\'), 'escape'), 'escape')
        else format('%s.%s', n.nspname, c.relname)
    end as name
from pg_catalog.pg_class as c
inner join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where
    c.relkind in ('r', 'p', 'v', 'm', 'f')
    and not c.relispartition
    and n.nspname in (select w.schema from wanted as w)
    and (n.nspname, c.relname) not in (select w.schema, w.relation from wanted as w)
order by n.nspname, c.relname
