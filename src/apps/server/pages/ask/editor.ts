import { html } from 'hono/html'
import type { Filters, Question } from '../../../../platform/presentation/question.ts'
import type { Markup } from '../../markup.ts'

/** How an answer is drawn, in addition to its table. */
export type ChartChoice = 'none' | 'bars' | 'lines'

/** What the form holds. */
export interface Draft {
  readonly sql: string
  /** The name of the saved question that it began as. Empty for none. */
  readonly question: string
  readonly filters: Filters
  readonly chart: ChartChoice
}

const CHARTS: readonly (readonly [ChartChoice, string])[] = [
  ['none', 'Table only'],
  ['bars', 'Bars'],
  ['lines', 'Lines'],
]

/** The first statement in the editor: it answers something and shows how to ask. */
const FIRST = `select currency_code, count(*) as orders, sum(units_sold) as units
from fact_sales_order_current
inner join dim_currency using (currency_id)
group by currency_code
order by currency_code
`

/** The fields for filters begin with this, because a filter may have the name of another field. */
const PREFIX = 'filter.'

/** A draft from a saved question and the filters given for it, or a statement to begin with. */
export function draftOf(
  question: Question | undefined,
  given: Readonly<Record<string, string>>,
): Draft {
  if (question === undefined) return { sql: FIRST, question: '', filters: {}, chart: 'none' }
  const filters = question.filters.map((name): [string, string] => [
    name,
    Object.hasOwn(given, name) ? (given[name] ?? '') : '',
  ])
  return {
    sql: question.sql,
    question: question.name,
    filters: Object.fromEntries(filters),
    chart: 'none',
  }
}

/** Reads a draft from the form in a request. Undefined if the body is not a form. */
export async function readDraft(request: Request): Promise<Draft | undefined> {
  const form = await request.formData().catch(() => undefined)
  if (form === undefined) return undefined
  const textOf = (name: string): string => {
    const value = form.get(name)
    return typeof value === 'string' ? value : ''
  }
  const names = [...new Set(form.keys())].filter((name) => name.startsWith(PREFIX))
  const chart = CHARTS.find(([value]) => value === textOf('chart'))
  return {
    // Browsers send the end of a line as two characters.
    sql: textOf('sql').replaceAll('\r\n', '\n'),
    question: textOf('question'),
    filters: Object.fromEntries(
      names.map((name) => [name.slice(PREFIX.length), textOf(name).trim()]),
    ),
    chart: chart?.[0] ?? 'none',
  }
}

/** The variables of a statement, in order. Some may be in a string or a comment. */
function variablesOf(sql: string): string[] {
  const named = Array.from(sql.matchAll(/(?<!:):'(\w+)'/g), ([, name = '']) => name)
  const canGoBack = /\bfact_\w+_current\b/.test(sql)
  return [...new Set([...named, ...(canGoBack ? ['as_of'] : [])])]
}

/**
 * The editor as a form that works without a script. It is sent in parts (multipart), because the usual
 * encoding would triple most characters of SQL.
 */
export function renderEditor(
  { sql, question: name, filters, chart }: Draft,
  question: Question | undefined,
): Markup {
  const names = variablesOf(sql)
  return html`<section class="panel wide" aria-labelledby="h-editor">
    <h2 id="h-editor">${question?.title ?? 'Your statement'}</h2>
    ${
      question === undefined
        ? ''
        : html`<p class="note">
            ${question.name}: ${question.grain}
            ${question.unit === undefined ? '' : `Unit: ${question.unit}`}
          </p>`
    }
    <form method="post" action="/ask#result" enctype="multipart/form-data" data-keep>
      <input type="hidden" name="question" value="${name}" />
      <p><label for="sql">SQL, one select</label></p>
      ${renderStatement(sql)}
      <div class="toolbar">
        ${names.map(
          (variable) =>
            html`<label class="field">
              <span>${variable}</span>
              <input
                name="${PREFIX}${variable}"
                value="${Object.hasOwn(filters, variable) ? filters[variable] : ''}"
                placeholder="${hintOf(variable)}"
                autocomplete="off"
              />
            </label>`,
        )}
        <label class="field">
          <span>Show as</span>
          <select name="chart">
            ${CHARTS.map(
              ([value, label]) =>
                html`<option value="${value}" ${value === chart ? 'selected' : ''}>
                  ${label}
                </option>`,
            )}
          </select>
        </label>
        <button class="button" type="submit">Run</button>
        <button class="button plain" type="submit" formaction="/ask.csv">CSV</button>
      </div>
    </form>
    <p class="note">
      The reader role runs it in a read-only transaction that is rolled back. It is stopped after 8
      seconds, or after 30 for the CSV. Write <code>:'name'</code> for a value that you want to fill
      in here.
    </p>
  </section>`
}

/** The statement in its field. HTML drops the first line break, so the page adds one. */
function renderStatement(sql: string): Markup {
  const open = html`<textarea
    id="sql"
    name="sql"
    rows="${Math.min(28, Math.max(10, sql.split('\n').length + 1))}"
    maxlength="100000"
    spellcheck="false"
    autocapitalize="off"
    autocomplete="off"
    wrap="off"
    required
  >`
  const close = html`</textarea>`
  return html`${open}${'\n'}${sql}${close}`
}

/** An example of a filter's value. */
function hintOf(name: string): string {
  if (/^(from|to|today)$/.test(name)) return 'YYYY-MM-DD'
  if (/^(as_of|then)$/.test(name)) return 'YYYY-MM-DDThh:mm:ssZ'
  return 'any'
}
