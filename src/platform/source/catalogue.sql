-- One row for each table, view or foreign table that people made: where it is, its columns, its key,
-- its foreign keys and how large it is. Partitions belong to their parent, and the tables of an
-- extension to the extension. $1 are the oids of the relations to read; null for all. Without $2, what
-- others wrote about a relation is left out: its comments and its foreign keys.
--
-- Reads nothing but catalogues and statistics, so it waits for nobody's lock. Sizes are therefore
-- those that the server last noted.
with recursive listed as (
    select
        c.oid,
        c.relkind,
        c.relname,
        n.nspname,
        pg_catalog.has_schema_privilege(n.oid, 'usage') as may_enter,
        pg_catalog.has_table_privilege(c.oid, 'select') as may_select,
        exists (
            select 1 from pg_catalog.pg_inherits as i where i.inhparent = c.oid
        ) as has_children
    from pg_catalog.pg_class as c
    inner join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    where
        c.relkind in ('r', 'p', 'v', 'm', 'f')
        and c.relpersistence <> 't'
        and not c.relispartition
        and n.nspname not like 'pg\_%'
        and n.nspname <> 'information_schema'
        and ($1::oid[] is null or c.oid = any($1::oid[]))
        and not exists (
            select 1
            from pg_catalog.pg_depend as d
            where
                d.classid = 'pg_catalog.pg_class'::regclass
                and d.objid = c.oid
                and d.objsubid = 0
                and d.deptype = 'e'
        )
),

-- The base type of each domain, also of a domain over a domain.
domain as (
    select
        t.oid,
        t.typbasetype as base,
        t.typtypmod as typmod
    from pg_catalog.pg_type as t
    where t.typtype = 'd'
    union all
    select
        d.oid,
        t.typbasetype,
        case when d.typmod = -1 then t.typtypmod else d.typmod end
    from domain as d
    inner join pg_catalog.pg_type as t on t.oid = d.base
    where t.typtype = 'd'
),

base_type as (
    select
        d.oid,
        d.base,
        d.typmod
    from domain as d
    inner join pg_catalog.pg_type as t on t.oid = d.base
    where t.typtype <> 'd'
),

-- Each relation, and its partitions and inheriting tables at every level.
member as (
    select
        l.oid as root,
        l.oid
    from listed as l
    union
    select
        m.root,
        i.inhrelid
    from member as m
    inner join pg_catalog.pg_inherits as i on i.inhparent = m.oid
),

-- How many rows and pages each relation has. Servers before 14 write 0 for "not known", later ones -1.
-- A server that has just been filled, or has crashed, knows only one of the two counts.
size as (
    select
        m.root,
        sum(
            greatest(
                case
                    when c.reltuples > 0 then c.reltuples
                    when
                        c.reltuples = 0
                        and pg_catalog.current_setting('server_version_num')::integer >= 140000
                        then 0
                end,
                nullif(pg_catalog.pg_stat_get_live_tuples(c.oid), 0)
            )
        ) as row_count,
        sum(c.relpages::bigint + coalesce(t.relpages, 0)) as page_count
    from member as m
    inner join pg_catalog.pg_class as c on c.oid = m.oid
    left join pg_catalog.pg_class as t on t.oid = c.reltoastrelid
    where c.relkind in ('r', 'm', 'f')
    group by m.root
)

