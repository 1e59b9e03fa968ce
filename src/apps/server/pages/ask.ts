import { type Context, Hono } from 'hono'
import { html } from 'hono/html'
import { asCaptured, type Deps } from '../../../platform/deps.ts'
import type { AskedRows } from '../../../platform/presentation/ask.ts'
import { CSV_BOM, csvHeader, csvLine, fileNameOf } from '../../../platform/presentation/csv.ts'
import { withValue } from '../../../platform/presentation/question.ts'
import { readRelations } from '../../../platform/presentation/relations.ts'
import type { SavedQuestions } from '../../../platform/presentation/saved-questions.ts'
import { xlsxOf } from '../../../platform/presentation/xlsx.ts'
import type { ServerEnv } from '../access.ts'
import type { Markup } from '../markup.ts'
import { takes } from '../parameters.ts'
import { ProblemError } from '../problem.ts'
import {
  renderQuestions,
  renderRelations,
  renderSavedQuestions,
  type SavedList,
} from './ask/choices.ts'
import { addressOf, type Draft, isAsSaved, readSentDraft } from './ask/draft.ts'
import { renderEditor } from './ask/editor.ts'
import { type RefusedTitle, renderKeep } from './ask/keep.ts'
import { type Outcome, isAnswered, renderOutcome } from './ask/outcome.ts'
import { findBeginning, readAddress, readForm } from './ask/read-draft.ts'
import { type AskContext, runDraft } from './ask/run-draft.ts'
import { saveRoutes } from './ask/save.ts'
import { DOWNLOAD_FORMATS, type DownloadFormat, typeOfDownload } from './files.ts'
import { renderPage } from './layout.ts'

/** What the page shows of an answer. */
const PAGE_LIMITS = { maxRows: 1000, maxBytes: 1_000_000 }
/** What a file holds of an answer, which is gathered before it is sent. */
export const FILE_LIMITS = { maxRows: 50_000, maxBytes: 16_000_000, timeoutMs: 30_000 }

/**
 * Ask with SQL. `GET /ask` shows the editor, and the answer to the statement, question or saved
 * question in its address; `.csv` and `.xlsx` send the answer as a file. The form is posted, because
 * a statement may be longer than an address; one that fits is answered at its address. Whatever goes
 * wrong, the statement stays in the page. A statement is never logged.
 *
 * A link on another site only fills the editor: its author decides neither what runs nor when.
 */
export function askRoutes(context: AskContext & { readonly deps: Deps }): Hono<ServerEnv> {
  const { presentation, deps } = context
  // The first statement is about a table, and which tables a mirror has may change with each run.
  const readAsked = async (c: Context<ServerEnv>) =>
    await readAddress(c, { ...presentation, project: (await asCaptured(deps)).project })
  const app = new Hono<ServerEnv>()

  app.get('/ask', async (c) => {
    const { draft, isAsked } = await readAsked(c)
    if (!isAsked) return await answerPage(c, context, { draft })
    if (isFromElsewhere(c)) return await answerPage(c, context, { draft, outcome: 'waits' })
    const outcome = await runDraft(c, context, { draft, limits: PAGE_LIMITS })
    return await answerPage(c, context, { draft, outcome })
  })

  app.post('/ask', takes(), async (c) => {
    const draft = await findBeginning(readSentDraft(await readForm(c)), presentation)
    const address = addressOf(draft)
    if (address !== undefined) return c.redirect(`${address}#result`, 303)
    const outcome = await runDraft(c, context, { draft, limits: PAGE_LIMITS })
    return await answerPage(c, context, { draft, outcome })
  })

  for (const format of DOWNLOAD_FORMATS) {
    app.get(`/ask.${format}`, async (c) => {
      const { draft, isAsked } = await readAsked(c)
      if (!isAsked) throw nothingAsked()
      if (isFromElsewhere(c)) return await answerPage(c, context, { draft, outcome: 'waits' })
      return await answerFile(c, context, { draft, format })
    })
    app.post(`/ask.${format}`, takes(), async (c) => {
      const draft = await findBeginning(readSentDraft(await readForm(c)), presentation)
      return await answerFile(c, context, { draft, format })
    })
  }

  app.route(
    '/',
    saveRoutes(context, async (c, { draft, refused }) => {
      const outcome = await runDraft(c, context, { draft, limits: PAGE_LIMITS })
      return await answerPage(c, context, { draft, outcome, refused })
    }),
  )
  return app
}

