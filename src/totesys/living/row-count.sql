-- The number of rows in all eleven tables together. One row.

select (
    (select count(*) from address)
    + (select count(*) from counterparty)
    + (select count(*) from currency)
    + (select count(*) from department)
    + (select count(*) from design)
    + (select count(*) from payment)
    + (select count(*) from payment_type)
    + (select count(*) from purchase_order)
    + (select count(*) from sales_order)
    + (select count(*) from staff)
    + (select count(*) from transaction)
)::double precision as row_count;
