-- For each table in $1: whether a relation has its name, and how it was derived, if it was.
select
    w.name,
    to_regclass(quote_ident(w.name)) is not null as there,
    t.fingerprint,
    t.definition
from unnest($1::text[]) as w (name)
left join tidemark_table as t on t.name = w.name
