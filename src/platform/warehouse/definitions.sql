-- The derived tables that exist, each with its definition.
select
    definition
from tidemark_table
where to_regclass(quote_ident(name)) is not null
order by name
