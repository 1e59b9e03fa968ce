-- The definitions of the tables in $1 that were derived.
select
    name,
    definition
from tidemark_table
where name = any($1)
