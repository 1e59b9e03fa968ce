-- dim_counterparty: the companies bought from and sold to, with their legal address.
-- Grain: one row per counterparty.
-- Sources: counterparty, address.
-- History: none; a row is replaced when the company or its legal address changes.
select
    counterparty.counterparty_id::integer as counterparty_id,
    counterparty.counterparty_legal_name::varchar as counterparty_legal_name,
    address.address_line_1::varchar as counterparty_legal_address_line_1,
    address.address_line_2::varchar as counterparty_legal_address_line_2,
    address.district::varchar as counterparty_legal_district,
    address.city::varchar as counterparty_legal_city,
    address.postal_code::varchar as counterparty_legal_postal_code,
    address.country::varchar as counterparty_legal_country,
    address.phone::varchar as counterparty_legal_phone_number
from counterparty
join address
    on address.address_id = counterparty.legal_address_id
