-- One row for each table of the contract that exists: its identity, its columns, and whether a
-- constraint proves its key. $1 to $4 are the tables' names in the lake, their schemas, their names
-- in the source, and their keys (columns joined by U+0001). Domains are resolved to their base
-- types, because a domain has the same values as its base type.
with recursive wanted as (
    select *
    from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as w (name, schema, relation, key)
),

found as (
    select
        w.name,
        w.key,
        c.oid,
        c.relkind,
        c.relpersistence,
        -- Asked here, because a refused statement would end the snapshot's transaction.
        pg_catalog.has_schema_privilege(n.oid, 'usage') as may_enter,
        pg_catalog.has_table_privilege(c.oid, 'select') as may_select
    from wanted as w
    inner join pg_catalog.pg_namespace as n on n.nspname = w.schema
    inner join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = w.relation
    where c.relkind in ('r', 'p', 'v', 'm', 'f')
),

-- Partitions and inheriting tables of each table, at every level.
descendant as (
    select
        f.oid as root,
        i.inhrelid as oid
    from found as f
    inner join pg_catalog.pg_inherits as i on i.inhparent = f.oid
    union
    select
        d.root,
        i.inhrelid
    from descendant as d
    inner join pg_catalog.pg_inherits as i on i.inhparent = d.oid
),

-- The base type of each domain (or domain over a domain), and every other type by itself.
base_type as (
    select
        t.oid as type,
        t.oid as base,
        -1 as typmod
    from pg_catalog.pg_type as t
    where t.typtype <> 'd'
    union all
    select
        d.oid,
        case when b.typtype = 'd' then b.typbasetype else b.oid end,
        case when b.typtype = 'd' and d.typtypmod = -1 then b.typtypmod else d.typtypmod end
    from pg_catalog.pg_type as d
    inner join pg_catalog.pg_type as b on b.oid = d.typbasetype
    where d.typtype = 'd'
),

-- The columns that this user may read.
readable as (
    select
        f.oid,
        a.attnum,
        a.atttypid
    from found as f
    inner join pg_catalog.pg_attribute as a on a.attrelid = f.oid
    where
        a.attnum > 0
        and not a.attisdropped
        and (f.may_select or pg_catalog.has_column_privilege(f.oid, a.attnum, 'select'))
),

-- All types that a column's text depends on: the types inside a domain, an array, a range or a
-- composite type, at every level.
part as (
    select
        r.atttypid as whole,
        r.atttypid as type
    from readable as r
    union
    select
        p.whole,
        inner_type.oid
    from part as p
    inner join pg_catalog.pg_type as t on t.oid = p.type
    cross join lateral (
        select t.typbasetype as oid
        where t.typtype = 'd'
        union all
        select t.typelem
        where t.typelem <> 0
        union all
        select a.atttypid
        from pg_catalog.pg_attribute as a
        where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
        union all
        select r.rngsubtype
        from pg_catalog.pg_range as r
        where r.rngtypid = t.oid
        union all
        -- Servers before 14 have neither multiranges nor this column.
        select r.rngtypid
        from pg_catalog.pg_range as r
        where t.typtype = 'm' and to_jsonb(r) ->> 'rngmultitypid' = t.oid::text
    ) as inner_type
)

