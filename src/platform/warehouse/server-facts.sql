-- Properties of the server and the database that decide whether they suit the warehouse.
select
    current_setting('server_version') as version,
    current_setting('server_encoding') as encoding,
    current_user as "user",
    current_database() as database,
    pg_is_in_recovery() as "isStandby",
    coalesce(
        (select setting::integer from pg_settings where name = 'idle_session_timeout'), 0
    ) as "idleLimitMs"
