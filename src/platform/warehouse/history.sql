-- Versions and current rows of one fact, rendered for each fact: names in braces are replaced by
-- quoted identifiers. May be repeated.
-- The fact table holds every version. Rows are only ever appended to it.
create unique index if not exists {key_index} on {fact} ({key}, {record_id});

-- Updates and deletions, in order, for questions about changes. A first load adds nothing to it.
create index if not exists {changes_index}
on {fact} ({operation}, {record_id}) include ({key}, {recorded_at}, {batch})
where {operation} <> 'insert';

-- Finds the versions captured after a moment. Versions are stored in the order of capture, so each
-- range of pages covers a short time, and the index needs only a few kilobytes.
create index if not exists {moment_index} on {fact} using brin ({recorded_at});

-- The latest version of each key, without deleted keys. Each load updates it.
create table if not exists {current} (like {fact}, primary key ({key}));
