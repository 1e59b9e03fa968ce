-- The derived tables, each with the oid of the relation that it is now; null if it is gone.
select
    t.definition,
    to_regclass(quote_ident(t.name))::oid::text as oid
from tidemark_table as t
order by t.name
