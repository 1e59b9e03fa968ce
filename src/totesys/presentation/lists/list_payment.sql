-- list_payment: Which payments are there, and which of them are late?
-- Grain: one row per payment.
-- Unit: amount in the row's own currency; days_late in days since it was due.
-- Note: The rows come unsorted: the page sorts them. Each `left join` only brings names, so the
-- planner leaves it out where they are not needed. The period is when a payment is due. Overdue is
-- unpaid and due before today. A payment is unpaid until Totesys marks it as paid: some are marked
-- late, and some never. `search` is a part of a counterparty's name in any case, or the whole
-- number of a payment or of its order. `state`: `paid`, `unpaid`, `overdue`, `soon` (due today or
-- in the next 7 days, paid or not), or `deleted`, which shows the deleted ones as they were last;
-- without it, every payment that exists. `direction`: `in` is owed to us, `out` by us.
-- Access: finance
-- Filters: search, state, direction, from, to, currency, counterparty, amount_from, amount_to,
-- today
select
    f.payment_id::integer as payment_id,
    f.payment_date::date as payment_date,
    f.counterparty_id::integer as counterparty_id,
    c.counterparty_legal_name::text as counterparty,
    t.payment_type_name::text as payment_type,
    u.currency_code::text as currency_code,
    f.payment_amount::numeric(10, 2) as amount,
    case
        when f.record_operation = 'delete' then 'deleted'
        when f.paid then 'paid'
        when f.payment_date < clock.today then 'overdue'
        else 'due'
    end::text as state,
    case
        when f.record_operation <> 'delete' and not f.paid
            and f.payment_date < clock.today
            then clock.today - f.payment_date
    end::integer as days_late,
    (
        select case when r.sales_order_id is not null then 'sale' else 'purchase' end
        from dim_transaction as r
        where r.transaction_id = f.transaction_id
    )::text as order_kind,
    (
        select coalesce(r.sales_order_id, r.purchase_order_id)
        from dim_transaction as r
        where r.transaction_id = f.transaction_id
    )::integer as order_id
from (
    select
        n.payment_id,
        n.payment_date,
        n.counterparty_id,
        n.payment_type_id,
        n.currency_id,
        n.payment_amount,
        n.paid,
        n.transaction_id,
        n.record_operation,
        false as is_deleted
    from fact_payment_current as n
    union all
    select
        g.payment_id,
        g.payment_date,
        g.counterparty_id,
        g.payment_type_id,
        g.currency_id,
        g.payment_amount,
        g.paid,
        g.transaction_id,
        g.record_operation,
        true as is_deleted
    from fact_payment as g
    where g.record_operation = 'delete'
        and not exists (
            select
            from fact_payment as later
            where later.payment_id = g.payment_id
                and later.payment_record_id > g.payment_record_id
        )
) as f
cross join (
    select coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date) as today
) as clock
left join dim_currency as u on u.currency_id = f.currency_id
left join dim_counterparty as c on c.counterparty_id = f.counterparty_id
left join dim_payment_type as t on t.payment_type_id = f.payment_type_id
where f.is_deleted = (coalesce(:'state', '') = 'deleted')
    and (
        coalesce(:'state', '') in ('', 'deleted')
        or (:'state' = 'paid' and f.paid)
        or (:'state' = 'unpaid' and not f.paid)
        or (:'state' = 'overdue' and not f.paid and f.payment_date < clock.today)
        or (:'state' = 'soon' and f.payment_date between clock.today and clock.today + 7)
    )
    and f.payment_date >= coalesce(nullif(:'from', '')::date, '-infinity')
    and f.payment_date <= coalesce(nullif(:'to', '')::date, 'infinity')
    and (
        nullif(:'currency', '') is null
        or u.currency_code = :'currency'
    )
    and (
        nullif(:'direction', '') is null
        or (t.payment_type_name in ('SALES_RECEIPT', 'PURCHASE_REFUND')) = (:'direction' = 'in')
    )
    and (
        nullif(:'counterparty', '') is null
        or f.counterparty_id = nullif(:'counterparty', '')::integer
    )
    and (
        nullif(:'amount_from', '') is null
        or f.payment_amount >= nullif(:'amount_from', '')::numeric
    )
    and (
        nullif(:'amount_to', '') is null
        or f.payment_amount <= nullif(:'amount_to', '')::numeric
    )
    and (
        nullif(:'search', '') is null
        or f.payment_id
        = case when :'search' ~ '^[0-9]{1,9}$' then (:'search')::integer end
        or f.transaction_id in (
            select r.transaction_id
            from dim_transaction as r
            where case when :'search' ~ '^[0-9]{1,9}$' then (:'search')::integer end
                in (r.sales_order_id, r.purchase_order_id)
        )
        or f.counterparty_id in (
            select p.counterparty_id
            from dim_counterparty as p
            where strpos(
                lower(p.counterparty_legal_name collate "und-x-icu"),
                lower(:'search' collate "und-x-icu")
            ) > 0
        )
    )
