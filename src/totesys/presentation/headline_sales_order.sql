-- Describes a sales order in one line, from its newest version.
-- Parameter: $1, the sales order's id.
select
    d.design_name || ' ' || d.design_id || ', ' || c.counterparty_legal_name || ', sold by '
    || s.first_name || ' ' || s.last_name || ' (' || s.department_name || ')' as headline
from fact_sales_order as f
inner join dim_design as d on d.design_id = f.design_id
inner join dim_counterparty as c on c.counterparty_id = f.counterparty_id
inner join dim_staff as s on s.staff_id = f.sales_staff_id
where f.sales_order_id = $1
order by f.sales_record_id desc
limit 1
