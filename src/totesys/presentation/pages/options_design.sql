-- options_design: Which designs are there?
-- Grain: one row per design.
-- Note: What the filter `design` offers: the value in the address, and what people read.
select
    d.design_id::text as value,
    (d.design_name || ' ' || d.design_id)::text as label
from dim_design as d
order by d.design_name, d.design_id
