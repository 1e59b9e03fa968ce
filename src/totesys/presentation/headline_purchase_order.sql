-- Describes a purchase order in one line, from its newest version.
-- Parameter: $1, the purchase order's id.
select
    'Item ' || f.item_code || ', ' || c.counterparty_legal_name || ', bought by '
    || s.first_name || ' ' || s.last_name || ' (' || s.department_name || ')' as headline
from fact_purchase_orders as f
inner join dim_counterparty as c on c.counterparty_id = f.counterparty_id
inner join dim_staff as s on s.staff_id = f.staff_id
where f.purchase_order_id = $1
order by f.purchase_record_id desc
limit 1
