-- The names in $1 that a relation has, and whether tables may have been derived.
select
    name,
    to_regclass('tidemark_table') is not null as derived
from unnest($1::text[]) as name
where to_regclass(quote_ident(name)) is not null
