import { html } from 'hono/html'
import type { Question } from '../../../../platform/presentation/question.ts'
import type { ReadableRelation } from '../../../../platform/presentation/relations.ts'
import type { Markup } from '../../markup.ts'

/** The groups of saved questions, by the letter that a numbered name begins with. */
const GROUPS: readonly (readonly [RegExp, string])[] = [
  [/^s\d/, 'Sales'],
  [/^p\d/, 'Purchases'],
  [/^y\d/, 'Payments'],
  [/^o\d/, 'Operations'],
  [/^/, 'Parts of pages'],
]

/** Lists the saved questions, each as a link that puts it into the editor. */
export function renderQuestions(questions: readonly Question[], chosen: string): Markup {
  const groupOf = ({ name }: Question): string =>
    GROUPS.find(([pattern]) => pattern.test(name))?.[1] ?? ''
  return html`<section class="panel" aria-labelledby="h-questions">
    <h2 id="h-questions">Saved questions</h2>
    ${GROUPS.map(([, title]) => {
      const own = questions.filter((question) => groupOf(question) === title)
      if (own.length === 0) return ''
      return html`<h3>${title}</h3>
        <ul>
          ${own.map(
            ({ name, title: text }) =>
              html`<li>
                <a
                  href="/ask?question=${encodeURIComponent(name)}"
                  ${name === chosen ? html`aria-current="true"` : ''}
                  >${text}</a
                >
              </li>`,
          )}
        </ul>`
    })}
  </section>`
}

/** Lists the relations and functions for a `from`, the current state before its history. */
export function renderRelations(relations: readonly ReadableRelation[]): Markup {
  const rank = ({ name, kind }: ReadableRelation): number => {
    if (kind === 'function') return 4
    if (name.endsWith('_current')) return 0
    if (name.startsWith('dim_')) return 1
    if (name.endsWith('_history')) return 2
    return 3
  }
  const sorted = relations.toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
  return html`<section class="panel" aria-labelledby="h-relations">
    <h2 id="h-relations">What can I ask?</h2>
    <p class="note">
      Prefer <code>…_current</code>, which has each thing once, as it is now. <code>…_history</code>
      and the facts themselves hold every version, so sums over them count a thing more than once.
      <code>…_sums_current</code> holds sums by several grains: choose one <code>grain</code>.
    </p>
    ${
      sorted.length === 0
        ? html`<p class="empty">
            Nothing yet, or the warehouse cannot be read now. Next: <code>tidemark run</code>
          </p>`
        : sorted.map(renderRelation)
    }
  </section>`
}

function renderRelation({ name, kind, columns }: ReadableRelation): Markup {
  if (kind === 'function') {
    return html`<p><code>${name}</code> <span class="muted">rows as they were known then</span></p>`
  }
  return html`<details>
    <summary><code>${name}</code></summary>
    <ul>
      ${columns.map(
        ([column, type]) =>
          html`<li><code>${column}</code> <span class="muted">${type}</span></li>`,
      )}
    </ul>
  </details>`
}
