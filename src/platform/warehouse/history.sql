-- Versions and current rows of one fact, rendered for each fact: names in braces are replaced by
-- quoted identifiers. May be repeated.
-- The fact table holds every version. Rows are only ever appended to it.
create unique index if not exists {key_index} on {fact} ({key}, {record_id});

-- What was amended or deleted, in order: what questions about changes look for. Nothing enters it in
-- a first load.
create index if not exists {changes_index}
on {fact} (record_operation, {record_id}) include ({key}, recorded_at, batch_id)
where record_operation <> 'insert';

-- What was captured after a moment. Versions lie in the order of capture, so a page range holds few
-- moments, and the index a few kilobytes.
create index if not exists {moment_index} on {fact} using brin (recorded_at);

-- The latest version of each key, without deleted keys. Each load updates it.
create table if not exists {current} (like {fact}, primary key ({key}));
