import { html } from 'hono/html'
import type { Question } from '../../../../platform/presentation/question.ts'
import type { Markup } from '../../markup.ts'
import { CHARTS, type Draft, FILTER_PREFIX, isAsSaved, variablesOf } from './draft.ts'

/**
 * The editor as a form that works without a script. It is sent in parts (multipart), because the usual
 * encoding would triple most characters of SQL.
 */
export function renderEditor(draft: Draft): Markup {
  const { sql, question, saved, filters, chart } = draft
  const known = question ?? (saved !== undefined && isAsSaved(draft) ? saved : undefined)
  return html`<section class="panel" aria-labelledby="h-editor">
    <h2 id="h-editor">${known?.title ?? 'Your statement'}</h2>
    ${
      question === undefined
        ? ''
        : html`<p class="note">
            ${question.name}: ${question.grain}
            ${question.unit === undefined ? '' : `Unit: ${question.unit}`}
          </p>`
    }
    <form method="post" action="/ask#result" enctype="multipart/form-data" id="editor">
      <input type="hidden" name="question" value="${question?.name ?? ''}" />
      <input type="hidden" name="saved" value="${saved?.name ?? ''}" />
      <p><label for="sql">SQL, one select</label></p>
      ${renderStatement(sql)}
      <div class="toolbar">
        ${(question?.filters ?? variablesOf(sql)).map(
          (variable) =>
            html`<label class="field">
              <span>${variable}</span>
              <input
                name="${FILTER_PREFIX}${variable}"
                value="${Object.hasOwn(filters, variable) ? filters[variable] : ''}"
                placeholder="${hintOf(variable, question)}"
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
        <button class="button plain" type="submit" formaction="/ask.xlsx">Excel</button>
      </div>
    </form>
    <p class="note">
      The reader role runs it in a read-only transaction that is rolled back. It is stopped after 8
      seconds, or after 30 for a file. Write <code>:'name'</code> for a value: its field is here
      after the first run. Ctrl-Enter runs it, Ctrl-Space completes names.
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

/** An example of a filter's value, or what an empty one means. */
function hintOf(name: string, question: Question | undefined): string {
  if (/^(from|to|today)$/.test(name)) return 'YYYY-MM-DD'
  if (/^(as_of|then)$/.test(name)) return 'YYYY-MM-DDThh:mm:ssZ'
  return question === undefined ? 'null' : 'any'
}
