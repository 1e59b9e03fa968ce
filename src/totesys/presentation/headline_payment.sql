-- Describes a payment in one line, from its newest version.
-- Parameter: $1, the payment's id.
select
    lower(replace(t.payment_type_name, '_', ' ')) || ' of ' || u.currency_code || ' '
    || to_char(f.payment_amount, 'FM999,999,999,999,999,990.00') || ', '
    || c.counterparty_legal_name || ', ' || case
        when r.transaction_type = 'SALE' then 'sales order ' || r.sales_order_id
        else 'purchase order ' || r.purchase_order_id
    end as headline
from fact_payment as f
inner join dim_payment_type as t on t.payment_type_id = f.payment_type_id
inner join dim_currency as u on u.currency_id = f.currency_id
inner join dim_counterparty as c on c.counterparty_id = f.counterparty_id
inner join dim_transaction as r on r.transaction_id = f.transaction_id
where f.payment_id = $1
order by f.payment_record_id desc
limit 1
