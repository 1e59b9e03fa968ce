-- Which records of the lake a batch was loaded from, by their checksums: what proves that a later
-- batch continues it. Null for batches that were loaded before records had them.
alter table tidemark_ledger
    add column lake uuid,
    add column loaded_from text,
    add column captured_as text;

-- The relations that make up the warehouse: one that is dropped is noticed.
create table tidemark_relation (
    name text primary key
);
