-- Finds tables in the role's own schema only, until the transaction ends.
select pg_catalog.set_config('search_path', quote_ident(current_schema()), true)
where current_schema() is not null
