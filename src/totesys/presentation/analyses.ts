import type { Analyses, Visual } from '../../apps/project-extension.ts'

/** What QuickSight shows: the questions, and two dashboards, for analysts and for `finance`. */
export const analyses: Analyses = {
  questions: [new URL('./', import.meta.url)],
  // They ask for one order, and for two moments.
  needed: ['order_id', 'then'],
  dashboards: [
    {
      id: 'business',
      title: 'Sales and purchases',
      isReserved: false,
      visuals: [
        { question: 's01_sales_by_currency', as: 'table' },
        by('s02_sales_by_week', { as: 'lines', category: 'week_start' }),
        by('s05_sales_by_staff', { as: 'bars', category: 'staff_name' }),
        by('s07_sales_by_country', { as: 'bars', category: 'country' }),
        by('p01_spend_by_week', { as: 'lines', category: 'week_start' }),
        by('p02_biggest_suppliers', { as: 'bars', category: 'counterparty' }),
      ],
    },
    {
      id: 'payments',
      title: 'Payments',
      isReserved: true,
      visuals: [
        { question: 'y01_last_payments', as: 'table' },
        { question: 'y02_next_payments', as: 'table' },
        { question: 'y04_overdue_by_age', as: 'table' },
        by('y06_biggest_debtors', { as: 'bars', category: 'counterparty' }),
      ],
    },
  ],
}

function by(question: string, drawn: Pick<Visual, 'as' | 'category'>): Visual {
  return { question, ...drawn, value: 'amount', color: 'currency_code' }
}
