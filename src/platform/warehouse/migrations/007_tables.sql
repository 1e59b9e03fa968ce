-- The tables that were derived from models, each with the schema that it has now: columns with their
-- types and descriptions, key, references. A table that is not here was made by a migration.
create table tidemark_table (
    name text primary key,
    fingerprint text not null,
    definition jsonb not null
);
