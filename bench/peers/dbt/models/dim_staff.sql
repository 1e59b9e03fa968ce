select
    s.staff_id,
    s.first_name,
    s.last_name,
    d.department_name,
    coalesce(d.location, 'Unknown') as location,
    s.email_address
from {{ source('landed', 'staff') }} as s
inner join {{ source('landed', 'department') }} as d on d.department_id = s.department_id