select
    l.nspname as schema,
    l.relname as relation,
    case l.relkind
        when 'r' then 'table'
        when 'p' then 'partitioned'
        when 'v' then 'view'
        when 'm' then 'materialized view'
        else 'foreign table'
    end as kind,
    -- A table that was dropped since the snapshot has no rights any more, not even refused ones.
    coalesce(
        l.may_enter
        and (l.may_select or pg_catalog.has_any_column_privilege(l.oid, 'select')),
        false
    ) as is_readable,
    coalesce(
        (
            select
                json_agg(
                    json_build_object(
                        'name', a.attname,
                        'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
                        'baseType', pg_catalog.format_type(
                            coalesce(b.base, a.atttypid), coalesce(b.typmod, a.atttypmod)
                        ),
                        -- Not joined, because for each table a join would read all types.
                        'isEnum', (
                            select t.typtype = 'e'
                            from pg_catalog.pg_type as t
                            where t.oid = coalesce(b.base, a.atttypid)
                        ),
                        'nullable', not a.attnotnull,
                        'isReadable', coalesce(
                            l.may_enter
                            and (
                                l.may_select
                                or pg_catalog.has_column_privilege(l.oid, a.attnum, 'select')
                            ),
                            false
                        ),
                        'comment', d.description
                    )
                    order by a.attnum
                )
            from pg_catalog.pg_attribute as a
            left join base_type as b on b.oid = a.atttypid
            left join pg_catalog.pg_description as d
                on
                    d.classoid = 'pg_catalog.pg_class'::regclass
                    and d.objoid = a.attrelid
                    and d.objsubid = a.attnum
                    and $2::boolean
            where a.attrelid = l.oid and a.attnum > 0 and not a.attisdropped
        ),
        '[]'
    ) as columns,
    -- An index on a table does not cover the tables that inherit from it. An index of a partitioned
    -- table covers all of its partitions.
    case
        when l.relkind = 'r' and l.has_children then null
        else (
            select
                json_build_object(
                    'columns', k.columns,
                    'from', case when i.indisprimary then 'primary key' else 'unique index' end
                )
            from pg_catalog.pg_index as i
            inner join pg_catalog.pg_class as x on x.oid = i.indexrelid
            cross join lateral (
                select
                    json_agg(a.attname order by p.place) as columns,
                    bool_and(
                        a.attnotnull
                        and (
                            l.may_select
                            or pg_catalog.has_column_privilege(l.oid, a.attnum, 'select')
                        )
                        -- Since 18, rows from before such a constraint may still be null.
                        and not exists (
                            select 1
                            from pg_catalog.pg_constraint as n
                            where
                                n.conrelid = l.oid
                                and n.contype = 'n'
                                and n.conkey = array[a.attnum]
                                and not n.convalidated
                        )
                    ) as is_usable
                from unnest(i.indkey[0:i.indnkeyatts - 1]) with ordinality as p (attnum, place)
                inner join pg_catalog.pg_attribute as a
                    on a.attrelid = l.oid and a.attnum = p.attnum
            ) as k
            where
                i.indrelid = l.oid
                and i.indisunique
                and i.indisvalid
                and i.indpred is null
                and i.indexprs is null
                and k.is_usable
            order by
                i.indisprimary desc,
                i.indisreplident desc,
                i.indnkeyatts,
                x.relname
            limit 1
        )
    end as key,
    (
        select d.description
        from pg_catalog.pg_description as d
        where
            d.classoid = 'pg_catalog.pg_class'::regclass
            and d.objoid = l.oid
            and d.objsubid = 0
            and $2::boolean
    ) as comment,
    -- A reference to a partitioned table has constraints of its own for each partition; only the one
    -- that people wrote has no parent.
    coalesce(
        (
            select
                json_agg(
                    json_build_object(
                        'columns', (
                            select json_agg(a.attname order by p.place)
                            from unnest(f.conkey) with ordinality as p (attnum, place)
                            inner join pg_catalog.pg_attribute as a
                                on a.attrelid = f.conrelid and a.attnum = p.attnum
                        ),
                        'refersTo', json_build_object(
                            'schema', n.nspname,
                            'relation', r.relname,
                            'columns', (
                                select json_agg(a.attname order by p.place)
                                from unnest(f.confkey) with ordinality as p (attnum, place)
                                inner join pg_catalog.pg_attribute as a
                                    on a.attrelid = f.confrelid and a.attnum = p.attnum
                            )
                        )
                    )
                    order by f.conkey, f.conname
                )
            from pg_catalog.pg_constraint as f
            inner join pg_catalog.pg_class as r on r.oid = f.confrelid
            inner join pg_catalog.pg_namespace as n on n.oid = r.relnamespace
            where
                f.conrelid = l.oid
                and f.contype = 'f'
                and f.conparentid = 0
                and $2::boolean
        ),
        '[]'
    ) as foreign_keys,
    s.row_count::float8 as rows,
    case
        when s.page_count > 0
            then s.page_count * pg_catalog.current_setting('block_size')::integer
        when s.row_count = 0 then 0
    end::float8 as bytes
from listed as l
left join size as s on s.root = l.oid
order by l.nspname, l.relname
