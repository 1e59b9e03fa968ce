import { html } from 'hono/html'
import type { Filters, Question } from '../../../../platform/presentation/question.ts'
import type { Markup } from '../../markup.ts'

/** How an answer is drawn beside its table. */
export type ChartChoice = 'none' | 'bars' | 'lines'

/** What stands in the form. */
export interface Draft {
  readonly sql: string
  /** Name of the saved question it began as; empty for none. */
  readonly question: string
  readonly filters: Filters
  readonly chart: ChartChoice
}

const CHARTS: readonly (readonly [ChartChoice, string])[] = [
  ['none', 'Table only'],
  ['bars', 'Bars'],
  ['lines', 'Lines'],
]

/** What stands there first: it answers something and shows where to look. */
const FIRST = `select currency_code, count(*) as orders, sum(units_sold) as units
from fact_sales_order_current
inner join dim_currency using (currency_id)
group by currency_code
order by currency_code
`

/** Fields of filters begin so, lest a filter be called like a field. */
const PREFIX = 'filter.'

/** A saved question with the filters that are given for it, or something to begin with. */
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

/** What a form holds; undefined when the body is none. */
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
    // Browsers send the ends of lines as two characters.
    sql: textOf('sql').replaceAll('\r\n', '\n'),
    question: textOf('question'),
    filters: Object.fromEntries(
      names.map((name) => [name.slice(PREFIX.length), textOf(name).trim()]),
    ),
    chart: chart?.[0] ?? 'none',
  }
}

/** Names for which a statement wants values, in order; some may stand in a text or a comment. */
function variablesOf(sql: string): string[] {
  const named = Array.from(sql.matchAll(/(?<!:):'(\w+)'/g), ([, name = '']) => name)
  const canGoBack = /\bfact_\w+_current\b/.test(sql)
  return [...new Set([...named, ...(canGoBack ? ['as_of'] : [])])]
}

/** A form that works without a script. Sent as parts, so that no character of SQL takes three. */
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
      The reader role runs it in one read-only snapshot that is rolled back; it is stopped after 8
      seconds, for the CSV after 30. Write <code>:'name'</code> for a value you want to fill in
      here.
    </p>
  </section>`
}

/** The line break after the tag is the page's: without it a first one of the statement is lost. */
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

/** What the value of a filter looks like. */
function hintOf(name: string): string {
  if (/^(from|to|today)$/.test(name)) return 'YYYY-MM-DD'
  if (/^(as_of|then)$/.test(name)) return 'YYYY-MM-DDThh:mm:ssZ'
  return 'any'
}
