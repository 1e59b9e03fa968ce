// A small Totesys, with an order by hand for each edge, in five runs.

interface Sale {
  readonly at: string
  readonly design?: number
  readonly staff?: number
  readonly party?: number
  readonly units: number
  readonly price: number
  readonly currency?: number
  readonly due?: string
  readonly kind?: number
}

/** Inserts a sale with its transaction and payment, all three with the same id. */
function sale(id: number, order: Sale): string {
  const { at, design = 2, staff = 4, party = 3, units, price, currency = 2, kind = 1 } = order
  const day = at.slice(0, 10)
  const due = order.due ?? day
  return `
    insert into sales_order values (${id}, '${at}', '${at}', ${design}, ${staff}, ${party},
        ${units}, ${price}, ${currency}, '${due}', '${due}', ${(id % 30) + 1});
    insert into transaction values (${id}, 'SALE', ${id}, null, '${at}', '${at}');
    insert into payment values (${id}, '${at}', '${at}', ${id}, ${party}, ${units * price},
        ${currency}, ${kind}, false, '${due}', 10000000, 20000000);`
}

interface Purchase {
  readonly at: string
  readonly code: string
  readonly quantity: number
  readonly price: number
  readonly delivery?: string
  readonly staff?: number
  readonly party?: number
  readonly currency?: number
  readonly kind?: number
}

function purchase(id: number, order: Purchase): string {
  const { at, code, quantity, price, staff = 4, party = 3, currency = 2, kind = 3 } = order
  const day = at.slice(0, 10)
  return `
    insert into purchase_order values (${id}, '${at}', '${at}', ${staff}, ${party}, '${code}', ${quantity},
        ${price}, ${currency}, '${order.delivery ?? day}', '${day}', ${(id % 30) + 1});
    insert into transaction values (${id}, 'PURCHASE', null, ${id}, '${at}', '${at}');
    insert into payment values (${id}, '${at}', '${at}', ${id}, ${party}, ${quantity * price},
        ${currency}, ${kind}, false, '${day}', 10000000, 20000000);`
}

const removeOrder = (table: string, id: number): string => `
  delete from payment where transaction_id
      = (select transaction_id from transaction where ${table}_id = ${id});
  delete from transaction where ${table}_id = ${id};
  delete from ${table} where ${table}_id = ${id};`

