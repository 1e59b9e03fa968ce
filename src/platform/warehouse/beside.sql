-- The schema beside, if it exists: its identity, what its comment says, and whether nothing is in it but
-- the lock, which a late statement of another run may have made. Names in braces become literals.
select
    n.oid::text as oid,
    obj_description(n.oid, 'pg_namespace') as comment,
    not exists (
        select 1 from pg_class as c where c.relnamespace = n.oid and c.relname <> {lock}
    ) and pg_get_userbyid(n.nspowner) = current_user as "isBare"
from pg_namespace as n
where n.nspname = {name}