select
    f.name,
    f.oid::text as oid,
    f.relkind::text as kind,
    -- False if rows can change without a new transaction id: a foreign table, also among the
    -- descendants, has none; a row policy may show an untouched row tomorrow; a crash empties an
    -- unlogged table; renaming an object changes the text of every value that refers to it. Also
    -- false without the right to read the whole table, because xmin needs that right.
    f.may_select
    and f.relkind in ('r', 'p', 'm')
    and f.relpersistence <> 'u'
    and not pg_catalog.row_security_active(f.oid)
    and not exists (
        select 1
        from descendant as d
        inner join pg_catalog.pg_class as c on c.oid = d.oid
        where d.root = f.oid and (c.relkind = 'f' or c.relpersistence = 'u')
    )
    and not exists (
        select 1
        from readable as r
        inner join part as p on p.whole = r.atttypid
        inner join pg_catalog.pg_type as t on t.oid = p.type
        where
            r.oid = f.oid
            and t.typnamespace = 'pg_catalog'::regnamespace
            and (t.typname = 'aclitem' or t.typname like 'reg%')
    ) as has_xmin,
    f.may_select and f.relkind in ('r', 'm') and not exists (
        select 1 from descendant as d where d.root = f.oid
    )
    -- Before 14 the server looks through the whole table for each range.
    and pg_catalog.current_setting('server_version_num')::integer >= 140000 as has_ctid_ranges,
    case when f.relkind in ('r', 'm') and f.may_select then pg_catalog.pg_relation_size(f.oid) else 0 end::text as size_bytes,
    array(
        select d.oid::text from descendant as d where d.root = f.oid order by d.oid
    ) as descendants,
    -- An index on a table does not cover the tables that inherit from it.
    (f.relkind <> 'r' or not exists (select 1 from descendant as d where d.root = f.oid)) and exists (
        select 1
        from pg_catalog.pg_index as i
        where
            i.indrelid = f.oid
            and i.indisunique
            and i.indisvalid
            and i.indpred is null
            and i.indexprs is null
            and (
                select bool_and(a.attname = any(string_to_array(f.key, E'\x01')) and a.attnotnull)
                from unnest(i.indkey[0:i.indnkeyatts - 1]) as k
                inner join pg_catalog.pg_attribute as a on a.attrelid = f.oid and a.attnum = k
            )
    ) as key_is_unique,
    f.relkind = 'p' or (f.relkind = 'r' and not exists (
        select 1 from descendant as d where d.root = f.oid
    )) as can_enforce_key,
    f.may_enter,
    array(
        select a.attname::text
        from pg_catalog.pg_attribute as a
        where
            a.attrelid = f.oid
            and a.attnum > 0
            and not a.attisdropped
            and not (f.may_select or pg_catalog.has_column_privilege(f.oid, a.attnum, 'select'))
        order by a.attnum
    ) as hidden,
    (
        select
            json_agg(
                json_build_object(
                    'name', a.attname,
                    'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
                    'baseType', pg_catalog.format_type(
                        b.base, case when a.atttypid = b.base then a.atttypmod else b.typmod end
                    ),
                    'nullable', not a.attnotnull
                )
                order by a.attnum
            )
        from pg_catalog.pg_attribute as a
        inner join base_type as b on b.type = a.atttypid
        where
            a.attrelid = f.oid
            and a.attnum > 0
            and not a.attisdropped
            and (f.may_select or pg_catalog.has_column_privilege(f.oid, a.attnum, 'select'))
    ) as columns,
    (
        select
            json_agg(
                json_build_array(
                    a.attnum,
                    array(
                        select e.enumlabel
                        from pg_catalog.pg_enum as e
                        inner join pg_catalog.pg_type as t on t.oid = b.base
                        where e.enumtypid in (t.oid, t.typelem)
                        order by e.enumsortorder
                    ),
                    case
                        when a.attgenerated <> '' then (
                            select pg_catalog.pg_get_expr(g.adbin, g.adrelid)
                            from pg_catalog.pg_attrdef as g
                            where g.adrelid = a.attrelid and g.adnum = a.attnum
                        )
                    end
                )
                order by a.attnum
            )
        from pg_catalog.pg_attribute as a
        inner join base_type as b on b.type = a.atttypid
        where
            a.attrelid = f.oid
            and a.attnum > 0
            and not a.attisdropped
            and (f.may_select or pg_catalog.has_column_privilege(f.oid, a.attnum, 'select'))
    ) as column_identities,
    -- The labels of enums and the attributes of composite types that lie deeper in a column than an
    -- enum or an array of enums. Null for a table without them.
    (
        select
            json_agg(
                json_build_array(
                    r.attnum,
                    t.oid::text,
                    array(
                        select e.enumlabel
                        from pg_catalog.pg_enum as e
                        where e.enumtypid = t.oid
                        order by e.enumsortorder
                    ),
                    array(
                        select pg_catalog.format_type(a.atttypid, a.atttypmod)
                        from pg_catalog.pg_attribute as a
                        where
                            t.typtype = 'c'
                            and a.attrelid = t.typrelid
                            and a.attnum > 0
                            and not a.attisdropped
                        order by a.attnum
                    )
                )
                order by r.attnum, t.oid
            )
        from readable as r
        inner join base_type as b on b.type = r.atttypid
        inner join pg_catalog.pg_type as u on u.oid = b.base
        inner join part as p on p.whole = r.atttypid
        inner join pg_catalog.pg_type as t on t.oid = p.type
        where
            r.oid = f.oid
            and (t.typtype = 'c' or (t.typtype = 'e' and t.oid not in (u.oid, u.typelem)))
    ) as column_parts,
    -- For the archive only, not for the fingerprint. In the order of `columns`.
    (
        select
            json_agg(
                json_build_object(
                    'default', (
                        select pg_catalog.pg_get_expr(g.adbin, g.adrelid)
                        from pg_catalog.pg_attrdef as g
                        where
                            g.adrelid = a.attrelid
                            and g.adnum = a.attnum
                            -- pg_get_expr sees today's catalogue, not the snapshot's, and fails if
                            -- a function or type was dropped since. The default that used it was
                            -- dropped with it.
                            and not exists (
                                select 1
                                from pg_catalog.pg_depend as p
                                where
                                    p.classid = 'pg_catalog.pg_attrdef'::regclass
                                    and p.objid = g.oid
                                    and case p.refclassid
                                        when 'pg_catalog.pg_proc'::regclass
                                            then pg_catalog.has_function_privilege(p.refobjid, 'execute')
                                        when 'pg_catalog.pg_type'::regclass
                                            then pg_catalog.has_type_privilege(p.refobjid, 'usage')
                                        else true
                                    end is null
                            )
                    ),
                    'generated', a.attgenerated <> '',
                    'labels', case
                        when 'e' in (t.typtype, item.typtype) then array(
                            select e.enumlabel
                            from pg_catalog.pg_enum as e
                            where e.enumtypid in (t.oid, item.oid)
                            order by e.enumsortorder
                        )
                    end
                )
                order by a.attnum
            )
        from pg_catalog.pg_attribute as a
        inner join base_type as b on b.type = a.atttypid
        inner join pg_catalog.pg_type as t on t.oid = b.base
        left join pg_catalog.pg_type as item on item.oid = t.typelem
        where
            a.attrelid = f.oid
            and a.attnum > 0
            and not a.attisdropped
            and (f.may_select or pg_catalog.has_column_privilege(f.oid, a.attnum, 'select'))
    ) as column_details
from found as f
