-- The foreign keys by which derived tables refer to tables of the warehouse: those of the tables $1,
-- and those of each table that refers to one of $2.
with reference as (
    select
        t.name as owner,
        c.conname::text as name,
        r.relname::text as refers_to
    from tidemark_table as t
    inner join pg_constraint as c
        on c.conrelid = to_regclass(quote_ident(t.name)) and c.contype = 'f'
    inner join pg_class as r on r.oid = c.confrelid
    where r.relname::text in (select l.name from tidemark_relation as l)
)

select
    owner,
    name
from reference
where
    owner = any($1::text[])
    or owner in (select o.owner from reference as o where o.refers_to = any($2::text[]))
order by owner, name
