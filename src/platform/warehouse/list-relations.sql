-- Records the relations $2 of schema $1, and every view that is made from them.
with recursive listed (name) as (
    select unnest($2::text[]) collate "C"
    union
    select u.view_name::text
    from listed as l
    inner join information_schema.view_table_usage as u
        on u.table_schema = $1 and u.table_name = l.name and u.view_schema = $1
)
insert into tidemark_relation (name) select name from listed on conflict do nothing
