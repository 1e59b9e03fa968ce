import type { Context } from 'hono'
import { TransientError } from '../../../../platform/errors.ts'
import { withToday } from '../../../../platform/presentation/answer.ts'
import { ask } from '../../../../platform/presentation/ask.ts'
import type { AppLog } from '../../../log.ts'
import type { ServerEnv } from '../../access.ts'
import { pathOf } from '../../auth.ts'
import type { Presentation } from '../../presentation.ts'
import type { Draft } from './draft.ts'
import type { Outcome } from './outcome.ts'

/** What the routes of Ask and of My page read. */
export interface AskContext {
  readonly presentation: Presentation
  readonly log: AppLog
}

/** How much of an answer is fetched, and for how long. */
export interface DraftLimits {
  readonly maxRows: number
  readonly maxBytes: number
  readonly timeoutMs?: number
}

/** Runs a statement as the reader and logs that, without the statement. */
export async function runDraft(
  c: Context<ServerEnv>,
  { presentation, log }: AskContext,
  { draft, limits }: { draft: Pick<Draft, 'sql' | 'filters'>; limits: DraftLimits },
): Promise<Outcome> {
  const { subject } = c.get('caller')
  try {
    const answer = await ask(presentation.reader, draft.sql, {
      ...limits,
      filters: withToday(draft.filters, presentation.now()),
      signal: c.req.raw.signal,
    })
    const found = answer.isAnswered
      ? { rows: answer.rows.length, durationMs: answer.durationMs }
      : { sqlState: answer.sqlState }
    log({ event: 'sql_asked', subject, ...found })
    return answer
  } catch (error) {
    if (!(error instanceof TransientError)) throw error
    const { code } = error
    log({ event: 'request_failed', level: 'warn', path: pathOf(c), status: 503, code })
    return { away: error }
  }
}
