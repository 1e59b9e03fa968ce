-- options_design: Which designs are there?
-- Grain: one row per design.
-- Note: The choices of the filter `design`: the value in the address, and what people read.
select
    d.design_id::text as value,
    (d.design_name || ' ' || d.design_id)::text as label
from dim_design as d
order by d.design_name, d.design_id
