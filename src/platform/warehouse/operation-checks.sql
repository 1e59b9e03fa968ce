-- The constraints of a fact's table ($1, a quoted name) that admit the operations of a version, but
-- not that of a row that leaves.
select conname as name
from pg_constraint
where
    conrelid = to_regclass($1)
    and contype = 'c'
    and pg_get_constraintdef(oid) like '%''insert''%''update''%''delete''%'
    and pg_get_constraintdef(oid) not like '%''leave''%'
