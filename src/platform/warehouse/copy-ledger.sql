-- Makes the platform's rows those of the schema {beside}, whose content has taken the place of the old
-- one. The source's confirmation and the applied migrations stay. Since when a batch's changes were
-- visible is not known: they were there before, too.
delete from tidemark_ledger;

insert into tidemark_ledger (
    batch_id, generation, snapshot_at, loaded_at, run_id, row_counts, lake, loaded_from, captured_as,
    is_simulated, complete_before
)
select
    batch_id,
    generation,
    snapshot_at,
    clock_timestamp(),
    run_id,
    row_counts,
    lake,
    loaded_from,
    captured_as,
    is_simulated,
    null
from {beside}.tidemark_ledger
order by batch_id;

delete from tidemark_sums;

insert into tidemark_sums (loaded_from) select loaded_from from {beside}.tidemark_sums;

insert into tidemark_table (name, fingerprint, definition)
select name, fingerprint, definition
from {beside}.tidemark_table
on conflict (name) do update
set fingerprint = excluded.fingerprint, definition = excluded.definition;

insert into tidemark_relation (name)
select name from {beside}.tidemark_relation
on conflict do nothing
