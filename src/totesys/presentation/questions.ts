/** A named query over the stars that answers one thing people ask; its header says how to ask it. */
export interface Question {
  /** Name of the file, and of the question in addresses. */
  readonly name: string
  /** A `.sql` file: a header of grain, unit and filters, then one select. */
  readonly sql: URL
}

/** Every question of the dashboard, in the order they are shown: sales, purchases, payments, rates, operations. */
export const questions: readonly Question[] = [
  question('s01_sales_by_currency'),
  question('s02_sales_by_week'),
  question('s03_best_designs'),
  question('s04_rising_designs'),
  question('s05_sales_by_staff'),
  question('s06_biggest_customers'),
  question('s07_sales_by_country'),
  question('s08_sales_by_hour'),
  question('s09_prices_by_design'),
  question('s10_order_changes'),
  question('s11_delivery_promise'),
  question('s12_order_versions'),
  question('s13_deleted_orders'),
  question('s14_value_changes'),
  question('s15_books_as_of'),
  question('s16_sales_in_one_currency'),
  question('p01_spend_by_week'),
  question('p02_biggest_suppliers'),
  question('p03_item_prices'),
  question('p04_arrivals'),
  question('p05_both_ways'),
  question('p06_purchases_in_one_currency'),
  question('y01_last_payments'),
  question('y02_next_payments'),
  question('y03_due_by_week'),
  question('y04_overdue_by_age'),
  question('y05_days_late'),
  question('y06_biggest_debtors'),
  question('y07_payment_mismatches'),
  question('y08_payments_in_one_currency'),
  question('r01_rates'),
  question('o01_freshness'),
]

function question(name: string): Question {
  return { name, sql: new URL(`./${name}.sql`, import.meta.url) }
}
