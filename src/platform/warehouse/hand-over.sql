-- Takes table $1 off the list of derived tables. The foreign keys that referred to it are gone: the
-- tables that had them get them again. The ledger names no generation any more, so that the next load
-- makes all content again.
with handed_over as (
    delete from tidemark_table where name = $1::text
),

referring as (
    update tidemark_table
    set fingerprint = 'lost references', definition = definition - 'references'
    where definition -> 'references' @> jsonb_build_array(jsonb_build_object('dimension', $1::text))
)

update tidemark_ledger set generation = ''
where batch_id = (select max(l.batch_id) from tidemark_ledger as l)
