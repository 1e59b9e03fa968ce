-- Whether the schema with the quoted name $1 exists, and whether it is closed to this user.
select
    n.oid is not null as there,
    not has_schema_privilege(n.oid, 'usage') as closed,
    current_user as "user"
from to_regnamespace($1) as n (oid)
