-- How far the warehouse was proven complete before each batch: every change in the batch was committed
-- after that. Null for the first batch, and for batches that were loaded before this migration.
alter table tidemark_ledger add column complete_before timestamptz;

-- Also for what is asked about the last hour.
create index tidemark_ledger_loaded_at on tidemark_ledger (loaded_at);

-- A new generation loads all batches again in one transaction. Their changes were visible before, so
-- nothing is known about them. They are told by another batch that was loaded since it began. That is
-- looked up first: in such a transaction, finding the newest batch passes over every deleted row.
create function tidemark_complete_before() returns timestamptz
language sql stable
begin atomic
    select
        case
            when not exists (select from tidemark_ledger where loaded_at >= now())
                then (
                    select greatest(l.snapshot_at, c.confirmed_at)
                    from tidemark_ledger as l
                    left join tidemark_confirmation as c on c.batch_id = l.batch_id
                    order by l.batch_id desc
                    limit 1
                )
        end;
end;

revoke execute on function tidemark_complete_before() from public;

alter table tidemark_ledger
    alter column complete_before set default tidemark_complete_before();
