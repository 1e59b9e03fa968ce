-- A load also keeps the sums of facts up to date. An older version does not know them and would leave
-- them behind; it stops at this migration, which it does not know either.
comment on table tidemark_ledger is
'The batches that were loaded, each with all rows, current rows and sums in one transaction';
