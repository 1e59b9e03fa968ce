import { html } from 'hono/html'
import type { Fact } from '../../../../platform/project.ts'
import type { Markup } from '../../markup.ts'

/** No key that people look for is longer; the database need not be asked. */
export const MAX_KEY_CHARS = 200

/** `Sales order 42`. */
export function titleOf({ from }: Fact, key: string): string {
  const words = from.replaceAll('_', ' ')
  return `${words.charAt(0).toUpperCase()}${words.slice(1)} ${key}`
}

/** The address of a fact; commas between the values of a key stay as they are. */
export function orderPath({ from }: Fact, key: string): string {
  return `/order/${encodeURIComponent(from)}/${encodeURIComponent(key).replaceAll('%2C', ',')}`
}

/** What somebody wrote, for a sentence. */
export function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

/** A form that leads to a fact by its number. */
export function renderSearch(
  facts: readonly Fact[],
  { table, key }: { table: string; key: string },
): Markup {
  return html`<form method="get" action="/order" class="toolbar" role="search">
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
