-- What Postgres keeps up to date row by row on the tables $1, which are empty: primary keys and
-- unique constraints, then other indexes, then foreign keys if $2. Left out, so that it stays where it is,
-- is all that could not be put back as it was: what something else depends on, has a comment, has
-- settings or a tablespace of its own, or decides how rows are replicated or ordered.
with bare as (
    select oid from unnest($1::text[]) as name, to_regclass(name) as oid where oid is not null
),

foreign_key as (
    select c.oid, c.conrelid, c.conname, c.conindid
    from pg_constraint as c
    where
        $2::boolean
        and c.contype = 'f'
        and c.conrelid in (select oid from bare)
        and c.conparentid = 0
        -- Its triggers may have been disabled.
        and not exists (
            select 1 from pg_trigger as t where t.tgconstraint = c.oid and t.tgenabled <> 'O'
        )
        and not exists (
            select 1 from pg_description as d
            where d.classoid = 'pg_constraint'::regclass and d.objoid = c.oid
        )
),

kept_up as (
    select
        i.indexrelid,
        i.indrelid,
        c.oid as constraint_id,
        c.conname,
        coalesce(c.contype, 'i') as kind
    from pg_index as i
    inner join pg_class as r on r.oid = i.indexrelid
    left join pg_constraint as c
        on c.conindid = i.indexrelid and c.conrelid = i.indrelid and c.contype in ('p', 'u', 'x')
    where
        i.indrelid in (select oid from bare)
        and r.relkind = 'i'
        and r.reltablespace = 0
        and current_setting('default_tablespace') = ''
        and r.reloptions is null
        and i.indisvalid
        and not i.indisreplident
        and not i.indisclustered
        and coalesce(c.contype, 'i') <> 'x'
        and not exists (
            select 1 from pg_description as d
            where
                (d.classoid = 'pg_class'::regclass and d.objoid = i.indexrelid)
                or (d.classoid = 'pg_constraint'::regclass and d.objoid = c.oid)
        )
        and not exists (
            select 1 from pg_inherits as h where h.inhrelid = i.indexrelid
        )
        and not exists (
            select 1 from pg_depend as d
            where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid and d.deptype = 'x'
        )
        and not exists (
            select 1 from pg_attribute as a
            where a.attrelid = i.indexrelid and coalesce(a.attstattarget, -1) <> -1
        )
        and not exists (
            select 1 from pg_depend as d
            where
                (
                    (d.refclassid = 'pg_class'::regclass and d.refobjid = i.indexrelid)
                    or (d.refclassid = 'pg_constraint'::regclass and d.refobjid = c.oid)
                )
                and d.deptype <> 'i'
                and not (
                    d.classid = 'pg_constraint'::regclass
                    and d.objid in (select oid from foreign_key)
                )
        )
)

select
    3 as step,
    conrelid::regclass::text as relation,
    'alter table ' || conrelid::regclass || ' drop constraint ' || quote_ident(conname) as removal,
    'alter table ' || conrelid::regclass || ' add constraint ' || quote_ident(conname) || ' '
    || pg_get_constraintdef(oid) as restoration
from foreign_key
union all
select
    case kind when 'i' then 2 else 1 end as step,
    indrelid::regclass::text as relation,
    case kind
        when 'i' then 'drop index ' || indexrelid::regclass
        else 'alter table ' || indrelid::regclass || ' drop constraint ' || quote_ident(conname)
    end as removal,
    case kind
        when 'i' then pg_get_indexdef(indexrelid)
        else
            'alter table ' || indrelid::regclass || ' add constraint ' || quote_ident(conname) || ' '
            || pg_get_constraintdef(constraint_id)
    end as restoration
from kept_up
order by step, relation, restoration
