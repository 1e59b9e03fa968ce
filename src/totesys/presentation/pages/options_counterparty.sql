-- options_counterparty: Which counterparties are there?
-- Grain: one row per counterparty.
-- Note: The choices of the filter `counterparty`: the value in the address, and what people read.
select
    d.counterparty_id::text as value,
    d.counterparty_legal_name::text as label
from dim_counterparty as d
order by d.counterparty_legal_name, d.counterparty_id
