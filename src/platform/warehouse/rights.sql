-- The rights on the relations $2 and the functions $3 of the schema $1 that their owner gave to
-- others, as statements that give them again; and the roles that have rights, as `grantee`.
with owned as (
    select
        'table' as sort,
        quote_ident(c.relname) as place,
        c.relowner as owner,
        c.relacl as rights,
        '' as columns
    from pg_class as c
    where
        c.relnamespace = to_regnamespace(quote_ident($1))
        and c.relname = any($2::text[])
        and c.relkind in ('r', 'p', 'v', 'm', 'f')
    union all
    select 'table', quote_ident(c.relname), c.relowner, a.attacl, format(' (%I)', a.attname)
    from pg_class as c
    inner join pg_attribute as a on a.attrelid = c.oid and a.attacl is not null and not a.attisdropped
    where
        c.relnamespace = to_regnamespace(quote_ident($1))
        and c.relname = any($2::text[])
        and c.relkind in ('r', 'p', 'v', 'm', 'f')
    union all
    select
        'routine',
        format('%I(%s)', p.proname, pg_get_function_identity_arguments(p.oid)),
        p.proowner,
        coalesce(p.proacl, acldefault('f', p.proowner)),
        ''
    from pg_proc as p
    where p.pronamespace = to_regnamespace(quote_ident($1)) and p.proname = any($3::text[])
        and p.prokind in ('f', 'p')
),

given as (
    select
        o.sort || ' ' || o.place as place,
        case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end
        as grantee,
        a.privilege_type || o.columns as privilege,
        case when a.is_grantable then ' with grant option' else '' end as option
    from owned as o
    cross join lateral aclexplode(o.rights) as a
    where a.grantee <> o.owner and a.grantor = o.owner
)

select
    format('revoke all on %s from %s', place, grantee) as removal,
    format('grant %s on %s to %s%s', privilege, place, grantee, option) as statement
from given
order by place, grantee, privilege
