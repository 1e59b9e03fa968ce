-- options_department: Which departments are there?
-- Grain: one row per department that has staff.
-- Note: The choices of the filter `department`: the value in the address, and what people read.
select
    d.department_name::text as value,
    d.department_name::text as label
from dim_staff as d
group by d.department_name
order by d.department_name