/** What changes in Totesys before each run, as SQL. */
export const RUNS = [
  // The edges of the windows of 28 days and of the week before; weeks without an order between.
  sale(1001, { at: '2026-09-03 08:00', units: 1100, price: 2.5, due: '2026-10-12' }) +
    sale(1002, { at: '2026-09-04 09:10', units: 1200, price: 3.5, due: '2026-09-07' }) +
    sale(1003, { at: '2026-10-01 18:59:59.999', units: 1300, price: 2.25, design: 3 }) +
    sale(1004, { at: '2026-10-02 10:00', units: 1400, price: 2.75, due: '2026-09-29' }) +
    sale(1005, { at: '2026-10-29 11:00', units: 1500, price: 3.99, due: '2026-11-13' }) +
    sale(1006, { at: '2026-10-30 09:00', units: 1600, price: 3.01, due: '2026-10-31' }) +
    sale(1007, { at: '2026-10-14 09:00', units: 1700, price: 3.02, due: '2026-07-31' }) +
    sale(1008, { at: '2026-10-15 09:00', units: 1800, price: 3.03, due: '2026-08-01', kind: 2 }) +
    sale(1009, { at: '2026-10-15 09:00', units: 1800, price: 3.03, due: '2026-10-23' }) +
    sale(1010, { at: '2026-10-16 09:00', units: 1900, price: 3.04, due: '2026-10-22' }) +
    // Equal in everything but their keys.
    sale(1031, { at: '2026-09-02 09:00', units: 1000, price: 3, design: 5, staff: 4, party: 5 }) +
    sale(1032, { at: '2026-09-02 09:00', units: 1000, price: 3, design: 4, staff: 7, party: 4 }) +
    purchase(2031, { at: '2026-09-02 09:00', code: 'EQUAL01', quantity: 9, price: 3, party: 5 }) +
    purchase(2032, { at: '2026-09-02 09:00', code: 'EQUAL02', quantity: 9, price: 3, party: 4 }) +
    purchase(2001, { at: '2026-08-10 09:00', code: 'BAG0001', quantity: 3, price: 10 }) +
    purchase(2002, { at: '2026-08-31 09:00', code: 'BAG0001', quantity: 1, price: 20 }) +
    purchase(2003, { at: '2026-09-01 09:00', code: 'BAG0001', quantity: 7, price: 15.55 }) +
    purchase(2004, { at: '2026-10-27 09:00', code: 'BAG0001', quantity: 7, price: 17.01 }) +
    purchase(2005, { at: '2026-09-01 09:00', code: 'BAG0002', quantity: 6, price: 9.99 }) +
    purchase(2006, { at: '2026-10-01 09:00', code: 'BAG0002', quantity: 6, price: 3.33 }) +
    purchase(2007, {
      at: '2026-10-01 09:00',
      code: 'BAG0002',
      quantity: 6,
      price: 5,
      currency: 1,
    }) +
    purchase(2008, { at: '2026-10-02 09:00', code: 'P1', quantity: 1, price: 5, kind: 4 }) +
    ['10-29', '10-30', '11-12', '11-13']
      .map((day, index) => {
        const order = { code: `DUE000${index}`, quantity: 2, price: 5.5, delivery: `2026-${day}` }
        return purchase(2010 + index, { at: '2026-10-23 09:00', ...order })
      })
      .join('') +
    ['06-11', '07-11', '07-12', '10-29']
      .map((day, index) => {
        const order = { code: 'BAG0003', quantity: 4, price: 50 - 7 * index, currency: 1 }
        return purchase(2020 + index, { at: `2026-${day} 09:00`, staff: 5, party: 6, ...order })
      })
      .join(''),
  `update sales_order set units_sold = units_sold + 1000 where sales_order_id in (5, 11, 1001);
   update sales_order set unit_price = unit_price - 0.50 where sales_order_id in (6, 1002, 1005);
   update sales_order set currency_id = currency_id % 3 + 1 where sales_order_id in (7, 1003);
   update sales_order set staff_id = staff_id % 20 + 1 where sales_order_id in (8, 1004);
   update sales_order set counterparty_id = 3, design_id = 2 where sales_order_id in (9, 10);
   update sales_order set agreed_delivery_date = '2026-11-05', agreed_payment_date = '2026-11-06',
       agreed_delivery_location_id = agreed_delivery_location_id % 30 + 1,
       created_at = created_at - interval '1 day 1 hour' where sales_order_id = 10;
   update payment set payment_amount = payment_amount + 1 where payment_id in (1002, 2002);
   update purchase_order set item_unit_price = 21 where purchase_order_id = 2003;`,
  removeOrder('sales_order', 11) +
    removeOrder('purchase_order', 3) +
    `delete from sales_order where sales_order_id = 12;
     delete from payment where payment_id in (1003, 2005);
     delete from sales_order where sales_order_id = 1004;
     update purchase_order set item_unit_price = 22 where purchase_order_id = 2002;
     update purchase_order set agreed_delivery_date = '2026-11-11' where purchase_order_id = 2012;
     update payment set payment_amount = payment_amount + 1
     where payment_id = (select min(payment_id) from payment where payment_date = '2026-10-31');
     update payment set paid = true, last_updated = '2026-10-26 07:55:11'
     where payment_id in (1001, 1005, 2001);` +
    sale(1020, { at: '2026-10-30 13:00', units: 2000, price: 2.2 }),
  sale(11, { at: '2026-10-30 14:00', units: 2100, price: 2.2 }).replace(
    /insert into transaction[^]*$/,
    '',
  ) +
    `update payment set paid = false where payment_id = 1005;
     update payment set last_updated = '2026-10-29 12:00' where payment_id = 1001;
     update sales_order set units_sold = units_sold - 1500 where sales_order_id in (5, 14);
     update sales_order set last_updated = '2026-10-30 14:00' where sales_order_id = 15;
     update payment set paid = true, last_updated = '2026-10-26 07:55:11' where payment_id = 1009;
     update payment set paid = true, last_updated = '2026-10-26 07:55:11' where payment_id = 1010;
     delete from payment where payment_id = 1010;
     delete from payment where payment_id = 1007; delete from transaction where transaction_id = 1007;
     insert into transaction values (3007, 'SALE', 1007, null, '2026-10-30', '2026-10-30');
     insert into payment values (3007, '2026-10-30', '2026-10-30', 3007, 3, 5134, 2, 1, false,
         '2026-07-31', 10000000, 20000000);`,
  `delete from sales_order where sales_order_id = 11;` + removeOrder('sales_order', 1006),
]
