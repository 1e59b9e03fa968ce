-- A load also keeps the sums of facts up to date. An older version of Tidemark would not. It stops at
-- this migration, because it does not know it.
comment on table tidemark_ledger is
'The batches that were loaded, each with all rows, current rows and sums in one transaction';
