-- Creates one design in a known material. $1: when, $2: draws, $3: four letters for its file.

with draw as (
    select
        $1::timestamp(3) as at,
        $2::double precision[] as n
),

known as (
    select
        at,
        to_char(at - n[1] * interval '800 days', 'yyyymmdd') as drawn_on,
        (select design_name from design order by design_id
            offset floor(n[2] * (select count(*) from design))::bigint limit 1) as design_name,
        (select file_location from design order by design_id
            offset floor(n[3] * (select count(*) from design))::bigint limit 1) as file_location
    from draw
)

insert into design (created_at, design_name, file_location, file_name, last_updated)
select
    at,
    design_name,
    file_location,
    lower(design_name) || '-' || drawn_on || '-' || $3 || '.json',
    at
from known;
