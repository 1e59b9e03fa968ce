-- One row for each table of the contract, or partition of one, that was truncated or rewritten
-- after this snapshot was taken. $1 and $2 are the tables' schemas and names. `relfilenode` is read
-- from the snapshot, `pg_relation_filenode` from the present.
with recursive wanted as (
    select c.oid
    from unnest($1::text[], $2::text[]) as w (schema, relation)
    inner join pg_catalog.pg_namespace as n on n.nspname = w.schema
    inner join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = w.relation
    union
    select i.inhrelid
    from wanted as w
    inner join pg_catalog.pg_inherits as i on i.inhparent = w.oid
)

select c.relname as relation
from wanted as w
inner join pg_catalog.pg_class as c on c.oid = w.oid
where
    c.relkind in ('r', 'm')
    and pg_catalog.pg_relation_filenode(c.oid) is distinct from c.relfilenode
order by c.relname
