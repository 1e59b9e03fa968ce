-- Enters a batch that was loaded. $1 to $9: the columns, in their order.
insert into tidemark_ledger (
    batch_id, generation, snapshot_at, run_id, row_counts, lake, loaded_from, captured_as,
    is_simulated
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
