-- options_moment: At which moments is it known what the books said?
-- Grain: one row per moment, 200 at most and evenly spread over the batches, the newest included.
-- Unit: moments in UTC, ISO 8601; the source as it was then is in the warehouse.
-- Note: What the filters `as_of` and `then` offer. Rounded up to the second, so that the batch taken
-- within that second is known. Newest first.
with numbered as (
    select
        l.snapshot_at,
        l.batch_id,
        row_number() over (order by l.batch_id desc) - 1 as age,
        greatest(ceil(count(*) over () / 200.0), 1) as step
    from tidemark_batches as l
),

moment as (
    select
        n.batch_id,
        date_trunc('second', n.snapshot_at + interval '999999 microseconds') as moment
    from numbered as n
    where n.age % n.step = 0
)

select
    to_char(m.moment at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')::text as value,
    ('batch ' || m.batch_id)::text as label
from moment as m
order by m.batch_id desc
