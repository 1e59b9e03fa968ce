-- As the model of this name makes it: src/totesys/models.
select
    s.staff_id,
    s.first_name,
    s.last_name,
    d.department_name,
    coalesce(d.location, 'Unknown') as location,
    s.email_address
from staff as s
inner join department as d on d.department_id = s.department_id
