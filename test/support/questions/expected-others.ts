import {
  AGES,
  COMPARED,
  CONVERTED,
  inOne,
  isWhole,
  nextStep,
  SCHEDULED,
  stepOf,
  RANKED,
  WEEKLY,
} from './expected-parts.ts'

/** What each question about purchases, payments and rates must answer, in SQL of its own. */
export const EXPECTED_OTHERS: Record<string, string> = {
  p01_spend_by_week: WEEKLY({
    from: 'purchase',
    cover: 'purchase_cover',
    columns: `count(*) as orders, sum(item_quantity) as quantity, ${inOne('amount')} as total,
     count(*) filter (found is null) as left_out`,
    zeros: `ifnull(orders, 0) as orders, ifnull(quantity, 0) as quantity,
     if(ifnull(orders, 0) = 0, 0, total)::decimal(20, 2) as amount,
     ifnull(left_out, 0) as orders_unconverted`,
  }),
  p02_biggest_suppliers: `
    with supplier as (
        ${RANKED('purchase', 'counterparty_id, counterparty_legal_name, sum(item_quantity) as quantity')})
    select currency_code, counterparty_id, counterparty_legal_name as counterparty, orders, quantity,
        amount, round(exact / sum(exact) over (partition by currency_code), 6)::decimal(18, 6)
            as share, orders_unconverted
    from supplier order by currency_code, exact desc nulls last, counterparty_id`,
  p03_item_prices: `
    with monthly as (
        select item_code, currency_code, ${stepOf('day')} as month,
            count(*) as orders, sum(item_quantity) as quantity, sum(amount) / quantity as price
        from purchase group by all),
    item as (
        select item_code, currency_code, arg_min(price, month) as low, arg_max(price, month) as high
        from monthly group by all having count(*) > 1)
    select item_code, currency_code, month,
        ${isWhole('purchase_cover', 'month')} as is_complete,
        orders, quantity, round(price, 4)::decimal(18, 4) as average_price,
        round(low, 4)::decimal(18, 4) as first_price, round(high, 4)::decimal(18, 4) as last_price,
        round(high / low - 1, 4)::decimal(18, 4) as change_ratio,
        (select first_day from purchase_cover) as data_since
    from monthly join item using (item_code, currency_code)
    order by high / low desc, item_code, currency_code, month`,
  p04_arrivals: `
    select agreed_delivery_date::date as delivery_date,
        delivery_date - getvariable('today') as days_ahead, address_id as location_id,
        address_line_1, city, country, purchase_order_id, item_code, item_quantity as quantity,
        currency_code, amount, counterparty_id, counterparty_legal_name as counterparty
    from purchase where days_ahead >= 0 and days_ahead < 14 order by 1, purchase_order_id`,
  p05_both_ways: `
    with sold as (
        select currency_code, counterparty_id, count(*) as orders, sum(amount) as amount
        from sale group by all),
    bought as (
        select currency_code, counterparty_id, count(*) as orders, sum(amount) as amount
        from purchase group by all)
    select currency_code, counterparty_id, counterparty_legal_name as counterparty,
        ifnull(s.orders, 0) as orders_sold, ifnull(s.amount, 0)::decimal(20, 2) as amount_sold,
        ifnull(b.orders, 0) as orders_bought, ifnull(b.amount, 0)::decimal(20, 2) as amount_bought
    from sold as s full join bought as b using (currency_code, counterparty_id)
    join known_counterparty using (counterparty_id)
    where counterparty_id in (select counterparty_id from sold)
        and counterparty_id in (select counterparty_id from bought)
    order by 1, amount_sold + amount_bought desc, 2`,
  y01_last_payments: `
    ${SCHEDULED} where due <= getvariable('today') order by due desc, payment_id desc limit 5`,
  y02_next_payments: `
    ${SCHEDULED} where due > getvariable('today') order by due, payment_id limit 5`,
  y03_due_by_week: `
    select * exclude (orders, left_out), amount_in - amount_out as amount_net,
        left_out as payments_unconverted from (${WEEKLY({
          from: '(select * replace (due as day) from asked)',
          cover: 'payment_cover',
          columns: `count(*) as orders, count(*) filter (is_ours) as payments_in,
       ${inOne('payment_amount', 'is_ours')} as money_in,
       count(*) filter (not is_ours) as payments_out,
       ${inOne('payment_amount', 'not is_ours')} as money_out,
       count(*) filter (found is null) as missing`,
          zeros: `ifnull(orders, 0) as orders,
       ifnull(payments_in, 0) as payments_in,
       if(ifnull(payments_in, 0) = 0, 0, money_in)::decimal(20, 2) as amount_in,
       ifnull(payments_out, 0) as payments_out,
       if(ifnull(payments_out, 0) = 0, 0, money_out)::decimal(20, 2) as amount_out,
       ifnull(missing, 0) as left_out`,
        })}) order by 1, 2`,
  y04_overdue_by_age: `
    with owed as (
        select *, getvariable('today') - due as age, if(is_ours, 'in', 'out') as direction
        from asked where not paid)
    ${Object.entries(AGES)
      .map(
        ([label, [first, last]], index) => `
        select direction, currency_code, ${index + 1} as age_position, '${label}' as age_days,
            count(*) filter (age between ${first} and ${last}) as payments,
            coalesce(sum(payment_amount) filter (age between ${first} and ${last}), 0)
                ::decimal(20, 2) as amount,
            min(due) filter (age between ${first} and ${last}) as oldest_due,
            (${last === 99_999 ? 'null' : `getvariable('today') - ${last}`})::date as due_from,
            (getvariable('today') - ${first})::date as due_to
        from owed where age > 0 group by all`,
      )
      .join(' union all ')}
    order by 1, 2, 3`,
  y05_days_late: `
    with first_paid as (
        select payment_id, arg_min(last_updated::date - due, _batch) as days
        from payment_state where paid group by all)
    select days as days_late, count(*) as payments
    from asked left join first_paid using (payment_id)
    where is_ours and (days is not null or due < getvariable('today'))
    group by all order by days nulls last`,
  y06_biggest_debtors: `
    select currency_code, counterparty_id, counterparty_legal_name as counterparty,
        count(*) as payments, sum(payment_amount)::decimal(20, 2) as amount,
        sum(if(due > getvariable('today'), 0, payment_amount))::decimal(20, 2) as amount_due,
        min(due) as first_due
    from asked where is_ours and not paid group by all
    order by currency_code, amount desc, counterparty_id`,
  y07_payment_mismatches: `
    with placed as (
        select 'sale' as order_kind, sales_order_id as order_id, day, counterparty_id,
            counterparty_legal_name, currency_code, amount, sales_order_id as sale_id,
            null as purchase_id
        from sale
        union all
        select 'purchase', purchase_order_id, day, counterparty_id, counterparty_legal_name,
            currency_code, amount, null, purchase_order_id
        from purchase),
    met as (
        select o.*, p.payment_id, p.currency_code as payment_code, p.payment_amount
        from placed as o
        left join known_transaction as t
            on t.sales_order_id = o.sale_id or t.purchase_order_id = o.purchase_id
        left join payment as p on p.transaction_id = t.transaction_id
            and p.kind = if(o.order_kind = 'sale', 'SALES_RECEIPT', 'PURCHASE_PAYMENT')),
    summed as (
        select order_kind, order_id, day, counterparty_id, counterparty_legal_name, currency_code,
            amount, count(payment_id) as payments, sum(payment_amount)::decimal(20, 2) as total,
            list_distinct(list(payment_code)) as codes
        from met group by all)
    select case when payments = 0 then 'no payment'
            when codes <> [currency_code] then 'different currency'
            else 'different amount' end as problem,
        order_kind, order_id, day as created_date, counterparty_id,
        counterparty_legal_name as counterparty, currency_code, amount as order_amount, payments,
        if(len(codes) = 1, codes[1], null) as payment_currency_code,
        if(len(codes) = 1, total, null) as payment_amount,
        if(problem = 'different amount', total - amount, null)::decimal(20, 2) as difference
    from summed where payments = 0 or codes <> [currency_code] or total <> amount
    order by day desc, order_kind, order_id`,
  p06_purchases_in_one_currency: CONVERTED({
    from: 'purchase_ever',
    cover: 'purchase_cover',
    day: 'day',
    last: `getvariable('to_day')`,
    things: 'orders',
    own: { own_amount: 'amount' },
    now: { amount: 'amount' },
    before: { amount_before: 'amount' },
  }),
  y08_payments_in_one_currency: CONVERTED({
    from: 'due_ever',
    cover: 'payment_cover',
    day: 'due',
    last: `least(getvariable('to_day'), getvariable('today'))`,
    things: 'payments',
    own: {
      own_amount_in: 'if(is_ours, payment_amount, 0)',
      own_amount_out: 'if(is_ours, 0, payment_amount)',
    },
    now: {
      amount_in: 'if(is_ours, payment_amount, 0)',
      amount_out: 'if(is_ours, 0, payment_amount)',
      amount_unpaid: 'if(paid, 0, payment_amount)',
    },
    before: {
      amount_in_before: 'if(is_ours, payment_amount, 0)',
      amount_out_before: 'if(is_ours, 0, payment_amount)',
    },
  }),
  overview_purchases: COMPARED({
    from: 'purchase_ever',
    cover: 'purchase_cover',
    day: 'day',
    last: `getvariable('to_day')`,
    now: {
      orders: 'count(*)',
      quantity: 'coalesce(sum(item_quantity), 0)',
      amount: 'coalesce(sum(amount), 0)::decimal(20, 2)',
    },
    before: ['amount'],
    ratio: true,
  }),
  overview_payments: COMPARED({
    from: 'due_ever',
    cover: 'payment_cover',
    day: 'due',
    last: `least(getvariable('to_day'), getvariable('today'))`,
    now: {
      amount_in: 'coalesce(sum(if(is_ours, payment_amount, 0)), 0)::decimal(20, 2)',
      amount_out: 'coalesce(sum(if(is_ours, 0, payment_amount)), 0)::decimal(20, 2)',
      amount_unpaid: 'coalesce(sum(if(paid, 0, payment_amount)), 0)::decimal(20, 2)',
    },
    before: ['amount_in', 'amount_out'],
  }),
  r01_rates: `
    with first as (
        select greatest(min(rate_date), getvariable('from_day')) as day,
            least(getvariable('to_day'), getvariable('today')) as last_day from known_rate),
    week as (
        select distinct ${stepOf('unnest(generate_series(day, last_day, interval 1 day))')}
            as week_start, last_day from first)
    select getvariable('in_code') as in_currency, currency_code, week_start,
        round(rate, 10)::decimal(28, 10) as rate, rate_date, rate_date < week_start as is_filled,
        source,
        ${isWhole('rate_cover', 'week_start')} as is_complete
    from week join rate_found on day = least(${nextStep('week_start')} - 1, last_day)
    where currency_code <> getvariable('in_code') and rate is not null
        and coalesce(currency_code = getvariable('currency'), true)
    order by currency_code, week_start`,
}
