-- One row a wanted relation that is there and of which this user may read something. Locks nothing.
select w.name
from unnest($1::text[], $2::text[], $3::text[]) as w (name, schema, relation)
inner join pg_catalog.pg_namespace as n on n.nspname = w.schema
inner join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = w.relation
where
    c.relkind in ('r', 'p', 'v', 'm', 'f')
    and pg_catalog.has_schema_privilege(n.oid, 'usage')
    and (
        pg_catalog.has_table_privilege(c.oid, 'select')
        or pg_catalog.has_any_column_privilege(c.oid, 'select')
    )
