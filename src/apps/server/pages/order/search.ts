import { html } from 'hono/html'
import type { FactWords } from '../../../../platform/project/dashboard.ts'
import type { Fact } from '../../../../platform/project/model.ts'
import type { Markup } from '../../markup.ts'

/** A longer key is refused without asking the database. */
export const MAX_KEY_CHARS = 200

/** What a fact is called: `Loan 42`. */
export function titleOf({ from }: Fact, key: string): string {
  const words = from.replaceAll('_', ' ')
  return `${words.charAt(0).toUpperCase()}${words.slice(1)} ${key}`
}

/** The address of a fact. Commas between the values of a key stay as they are. */
export function orderPath({ path }: Pick<FactWords, 'path'>, { from }: Fact, key: string): string {
  return `${path}/${encodeURIComponent(from)}/${encodeURIComponent(key).replaceAll('%2C', ',')}`
}

/** What the form of the search holds. */
export interface SearchFields {
  readonly table: string
  readonly key: string
}

/** A form that leads to a fact by its table and number. */
export function renderSearch(
  facts: readonly Fact[],
  { table, key, path }: SearchFields & Pick<FactWords, 'path'>,
): Markup {
  return html`<form method="get" action="${path}" class="toolbar" role="search">
    <label class="field">
      <span>What</span>
      <select name="table">
        ${facts.map(
          ({ from }) =>
            html`<option value="${from}" ${from === table ? 'selected' : ''}>
              ${from.replaceAll('_', ' ')}
            </option>`,
        )}
      </select>
    </label>
    <label class="field">
      <span>Number</span>
      <input name="key" value="${key}" required maxlength="${MAX_KEY_CHARS}" autocomplete="off" />
    </label>
    <button class="button" type="submit">Show</button>
  </form>`
}
