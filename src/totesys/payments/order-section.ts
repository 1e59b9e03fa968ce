import type { Context } from 'hono'
import { html } from 'hono/html'
import type { ServerEnv } from '../../apps/server/access.ts'
import { mayRead } from '../../apps/server/groups.ts'
import type { Markup } from '../../apps/server/markup.ts'
import { renderAnswerRows } from '../../apps/server/pages/answer-rows.ts'
import { renderFailure } from '../../apps/server/pages/panel.ts'
import type { Presentation } from '../../apps/server/presentation.ts'
import type { AskedFact, FactSection } from '../../apps/server/server-extension.ts'
import type { Answer } from '../../platform/presentation/answer.ts'
import { dashboard } from '../presentation/pages.ts'

/** The payments for an order, or why they are not shown. */
type OrderPayments =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'not permitted' }
  | { readonly kind: 'failed'; readonly error: unknown }

/**
 * The section with the payments for an order. Undefined if the fact is not an order, or if there is no
 * question `order_payments`. Only callers who may read `/payments` see them.
 */
export async function readOrderSection(
  c: Context<ServerEnv>,
  presentation: Presentation,
  { fact: { from: table }, key }: AskedFact,
): Promise<FactSection | undefined> {
  const payments = await readPayments(c, presentation, { table, key })
  if (payments === undefined) return undefined
  const content = html`<section class="panel wide" aria-labelledby="h-payments">
    <h2 id="h-payments">Its transaction and payments</h2>
    ${renderPayments(payments)}
  </section>`
  return { content, isReserved: payments.kind === 'answer' }
}

async function readPayments(
  c: Context<ServerEnv>,
  { project, questions, answers }: Presentation,
  { table, key }: { table: string; key: string },
): Promise<OrderPayments | undefined> {
  const question = questions.get('order_payments')
  if (question === undefined || !table.endsWith('order')) return undefined
  const { groups } = c.get('caller')
  if (!mayRead('/payments', groups, project)) return { kind: 'not permitted' }
  try {
    const answer = await answers.answer(question, { order_table: table, order_id: key })
    return { kind: 'answer', answer }
  } catch (error) {
    return { kind: 'failed', error }
  }
}

function renderPayments(payments: OrderPayments): Markup {
  if (payments.kind === 'not permitted') {
    return html`<p class="empty">Only the group finance may see payments.</p>`
  }
  if (payments.kind === 'failed') return renderFailure(payments.error)
  const { answer } = payments
  const { labels, links, units } = dashboard
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
