-- Statements that make an empty copy of tables: of those named $2 in the schema $1, of tables that
-- refer to them, and of all views and functions that are made from them. The session that asks has
-- the search path $1, and the one that runs them $3: names are not qualified.
with recursive wanted as (
    select c.oid
    from pg_class as c
    where
        c.relnamespace = to_regnamespace(quote_ident($1))
        and c.relkind in ('r', 'p', 'f', 'm')
        and c.relname = any($2::text[])
),

original as (
    select
        c.oid,
        c.relkind,
        n.nspname = $1 as is_own,
        format('%I.%I', n.nspname, c.relname) as place,
        format('%I.%I', $3::text, case
            when n.nspname = $1 then c.relname::text
            else n.nspname || '.' || c.relname
        end) as copy
    from pg_class as c
    inner join pg_namespace as n on n.oid = c.relnamespace
    where
        c.oid in (select w.oid from wanted as w)
        or c.oid in (
            select f.conrelid from pg_constraint as f
            where f.contype = 'f' and f.confrelid in (select w.oid from wanted as w)
        )
),

-- What is made from the tables, views and functions, step by step.
followed (class, oid, depth) as (
    select 'pg_class'::regclass::oid, o.oid, 0 from original as o
    union
    select n.class, n.oid, f.depth + 1
    from followed as f
    inner join pg_depend as d on d.refclassid = f.class and d.refobjid = f.oid
    left join pg_rewrite as r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
    left join pg_proc as p
        on d.classid = 'pg_proc'::regclass and p.oid = d.objid and p.prosqlbody is not null
    cross join lateral (
        select
            case when p.oid is null then 'pg_class'::regclass::oid else 'pg_proc'::regclass::oid end
            as class,
            coalesce(p.oid, r.ev_class) as oid
    ) as n
    where n.oid is not null and n.oid <> f.oid and f.depth < 100
),

dependent as (
    select f.class, f.oid, max(f.depth) as depth
    from followed as f
    where f.depth > 0
    group by f.class, f.oid
)

select statement
from (
    select
        1 as step,
        o.oid as place,
        'create table ' || o.copy || ' (like ' || o.place
        || ' including all excluding indexes excluding statistics)' as statement
    from original as o
    union all
    select 2, o.oid, 'comment on table ' || o.copy || ' is ' || quote_literal(obj_description(o.oid, 'pg_class'))
    from original as o
    where obj_description(o.oid, 'pg_class') is not null
    union all
    select
        case c.contype when 'f' then 5 else 3 end,
        c.oid,
        'alter table ' || o.copy || ' add constraint ' || quote_ident(c.conname) || ' '
        || pg_get_constraintdef(c.oid)
    from pg_constraint as c
    inner join original as o on o.oid = c.conrelid
    where
        c.contype in ('p', 'u', 'x')
        or (c.contype = 'f' and c.confrelid in (select w.oid from wanted as w))
    union all
    select
        4,
        i.indexrelid,
        replace(
            replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON '),
            ' ON ' || o.place || ' ',
            ' ON ' || o.copy || ' '
        )
    from pg_index as i
    inner join original as o on o.oid = i.indrelid
    where not exists (select 1 from pg_constraint as c where c.conindid = i.indexrelid and c.contype <> 'f')
    union all
    select
        5 + d.depth,
        d.oid,
        'create view ' || format('%I.%I', $3::text, case
            when n.nspname = $1 then c.relname::text
            else n.nspname || '.' || c.relname
        end) || ' as ' || pg_get_viewdef(d.oid)
    from dependent as d
    inner join pg_class as c on d.class = 'pg_class'::regclass and c.oid = d.oid
    inner join pg_namespace as n on n.oid = c.relnamespace
    union all
    select
        5 + d.depth,
        d.oid,
        replace(
            pg_get_functiondef(d.oid),
            ' FUNCTION ' || format('%I.%I', n.nspname, p.proname) || '(',
            ' FUNCTION ' || format('%I.%I', $3::text, p.proname) || '('
        )
    from dependent as d
    inner join pg_proc as p on d.class = 'pg_proc'::regclass and p.oid = d.oid
    inner join pg_namespace as n on n.oid = p.pronamespace and n.nspname = $1
) as made
order by step, place
