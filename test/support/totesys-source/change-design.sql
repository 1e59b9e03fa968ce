-- A silent update: the file of one design, of any age, moves, and last_updated stays as it is. $1: draws.

update design as d
set
    file_location = (
        select file_location
        from (select distinct file_location from design) as known
        where file_location <> d.file_location
        order by file_location
        offset floor(
            ($1::double precision[])[2] * (select count(distinct file_location) - 1 from design)
        )::bigint
        limit 1
    )
where d.design_id = (
    select design_id
    from design
    order by design_id
    offset floor(($1::double precision[])[1] * (select count(*) from design))::bigint
    limit 1
);
