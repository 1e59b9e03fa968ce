-- Records the relations $2 of schema $1, and, if $4, every view that is made from them. A view that is made
-- from the sums $3 is not the domain's: sums are made after its migrations. They may be made again,
-- and such a view is dropped for that.
with recursive listed (name) as (
    select unnest($2::text[]) collate "C"
    union
    select u.view_name::text
    from listed as l
    inner join information_schema.view_table_usage as u
        on $4::boolean and u.table_schema = $1 and u.table_name = l.name and u.view_schema = $1
    where not exists (
        select 1 from information_schema.view_table_usage as s
        where
            s.view_schema = $1 and s.view_name = u.view_name
            and s.table_schema = $1 and s.table_name = any($3::text[])
    )
)
insert into tidemark_relation (name) select name from listed on conflict do nothing
