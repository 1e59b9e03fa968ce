-- What the server is doing for the session with the application name $1. "wants": it waits for
-- data from the client. "sends": the client does not take what it sends.
select
    case
        when state like 'idle%' then 'idle'
        when wait_event = 'ClientRead' then 'wants'
        when wait_event = 'ClientWrite' then 'sends'
        else 'working'
    end as heard
from pg_catalog.pg_stat_activity
where application_name = $1
