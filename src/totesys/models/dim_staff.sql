-- dim_staff: the people who make orders, with the department they work in.
-- Grain: one row per member of staff.
-- Sources: staff, department.
-- History: none; a row is replaced when the person or the department changes.
select
    staff.staff_id::integer as staff_id,
    staff.first_name::varchar as first_name,
    staff.last_name::varchar as last_name,
    department.department_name::varchar as department_name,
    -- A department may have no location; the warehouse wants one.
    coalesce(department.location, 'Unknown')::varchar as location,
    staff.email_address::varchar as email_address
from staff
join department
    on department.department_id = staff.department_id
