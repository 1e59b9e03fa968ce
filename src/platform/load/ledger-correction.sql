-- Enters a batch as its commit record says. $1 to $9: the columns, as in ledger-entry.sql. A row that is
-- there keeps its run and the moment of its load. A row that is missing gets the moment of the next
-- load, by which the batch was there.
insert into tidemark_ledger (
    batch_id, generation, snapshot_at, run_id, row_counts, lake, loaded_from, captured_as,
    is_simulated, loaded_at
)
values (
    $1, $2, $3, $4, $5, $6, $7, $8, $9,
    coalesce(
        (select min(l.loaded_at) from tidemark_ledger as l where l.batch_id > $1),
        clock_timestamp()
    )
)
on conflict (batch_id) do update
set
    generation = excluded.generation,
    snapshot_at = excluded.snapshot_at,
    row_counts = excluded.row_counts,
    lake = excluded.lake,
    loaded_from = excluded.loaded_from,
    captured_as = excluded.captured_as,
    is_simulated = excluded.is_simulated
