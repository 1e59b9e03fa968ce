import { html } from 'hono/html'
import type { Question } from '../../../../platform/presentation/question.ts'
import type { ReadableRelation } from '../../../../platform/presentation/relations.ts'
import type { SavedQuestion } from '../../../../platform/presentation/saved-questions.ts'
import type { AskWords } from '../../../../platform/project/dashboard.ts'
import type { Markup } from '../../markup.ts'

/** Lists the questions of the project, each as a link that asks it, under the project's headings. */
export function renderQuestions(
  questions: readonly Question[],
  { groups = {}, chosen }: { groups?: AskWords['groups']; chosen: string },
): Markup {
  const titles = Object.entries(groups)
  const rest = titles.length === 0 ? 'Questions' : 'Parts of pages'
  const groupOf = ({ name }: Question): string =>
    titles.find(([letter]) => name.startsWith(letter) && /^.\d/.test(name))?.[1] ?? rest
  return html`<section class="panel wide" aria-labelledby="h-questions">
    <h2 id="h-questions">Questions of this dashboard</h2>
    <div class="groups">
      ${[...titles.map(([, title]) => title), rest].map((title) => {
        const own = questions.filter((question) => groupOf(question) === title)
        if (own.length === 0) return ''
        return html`<div>
          <h3>${title}</h3>
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
          </ul>
        </div>`
      })}
    </div>
  </section>`
}

/** The saved questions, or why there are none to list. */
export type SavedList = readonly SavedQuestion[] | 'off' | 'away'

/** Lists the saved questions, each as a link that asks it. */
export function renderSavedQuestions(list: SavedList, chosen: string): Markup {
  return html`<section class="panel wide" aria-labelledby="h-saved">
    <h2 id="h-saved">Saved questions</h2>
    ${
      typeof list === 'string' || list.length === 0
        ? renderNone(list)
        : html`<ul class="saved">
            ${list.map(
              ({ name, title, author }) =>
                html`<li>
                  <a href="/ask?saved=${name}" ${name === chosen ? html`aria-current="true"` : ''}
                    >${title}</a
                  >
                  ${author === 'local' ? '' : html`<span class="muted">${author}</span>`}
                </li>`,
            )}
          </ul>`
    }
  </section>`
}

function renderNone(list: SavedList): Markup {
  if (list === 'off') {
    return html`<p class="note">
      Nothing can be saved here. <code>TIDEMARK_SAVER_URL</code> switches it on.
    </p>`
  }
  if (list === 'away') return html`<p class="note">They cannot be read now.</p>`
  return html`<p class="note">
    None yet. Run a statement; below its answer you can save it. <a href="/my">My page</a> shows the
    ones that you choose.
  </p>`
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
  return html`<section class="panel relations" aria-labelledby="h-relations" data-relations>
    <h2 id="h-relations">Tables and columns</h2>
    <p class="note">
      Prefer <code>…_current</code>, which has each thing once, as it is now. <code>…_history</code>
      and the tables without an ending hold every version, so sums over them count a thing more than
      once.${
        relations.some(({ name }) => name.endsWith('_sums_current'))
          ? html` <code>…_sums_current</code> holds sums by several grains: choose one
              <code>grain</code>.`
          : ''
      }
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
