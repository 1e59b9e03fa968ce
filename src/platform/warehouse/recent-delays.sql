-- The delays of the last hour's batches, in milliseconds, as far as they are known.
select
    count(*)::text as batches,
    round(extract(epoch from percentile_disc(0.5) within group (order by delay)) * 1000)::text as p50,
    round(extract(epoch from percentile_disc(0.99) within group (order by delay)) * 1000)::text as p99
from tidemark_batches
where loaded_at > now() - interval '1 hour' and delay is not null
