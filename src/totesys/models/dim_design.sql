-- dim_design: the designs printed on the bags.
-- Grain: one row per design.
-- Sources: design.
-- History: none; a row is replaced when its design changes (file_location does, silently).
select
    design.design_id::integer as design_id,
    design.design_name::varchar as design_name,
    design.file_location::varchar as file_location,
    design.file_name::varchar as file_name
from design
