import type { Context } from 'hono'
import { html } from 'hono/html'
import type { Answer } from '../../../../platform/presentation/answer.ts'
import type { Dashboard } from '../../../../platform/project/dashboard.ts'
import type { ServerEnv } from '../../access.ts'
import { groupsFor } from '../../auth.ts'
import type { Markup } from '../../markup.ts'
import type { Presentation } from '../../presentation.ts'
import { renderAnswerRows } from '../answer-rows.ts'
import { renderFailure } from '../panel.ts'

/** The payments for an order, or why they are not shown. */
export type OrderPayments =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'not permitted' }
  | { readonly kind: 'failed'; readonly error: unknown }

/** Whether the caller may read a path. */
export function mayRead(c: Context<ServerEnv>, path: string): boolean {
  const { groups } = c.get('caller')
  return groupsFor(path).some((group) => groups.has(group))
}

/**
 * Reads the payments for an order. Undefined if the fact is not an order, or if the project has no
 * question `order_payments`. Only callers who may read `/payments` see them.
 */
export async function readPayments(
  c: Context<ServerEnv>,
  { questions, answers }: Presentation,
  { table, key }: { table: string; key: string },
): Promise<OrderPayments | undefined> {
  const question = questions.get('order_payments')
  if (question === undefined || !table.endsWith('order')) return undefined
  if (!mayRead(c, '/payments')) return { kind: 'not permitted' }
  try {
    const answer = await answers.answer(question, { order_table: table, order_id: key })
    return { kind: 'answer', answer }
  } catch (error) {
    return { kind: 'failed', error }
  }
}

/** Renders the payments for an order, or why they are not shown. */
export function renderPayments(
  payments: OrderPayments | undefined,
  { labels, links, units }: Pick<Dashboard, 'labels' | 'links' | 'units'>,
): Markup {
  if (payments === undefined) return html``
  return html`<section class="panel wide" aria-labelledby="h-payments">
    <h2 id="h-payments">Its transaction and payments</h2>
    ${renderContent(payments, { labels, links, ...(units === undefined ? {} : { units }) })}
  </section>`
}

function renderContent(
  payments: OrderPayments,
  { labels, links, units }: Pick<Dashboard, 'labels' | 'links' | 'units'>,
): Markup {
  if (payments.kind === 'not permitted') {
    return html`<p class="empty">Only the group finance may see payments.</p>`
  }
  if (payments.kind === 'failed') return renderFailure(payments.error)
  const { answer } = payments
  if (answer.rows.length === 0) {
    return html`<p class="empty">No transaction refers to it, so there is nothing to pay.</p>`
  }
  const columns = answer.columns.map(({ name }) => name)
  return renderAnswerRows(answer, {
    dashboard: {
      labels,
      links: { ...links, payment_id: '/order/{source_table}/{payment_id}' },
      ...(units === undefined ? {} : { units }),
    },
    label: 'Payments by transaction',
    chart: { kind: 'table', columns: columns.filter((name) => name !== 'source_table') },
  })
}
