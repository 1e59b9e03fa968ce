-- A row if table $1 has a unique index on exactly the columns $2.
select 1
where exists (
    select 1
    from pg_index as i
    where
        i.indrelid = to_regclass(quote_ident($1))
        and i.indisunique
        and i.indisvalid
        and i.indpred is null
        and array(
            select a.attname::text
            from pg_attribute as a
            where a.attrelid = i.indrelid and a.attnum = any(i.indkey[0:i.indnkeyatts - 1])
            order by 1
        ) = array(select k from unnest($2::text[]) as k order by 1)
)
