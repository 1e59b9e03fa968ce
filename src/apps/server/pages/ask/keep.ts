import { html } from 'hono/html'
import type { SavedQuestion } from '../../../../platform/presentation/saved-questions.ts'
import { formatMomentUtc } from '../../../format.ts'
import type { Markup } from '../../markup.ts'
import { type Draft, FILTER_PREFIX, isAsSaved } from './draft.ts'

/** A title that could not be used, and why. */
export interface RefusedTitle {
  readonly title: string
  readonly why: string
}

/** What the page offers for a statement that was answered. */
export interface KeepOptions {
  readonly subject: string
  /** Whether the saved question is on the person's page. */
  readonly isOnPage: boolean
  readonly refused?: RefusedTitle | undefined
}

/**
 * Below an answer: its address, a form that saves the statement under a title, and for a saved
 * question what can be done with it. It saves what was run, not what the editor holds by now. Without
 * options nothing can be saved here.
 */
export function renderKeep(
  draft: Draft,
  address: string | undefined,
  options: KeepOptions | undefined,
): Markup {
  const { saved } = draft
  const isSaved = saved !== undefined && isAsSaved(draft)
  return html`<div class="keep">
    <div class="links">
      ${
        address === undefined
          ? html`<span class="muted"
              >This statement is too long for an address. Save it to get one.</span
            >`
          : html`<a href="${address}">Link to this answer</a>`
      }
      ${isSaved ? html`<a href="/saved/${saved.name}.sql" download>SQL file</a>` : ''}
    </div>
    ${isSaved && options !== undefined ? renderSaved(saved, options) : ''}
    ${
      options === undefined || (isSaved && options.refused === undefined)
        ? ''
        : renderSaveForm(draft, options)
    }
  </div>`
}

/** Who saved it and when, and the buttons: on or off the person's page, and remove for its author. */
function renderSaved(
  { name, author, savedAt }: SavedQuestion,
  { subject, isOnPage }: KeepOptions,
): Markup {
  return html`<p class="note">
      Saved ${author === 'local' ? '' : html`by ${author} `}at ${formatMomentUtc(savedAt)}.
    </p>
    <div class="toolbar">
      ${
        isOnPage
          ? renderButton('/my/remove', name, 'Take off My page')
          : renderButton('/my/add', name, 'Put on My page')
      }
      ${author === subject ? renderButton('/ask/remove', name, 'Remove for everybody') : ''}
    </div>`
}

/** A button that sends the name of a saved question. */
export function renderButton(action: string, name: string, label: string): Markup {
  return html`<form method="post" action="${action}" enctype="multipart/form-data">
    <input type="hidden" name="name" value="${name}" />
    <button class="button plain" type="submit">${label}</button>
  </form>`
}

function renderSaveForm(
  { sql, saved, filters, chart }: Draft,
  { subject, refused }: KeepOptions,
): Markup {
  const isOwn = saved?.author === subject
  const title = refused?.title ?? (isOwn ? saved?.title : '') ?? ''
  return html`<form
    class="toolbar"
    method="post"
    action="/ask/save#result"
    enctype="multipart/form-data"
    aria-label="Save this question"
  >
    <input type="hidden" name="sql" value="${sql}" />
    <input type="hidden" name="chart" value="${chart}" />
    <input type="hidden" name="saved" value="${isOwn ? saved?.name : ''}" />
    ${Object.entries(filters).map(
      ([name, value = '']) =>
        html`<input type="hidden" name="${FILTER_PREFIX}${name}" value="${value}" />`,
    )}
    <label class="field">
      <span>Save under the title</span>
      <input
        name="title"
        value="${title}"
        maxlength="120"
        required
        autocomplete="off"
        ${refused === undefined ? '' : html`aria-invalid="true" aria-describedby="why-title"`}
      />
    </label>
    <label class="check"><input type="checkbox" name="mine" /> Put on My page</label>
    <button class="button plain" type="submit">Save</button>
    ${isOwn ? html`<p class="note">Under the same title it replaces what you have saved.</p>` : ''}
    ${
      refused === undefined
        ? ''
        : html`<p class="failure" role="alert" id="why-title">${refused.why}</p>`
    }
  </form>`
}
