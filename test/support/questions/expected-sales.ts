import {
  COMPARED,
  CONVERTED,
  FIELDS,
  inOne,
  isWhole,
  OF_CURRENCY_AND,
  RANKED,
  stepOf,
  STEPS,
  WEEKLY,
} from './expected-parts.ts'

/** What each question about sales must answer, in SQL of its own over the source tables. */
export const EXPECTED_SALES: Record<string, string> = {
  s01_sales_by_currency: COMPARED({
    from: 'sale_ever',
    cover: 'sale_cover',
    day: 'day',
    last: `getvariable('to_day')`,
    now: {
      orders: 'count(*)',
      units: 'coalesce(sum(units_sold), 0)',
      amount: 'coalesce(sum(amount), 0)::decimal(20, 2)',
    },
    before: ['orders', 'units', 'amount'],
    ratio: true,
  }),
  s02_sales_by_week: WEEKLY({
    from: 'sale',
    cover: 'sale_cover',
    columns: `count(*) as orders, sum(units_sold) as units, ${inOne('amount')} as total,
     count(*) filter (found is null) as left_out`,
    zeros: `ifnull(orders, 0) as orders, ifnull(units, 0) as units,
     if(ifnull(orders, 0) = 0, 0, total)::decimal(20, 2) as amount,
     ifnull(left_out, 0) as orders_unconverted`,
  }),
  s03_best_designs: `
    select design_id, design_name, file_name, count(*) as orders, sum(units_sold) as units,
        round(units / (select sum(units_sold) from sale), 6)::decimal(18, 6) as share
    from sale group by all order by units desc, design_id`,
  s04_rising_designs: `
    with days as (
        select sale.*, first_day, getvariable('today') - day between 1 and 28 as is_last,
            case getvariable('against')
                when 'before' then getvariable('today') - day between 29 and 56
                when 'year' then day >= (getvariable('today') - 28 - interval 1 year)::date
                    and day <= (getvariable('today') - 1 - interval 1 year)::date
                else false end as is_old,
            coalesce(case getvariable('against')
                when 'before' then getvariable('today') - first_day >= 56
                when 'year' then (getvariable('today') - 28 - interval 1 year)::date >= first_day
                end, false) as is_covered
        from sale cross join sale_cover),
    design as (
        select design_id, design_name, count(*) filter (is_old) as old_orders,
            count(*) filter (is_last) as orders_last,
            coalesce(sum(units_sold) filter (is_old), 0) as old_units,
            coalesce(sum(units_sold) filter (is_last), 0) as units_last, is_covered, first_day
        from days where is_last or is_old group by all)
    select design_id, design_name, if(is_covered, old_orders, null) as orders_before, orders_last,
        if(is_covered, old_units, null) as units_before, units_last,
        units_last - units_before as units_change,
        if(units_before = 0, null, round(units_last / units_before - 1, 4))::decimal(18, 4)
            as change_ratio,
        first_day as data_since
    from design order by if(is_covered, units_change, units_last) desc, design_id`,
  s05_sales_by_staff: `
    with staff as (${RANKED('sale', 'department_name, staff_id, staff_name, sum(units_sold) as units')}),
    department as (
        select currency_code, department_name, sum(exact) as whole,
            round(sum(exact), 2)::decimal(20, 2) as department_amount
        from staff group by all)
    select currency_code, department_name as department, staff_id, staff_name, orders, units, amount,
        department_amount, orders_unconverted
    from staff join department using (currency_code, department_name)
    order by currency_code, whole desc nulls last, department, exact desc nulls last, staff_id`,
  s06_biggest_customers: `
    with customer as (
        ${RANKED('sale', 'counterparty_id, counterparty_legal_name, sum(units_sold) as units')}),
    compared as (
        select c.*, count(*) as position, sum(o.exact) as so_far,
            (select sum(exact) from customer as s where s.currency_code = c.currency_code) as whole
        from customer as c
        join customer as o on o.currency_code = c.currency_code
            and (coalesce(o.exact, -1) > coalesce(c.exact, -1)
                or o.exact is not distinct from c.exact
                and o.counterparty_id <= c.counterparty_id)
        group by all)
    select currency_code, position, counterparty_id, counterparty_legal_name as counterparty, orders,
        units, amount, round(exact / whole, 6)::decimal(18, 6) as share,
        round(so_far / whole, 6)::decimal(18, 6) as cumulative_share, orders_unconverted
    from compared order by currency_code, position`,
  s07_sales_by_country: `
    from (${OF_CURRENCY_AND('country, count(distinct city) as cities,')})
    order by currency_code, amount desc, country`,
  s08_sales_by_hour: `
    select isodow(created_at) as day_of_week, dayname(created_at) as day_name,
        hour(created_at) as hour, count(*) as orders, sum(units_sold) as units
    from sale group by all order by 1, 3`,
  s09_prices_by_design: `
    with ranked as (
        select *, row_number() over (
                partition by currency_code, design_id order by unit_price) as rank,
            count(*) over (partition by currency_code, design_id) as orders
        from sale)
    select currency_code, design_id, design_name, orders, min(unit_price) as lowest_price,
        min(unit_price) filter (rank * 4 >= orders) as lower_quartile,
        min(unit_price) filter (rank * 2 >= orders) as median_price,
        min(unit_price) filter (rank * 4 >= orders * 3) as upper_quartile,
        max(unit_price) as highest_price
    from ranked group by all order by currency_code, orders desc, design_id`,
  s10_order_changes: `
    with ${STEPS},
    changes as (${Object.entries(FIELDS)
      .map(
        ([field, column]) => `
        select sales_order_id, captured_at, '${field}' as field from steps
        where b.sales_order_id is not null and n.fits and n.${column} <> b.${column}`,
      )
      .join(' union all ')})
    select ${stepOf('captured_at')} as month,
        ${isWhole('batch_cover', 'month')} as is_complete,
        field, count(*) as changes, count(distinct sales_order_id) as orders
    from changes group by all order by month, field`,
  s11_delivery_promise: `
    select agreed_delivery_date::date - day as days, count(*) as orders, sum(units_sold) as units,
        round(orders / (select count(*) from sale), 6)::decimal(18, 6) as share
    from sale group by all order by days`,
  s12_order_versions: `
    select row_number() over seen as version, o._operation as operation,
        o._captured_at as valid_from, lead(o._captured_at) over seen as valid_to,
        o._operation <> 'delete' and lead(o._batch) over seen is null as is_current,
        o._batch as batch_id,
        (select count(*) from change_sales_order as e
            where (e._batch, e._ordinal) <= (o._batch, o._ordinal)) as sales_record_id,
        sales_order_id, o.created_at, o.last_updated, design_id, design_name, staff_id, staff_name,
        department_name as department, counterparty_id, counterparty_legal_name as counterparty,
        units_sold as units, unit_price, currency_code,
        (units_sold * unit_price)::decimal(20, 2) as amount, agreed_payment_date,
        agreed_delivery_date, agreed_delivery_location_id as delivery_location_id,
        city as delivery_city, country as delivery_country
    from change_sales_order as o
    join known_design using (design_id)
    join person using (staff_id)
    join known_counterparty using (counterparty_id)
    join known_currency using (currency_id)
    join known_address on address_id = agreed_delivery_location_id
    where sales_order_id = getvariable('order_id')
    window seen as (order by o._batch, o._ordinal) order by version`,
  s13_deleted_orders: `
    with ${STEPS}
    select sales_order_id, captured_at as deleted_at, _batch as batch_id, b.day as created_date,
        b.currency_code, b.units_sold as units, b.unit_price, b.amount, b.counterparty_id,
        b.counterparty_legal_name as counterparty, b.design_id, b.design_name,
        b.department_name as department, b.staff_name,
        exists (select 1 from at_sales_order as l
            where l.sales_order_id = steps.sales_order_id and l._batch > steps._batch)
            as has_returned
    from steps where n.sales_order_id is null and b.fits order by _batch desc, sales_order_id desc`,
  s14_value_changes: `
    with ${STEPS},
    moves as (
        select c.currency_code, b.sales_order_id is null as is_new,
            n.sales_order_id is null as is_gone,
            if(n.fits and n.currency_code = c.currency_code, n.amount, 0)
            - if(b.fits and b.currency_code = c.currency_code, b.amount, 0) as change
        from steps cross join known_currency as c
        where n.fits and n.currency_code = c.currency_code
            or b.fits and b.currency_code = c.currency_code),
    book as (
        select c.currency_code, sum(s.amount) filter (s._batch = getvariable('batch_before')) as before,
            sum(s.amount) filter (s._batch = getvariable('batch_now')) as now
        from sale_fit as s join known_currency as c using (currency_code)
        where s.fits and s._batch in (getvariable('batch_before'), getvariable('batch_now'))
        group by all)
    select currency_code, coalesce(any_value(book.before), 0)::decimal(20, 2) as before_amount,
        coalesce(sum(change) filter (is_new), 0)::decimal(20, 2) as created_amount,
        coalesce(sum(change) filter (not is_new and not is_gone and change > 0), 0)::decimal(20, 2)
            as raised_amount,
        coalesce(sum(change) filter (not is_new and not is_gone and change < 0), 0)::decimal(20, 2)
            as lowered_amount,
        coalesce(sum(change) filter (is_gone), 0)::decimal(20, 2) as deleted_amount,
        coalesce(any_value(book.now), 0)::decimal(20, 2) as now_amount
    from moves full join book using (currency_code) group by currency_code order by 1`,
  s15_books_as_of: `
    with book as (
        select currency_code, count(*) as orders, sum(units_sold) as units, sum(amount) as amount
        from sale_fit where fits and _batch = (
            select max(_batch) from batch where captured_at <= getvariable('moment'))
        group by all),
    today as (
        select currency_code, count(*) as orders, sum(units_sold) as units, sum(amount) as amount
        from sale_ever group by all)
    select currency_code, ifnull(b.orders, 0) as orders_then, ifnull(b.units, 0) as units_then,
        ifnull(b.amount, 0)::decimal(20, 2) as amount_then, ifnull(t.orders, 0) as orders_now,
        ifnull(t.units, 0) as units_now, ifnull(t.amount, 0)::decimal(20, 2) as amount_now,
        (amount_now - amount_then)::decimal(20, 2) as amount_change
    from book as b full join today as t using (currency_code) order by 1`,
  s16_sales_in_one_currency: CONVERTED({
    from: 'sale_ever',
    cover: 'sale_cover',
    day: 'day',
    last: `getvariable('to_day')`,
    things: 'orders',
    own: { own_amount: 'amount' },
    now: { amount: 'amount' },
    before: { amount_before: 'amount' },
  }),
  s17_amended_orders: `
    with ${STEPS}
    select sales_order_id, captured_at as recorded_at, _batch as batch_id, n.day as created_date,
        concat_ws(', ', ${Object.entries(FIELDS)
          .map(([field, column]) => {
            const words = field.replace(/_id$/, '').replaceAll('_', ' ')
            return `if(n.${column} <> b.${column}, '${words}', null)`
          })
          .join(', ')}) as what_changed,
        n.currency_code, if(n.currency_id = b.currency_id, b.amount, null) as before_amount,
        n.amount,
        if(n.currency_id = b.currency_id, n.amount - b.amount, null)::decimal(20, 2) as difference,
        n.counterparty_id, n.counterparty_legal_name as counterparty, n.design_id, n.design_name,
        n.department_name as department, n.staff_name
    from steps where n.fits and b.sales_order_id is not null
        and (${Object.values({ ...FIELDS, last_updated: 'last_updated' })
          .map((column) => `n.${column} <> b.${column}`)
          .join(' or ')})
    order by _batch desc, sales_order_id desc`,
}
