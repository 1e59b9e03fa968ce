-- The names in a statement that may do more than read. It compares words, so no syntax can get
-- around it: a function is called by its name, an operator by its sign, a view by its name.
-- Parameters: $1, the words of the statement in lower case; $2, the statement in lower case.
-- Grain: one row per name.
with recursive unsafe_view as (
    select r.ev_class as oid
    from pg_catalog.pg_rewrite as r
    inner join pg_catalog.pg_class as c on c.oid = r.ev_class
    where c.relkind = 'v'
        and c.relnamespace not in (
            'pg_catalog'::regnamespace, 'information_schema'::regnamespace
        )
        and exists (
            select
            from regexp_matches(
                r.ev_action::text, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g'
            ) as m (ids)
            inner join acting_function as f on f.oid = m.ids[1]::oid
        )
    union
    select r.ev_class
    from unsafe_view as u
    inner join pg_catalog.pg_depend as d
        on d.refclassid = 'pg_class'::regclass
        and d.refobjid = u.oid
        and d.classid = 'pg_rewrite'::regclass
    inner join pg_catalog.pg_rewrite as r on r.oid = d.objid
),

acting_function as materialized (
    /* acting-functions.sql */
),

named (name, is_sign) as (
    select
        f.name,
        false
    from acting_function as f
    where has_function_privilege(f.oid, 'execute')
    union all
    select
        c.relname::text,
        false
    from unsafe_view as u
    inner join pg_catalog.pg_class as c on c.oid = u.oid
    union all
    select
        o.oprname::text,
        true
    from pg_catalog.pg_operator as o
    inner join acting_function as f on f.oid = o.oprcode
    union all
    -- A cast is called by the name of the type.
    select
        t.typname::text,
        false
    from pg_catalog.pg_cast as c
    inner join acting_function as f on f.oid = c.castfunc
    inner join pg_catalog.pg_type as t on t.oid = c.casttarget
)

select distinct n.name
from named as n
where case
    when not n.is_sign and n.name ~ '^[a-z_][a-z0-9_$]{0,61}$' then n.name = any($1::text[])
    else strpos($2, lower(n.name)) > 0
end
order by n.name
limit 3
