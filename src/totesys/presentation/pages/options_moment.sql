-- options_moment: For which moments do we know what the books said?
-- Grain: one row per moment, 200 at most, evenly spread over the batches, the newest included.
-- Unit: moments in UTC, ISO 8601.
-- Note: The choices of the filters `as_of` and `then`. Each moment is rounded up to the second, so
-- that it includes the batch taken within that second. The newest comes first.
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
