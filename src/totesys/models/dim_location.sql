-- dim_location: the places goods are delivered to and companies live at.
-- Grain: one row per address.
-- Sources: address.
-- History: none; a row is replaced when its address changes.
select
    address.address_id::integer as location_id,
    address.address_line_1::varchar as address_line_1,
    address.address_line_2::varchar as address_line_2,
    address.district::varchar as district,
    address.city::varchar as city,
    address.postal_code::varchar as postal_code,
    address.country::varchar as country,
    address.phone::varchar as phone
from address
