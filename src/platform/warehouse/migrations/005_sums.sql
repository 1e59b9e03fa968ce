-- The processed record of the batch at which the sums of facts stand. Each load sets it with the sums.
-- If it is not that of the newest batch in the ledger, somebody has put back one and not the other, or
-- an older version of Tidemark has loaded: the next load computes all sums again.
create table tidemark_sums (
    is_only_row boolean primary key default true check (is_only_row),
    loaded_from text
);

-- The sums are made in this transaction, from what has been loaded so far.
insert into tidemark_sums (loaded_from)
select loaded_from
from tidemark_ledger
order by batch_id desc
limit 1;
