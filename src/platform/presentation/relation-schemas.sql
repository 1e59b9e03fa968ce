-- What types of the warehouse need to know of its relations: columns with their types, domains
-- resolved, and the comments of both.
-- Grain: one row per relation that this connection's role may read. `columns` is a JSON array.
-- Parameters: $1, names of relations; $2, whether views that are made from them count too.
with recursive wanted (oid) as (
    select c.oid
    from pg_class as c
    where c.relnamespace = to_regnamespace(quote_ident(current_schema()))
        and c.relname = any($1::text[])
    union
    select v.oid
    from wanted as w
    inner join pg_depend as d
        on d.refclassid = 'pg_class'::regclass
        and d.refobjid = w.oid
        and d.classid = 'pg_rewrite'::regclass
    inner join pg_rewrite as r on r.oid = d.objid
    inner join pg_class as v on v.oid = r.ev_class and v.relkind = 'v'
    where $2::boolean and v.relnamespace = to_regnamespace(quote_ident(current_schema()))
)

select
    c.relname::text as name,
    obj_description(c.oid, 'pg_class') as description,
    (
        select json_agg(
            json_build_object(
                'name', a.attname,
                'type', base.type,
                'nullable', not base.is_required,
                'description', col_description(c.oid, a.attnum)
            ) order by a.attnum
        )
        from pg_attribute as a
        cross join lateral (
            with recursive step (type, modifier, is_required) as (
                select
                    a.atttypid,
                    a.atttypmod,
                    a.attnotnull
                union all
                select
                    t.typbasetype,
                    t.typtypmod,
                    s.is_required or t.typnotnull
                from step as s
                inner join pg_type as t on t.oid = s.type and t.typtype = 'd'
            )

            select
                format_type(s.type, s.modifier) as type,
                s.is_required
            from step as s
            inner join pg_type as t on t.oid = s.type and t.typtype <> 'd'
        ) as base
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    ) as columns
from wanted as w
inner join pg_class as c on c.oid = w.oid
where has_table_privilege(c.oid, 'select')
order by c.relname::text collate "C"
