-- The platform's views. Every migration replaces them. May be repeated.
-- How fresh the warehouse is: it is proven complete up to `complete_to`.
create or replace view tidemark_status as
select
    l.batch_id,
    l.generation,
    l.snapshot_at,
    l.loaded_at,
    greatest(l.snapshot_at, c.confirmed_at) as complete_to
from tidemark_ledger as l
left join tidemark_confirmation as c on c.batch_id = l.batch_id
where l.batch_id = (select max(batch_id) from tidemark_ledger);

-- The ledger for readers: when each batch's snapshot was taken, and when it was loaded. Each change
-- in a batch was visible at most `delay` after its commit in the source. It is null if that is unknown,
-- if no row changed, for a batch of feeds, whose snapshot is the one before, and if one of the moments
-- is simulated. It ends by the warehouse's clock and begins by the source's.
create or replace view tidemark_batches as
select
    l.batch_id,
    l.generation,
    l.snapshot_at,
    l.loaded_at,
    l.run_id,
    l.row_counts,
    case
        when l.complete_before < l.snapshot_at and l.row_counts <> '{}' and not l.is_simulated
            then greatest(l.loaded_at - l.complete_before, interval '0')
    end as delay,
    l.is_simulated
from tidemark_ledger as l;