/** Whether a page of another site leads here. Browsers say so. */
function isFromElsewhere(c: Context<ServerEnv>): boolean {
  return /^(cross|same)-site$/.test(c.req.header('sec-fetch-site') ?? '')
}

async function readSaved(store: SavedQuestions | undefined): Promise<SavedList> {
  if (store === undefined) return 'off'
  return await store.list().catch((): SavedList => 'away')
}

function nothingAsked(): ProblemError {
  const detail = 'The address asks nothing: give sql, question or saved'
  return new ProblemError({ status: 400, code: 'NOTHING_ASKED', detail })
}

/** Says why a link was not answered. */
function renderWaiting(): Markup {
  return html`<p class="panel wide note" id="result">
    This link comes from another site, so it waits: press Run to run it.
  </p>`
}

async function answerPage(
  c: Context<ServerEnv>,
  { presentation }: AskContext,
  {
    draft,
    outcome,
    refused,
  }: { draft: Draft; outcome?: Outcome | 'waits'; refused?: RefusedTitle },
): Promise<Response> {
  const { project, saved: store, reader, questions } = presentation
  const { subject } = c.get('caller')
  const { saved, question } = draft
  const [freshness, relations, list, isOnPage] = await Promise.all([
    presentation.freshness().catch(() => undefined),
    reader.read(readRelations).catch(() => []),
    readSaved(store),
    saved === undefined || store === undefined
      ? false
      : store.pageOf(subject).then(
          (own) => own.some(({ name }) => name === saved.name),
          () => false,
        ),
  ])
  const address = addressOf(draft)
  const keep =
    store === undefined
      ? renderKeep(draft, address, undefined)
      : renderKeep(draft, address, { subject, isOnPage, refused })
  const page = renderPage({
    project,
    title: 'Ask with SQL',
    path: '/ask',
    freshness,
    summary:
      'One select over the tables of the warehouse and their history. It reads, and changes nothing.',
    scripts: ['editor.js'],
    body: html`<div class="panels ask">
      ${renderEditor(draft)} ${renderRelations(relations)}
      ${outcome === undefined ? '' : outcome === 'waits' ? renderWaiting() : renderOutcome(outcome, { draft, keep })}
      ${renderSavedQuestions(list, saved !== undefined && isAsSaved(draft) ? saved.name : '')}
      ${
        questions.size === 0
          ? ''
          : renderQuestions([...questions.values()], {
              groups: project.presentation?.ask?.groups,
              chosen: question?.name ?? '',
            })
      }
    </div>`,
  })
  return c.html(page, refused === undefined ? statusOf(outcome) : 409, {
    'cache-control': 'no-store',
  })
}

async function answerFile(
  c: Context<ServerEnv>,
  context: AskContext,
  { draft, format }: { draft: Draft; format: DownloadFormat },
): Promise<Response> {
  const { presentation } = context
  const freshness = await presentation.freshness().catch(() => undefined)
  const outcome = await runDraft(c, context, { draft, limits: FILE_LIMITS })
  if (!isAnswered(outcome)) return await answerPage(c, context, { draft, outcome })
  const completeTo = freshness?.completeTo ?? presentation.now().toISOString()
  const { rows, isTruncated } = outcome
  const name = nameOf(draft)
  const whole = `${name}${isTruncated ? `_first-${rows.length}-rows` : ''}`
  const given = withValue(draft.filters)
  const fileName = fileNameOf({ name: whole }, given, completeTo, format)
  return c.body(await writeFile(outcome, { format, name }), 200, {
    'content-type': typeOfDownload(format),
    'content-disposition': `attachment; filename="${fileName}"`,
    'cache-control': 'no-store',
    'tidemark-truncated': String(isTruncated),
  })
}

function nameOf(draft: Draft): string {
  const { question, saved } = draft
  if (question !== undefined) return question.name
  return saved !== undefined && isAsSaved(draft) ? saved.name : 'ask'
}

async function writeFile(
  answer: AskedRows,
  { format, name }: { format: DownloadFormat; name: string },
): Promise<Uint8Array<ArrayBuffer> | string> {
  if (format === 'xlsx') return await xlsxOf(answer, { sheet: name })
  const { columns, rows } = answer
  return `${CSV_BOM}${csvHeader(columns)}${rows.map((row) => csvLine(columns, row)).join('')}`
}

function statusOf(outcome: Outcome | 'waits' | undefined): 200 | 400 | 503 {
  if (outcome === undefined || outcome === 'waits') return 200
  if ('away' in outcome) return 503
  return outcome.isAnswered ? 200 : 400
}
