import { type Context, Hono } from 'hono'
import {
  nameForTitle,
  type SavedQuestion,
  type SavedQuestions,
} from '../../../../platform/presentation/saved-questions.ts'
import { ConfigError } from '../../../../platform/errors.ts'
import { withValue } from '../../../../platform/presentation/question.ts'
import type { ServerEnv } from '../../access.ts'
import { takes } from '../../parameters.ts'
import { ProblemError } from '../../problem.ts'
import { type Draft, readSentDraft, textIn, variablesOf } from './draft.ts'
import type { RefusedTitle } from './keep.ts'
import { findBeginning, readForm } from './read-draft.ts'
import type { AskContext } from './run-draft.ts'

/** Shows the page again with a title that could not be used. */
type ShowRefused = (
  c: Context<ServerEnv>,
  refused: { draft: Draft; refused: RefusedTitle },
) => Promise<Response>

/**
 * Saves and removes questions, and puts them on a person's page. Each answers with a redirect to what
 * it made. `GET /saved/NAME.sql` sends a saved question as a file that a project can keep beside its
 * own questions.
 */
export function saveRoutes(
  { presentation }: AskContext,
  showRefused: ShowRefused,
): Hono<ServerEnv> {
  const { saved: store } = presentation
  const app = new Hono<ServerEnv>()

  app.post('/ask/save', takes(), async (c) => {
    const questions = requireStore(store)
    const form = await readForm(c)
    const draft = await findBeginning(readSentDraft(form), presentation)
    const title = textIn(form, 'title').trim().replaceAll(/\s+/g, ' ')
    const found = await save(questions, { draft, title, author: c.get('caller').subject })
    if ('why' in found) return await showRefused(c, { draft, refused: found })
    if (form.has('mine')) await addToPage(questions, { c, name: found.name })
    return c.redirect(`/ask?saved=${found.name}#result`, 303)
  })

  app.post('/ask/remove', takes(), async (c) => {
    const questions = requireStore(store)
    const name = textIn(await readForm(c), 'name')
    if (!(await questions.remove(name, c.get('caller').subject))) throw notYours()
    return c.redirect('/ask', 303)
  })

  app.post('/my/add', takes(), async (c) => {
    await addToPage(requireStore(store), { c, name: textIn(await readForm(c), 'name') })
    return c.redirect('/my', 303)
  })

  app.post('/my/remove', takes(), async (c) => {
    const name = textIn(await readForm(c), 'name')
    await requireStore(store).removeFromPage(c.get('caller').subject, name)
    return c.redirect('/my', 303)
  })

  app.get('/saved/:file{[a-z0-9-]+\\.sql}', takes(), async (c) => {
    const question = await requireStore(store).find(c.req.param('file').slice(0, -4))
    if (question === undefined) return c.notFound()
    const { name, text } = questionFile(question)
    return c.body(text, 200, {
      'content-type': 'application/sql; charset=utf-8',
      'content-disposition': `attachment; filename="${name}.sql"`,
      'cache-control': 'no-store',
    })
  })
  return app
}

/** Saves a draft under a title. Returns it, or why the title cannot be used. */
async function save(
  store: SavedQuestions,
  { draft, title, author }: { draft: Draft; title: string; author: string },
): Promise<{ name: string } | RefusedTitle> {
  const refuse = (why: string): RefusedTitle => ({ title, why })
  const name = nameForTitle(title)
  const { sql, filters, chart, saved } = draft
  const known = await store.find(name)
  if (known !== undefined && known.name !== saved?.name) {
    return refuse(`There is one called “${known.title}” already. Choose another title.`)
  }
  try {
    const isNew = known === undefined
    const question = { name, title, sql, filters: withValue(filters), chart, author }
    const saving = await store.save(question, { isNew })
    if (saving === 'saved') return { name }
    if (saving === 'full') return refuse('No more questions can be saved. Remove one first.')
    return refuse(
      isNew
        ? 'Another question was just saved under this name. Choose another title.'
        : 'Somebody else saved a question under this name. Choose another title.',
    )
  } catch (error) {
    if (error instanceof ConfigError && error.code === 'SAVED_INVALID')
      return refuse(`${error.message}.`)
    throw error
  }
}

async function addToPage(
  store: SavedQuestions,
  { c, name }: { c: Context<ServerEnv>; name: string },
): Promise<void> {
  const adding = await store.addToPage(c.get('caller').subject, name)
  if (adding === 'unknown') throw notYours()
  if (adding === 'full') {
    const detail = 'My page is full. Take a question off it first'
    throw new ProblemError({ status: 409, code: 'MY_PAGE_FULL', detail })
  }
}

function notYours(): ProblemError {
  return new ProblemError({
    status: 404,
    code: 'QUESTION_UNKNOWN',
    detail: 'There is no such saved question, or somebody else saved it',
  })
}

function requireStore(store: SavedQuestions | undefined): SavedQuestions {
  if (store !== undefined) return store
  const detail = 'Nothing can be saved here: TIDEMARK_SAVER_URL is not set'
  throw new ProblemError({ status: 404, code: 'SAVED_OFF', detail })
}

/**
 * A saved question as the file of a project's question: its name and title first, then what a reader
 * of the file needs to know. Its grain is for the person who adds it to write. An empty line keeps
 * comments at the top of the statement out of the header, such as the header of the question that it
 * began as. Who may see the answer is taken over from them.
 */
export function questionFile({ name: slug, title, sql, filters, chart }: SavedQuestion): {
  name: string
  text: string
} {
  const plain = slug.replaceAll('-', '_')
  const name = /^[a-z]/.test(plain) ? plain : `q_${plain}`
  const variables = variablesOf(sql)
  const access = /^-- Access: .+$/m.exec(sql)?.[0]
  const given = Object.entries(filters).map(([key, value]) => `${key} = ${oneLine(value)}`)
  const header = [
    `-- ${name}: ${oneLine(title)}`,
    '-- Grain: one row per row of the statement.',
    ...(variables.length === 0 ? [] : [`-- Filters: ${variables.join(', ')}.`]),
    ...(access === undefined ? [] : [access]),
    `-- Chart: ${chart}`,
    ...(given.length === 0 ? [] : [`-- Given: ${given.join(', ')}`]),
  ]
  return { name, text: `${header.join('\n')}\n\n${sql.trim()}\n` }
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ')
}
