-- One row for each table of the contract, or partition of one, that was truncated or rewritten
-- after this snapshot was taken, and for each partitioned table whose partitions are others now: a
-- read uses the present ones. $1 and $2 are the tables' schemas and names. `relfilenode` and
-- `pg_inherits` are read from the snapshot, `pg_relation_filenode` and `pg_partition_tree` from the
-- present.
with recursive wanted as (
    select
        c.oid,
        c.oid as root
    from unnest($1::text[], $2::text[]) as w (schema, relation)
    inner join pg_catalog.pg_namespace as n on n.nspname = w.schema
    inner join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = w.relation
    union
    select
        i.inhrelid,
        w.root
    from wanted as w
    inner join pg_catalog.pg_inherits as i on i.inhparent = w.oid
)

select c.relname as relation
from wanted as w
inner join pg_catalog.pg_class as c on c.oid = w.oid
where
    c.relkind in ('r', 'm')
    and pg_catalog.pg_relation_filenode(c.oid) is distinct from c.relfilenode
union
select c.relname
from pg_catalog.pg_class as c
where
    c.oid in (select w.root from wanted as w)
    and c.relkind = 'p'
    and array(select w.oid from wanted as w where w.root = c.oid order by w.oid)
    is distinct from
    array(select t.relid::oid from pg_catalog.pg_partition_tree(c.oid) as t order by t.relid::oid)
order by relation
