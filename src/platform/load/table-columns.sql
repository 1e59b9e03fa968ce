-- The columns of table $1, and whether each requires a value that nothing fills in.
select
    attname as name,
    attnotnull and not atthasdef and attidentity = '' as wants,
    current_schema() as schema
from pg_attribute
where attrelid = to_regclass($1) and attnum > 0 and not attisdropped
