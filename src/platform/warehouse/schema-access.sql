-- Whether the warehouse exists, and whether schema $1 is closed to this user.
select
    to_regclass('tidemark_status') is not null as there,
    exists (
        select 1 from pg_namespace
        where nspname = $1 and not has_schema_privilege(oid, 'usage')
    ) as closed,
    current_user as "user"
