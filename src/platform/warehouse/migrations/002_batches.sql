-- The ledger as readers see it: when each batch's snapshot was taken, and when it was loaded.
create view tidemark_batches as
select
    l.batch_id,
    l.generation,
    l.snapshot_at,
    l.loaded_at,
    l.run_id,
    l.row_counts
from tidemark_ledger as l;
