-- The transactions in this database that read by a snapshot at this moment, other than our own.
select distinct l.virtualtransaction as id
from pg_stat_activity as a
inner join pg_locks as l
    on l.pid = a.pid and l.locktype = 'virtualxid' and l.granted and l.mode = 'ExclusiveLock'
where
    a.datid = (select d.oid from pg_database as d where d.datname = current_database())
    and a.pid <> pg_backend_pid()
    -- Processes of the server itself read no tables for people.
    and a.usesysid is not null
    and a.backend_xmin is not null
