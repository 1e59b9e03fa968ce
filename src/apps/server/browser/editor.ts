import {
  autocompletion,
  completeFromList,
  completionKeymap,
  ifNotIn,
} from '@codemirror/autocomplete'
import { history, historyKeymap, standardKeymap } from '@codemirror/commands'
import { PostgreSQL, sql } from '@codemirror/lang-sql'
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language'
import { EditorState, type Extension } from '@codemirror/state'
import { EditorView, keymap } from '@codemirror/view'
import { tags } from '@lezer/highlight'

/** Replaces the field for SQL by an editor that knows the names of tables and columns. */

const COLORS = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword], color: 'var(--accent)', fontWeight: '550' },
  {
    tag: [tags.string, tags.special(tags.string), tags.number, tags.bool, tags.null],
    color: 'var(--warn)',
  },
  { tag: tags.comment, color: 'var(--ink-muted)', fontStyle: 'italic' },
])

/** All that is offered fits without scrolling, and has the colours of the page. */
const LOOK = EditorView.theme({
  '&.cm-focused': { outline: '3px solid var(--accent)', outlineOffset: '1px' },
  '.cm-content': { minHeight: '14rem', caretColor: 'var(--ink)' },
  '.cm-scroller': { maxHeight: '32rem', overflow: 'auto', lineHeight: '1.55' },
  '.cm-tooltip': {
    border: '1px solid var(--line-strong)',
    background: 'var(--paper)',
    color: 'var(--ink)',
  },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': { maxHeight: 'none', overflow: 'visible' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]': {
    background: 'var(--accent)',
    color: 'var(--paper)',
  },
})

/** The names in the list of tables beside the editor. */
function readSchema(): Record<string, string[]> {
  const tables = [...document.querySelectorAll('[data-relations] details')]
  return Object.fromEntries(
    tables.map((table) => [
      table.querySelector('summary code')?.textContent ?? '',
      [...table.querySelectorAll('li code')].map((column) => column.textContent ?? ''),
    ]),
  )
}

/** The columns of all tables. The language itself offers them only behind the name of a table. */
function completeColumns(schema: Readonly<Record<string, readonly string[]>>): Extension {
  const names = [...new Set(Object.values(schema).flat())]
  const list = completeFromList(names.map((label) => ({ label, type: 'property' })))
  const autocomplete = ifNotIn(['String', 'LineComment', 'BlockComment'], list)
  return PostgreSQL.language.data.of({ autocomplete })
}

function replaceField(field: HTMLTextAreaElement): void {
  const { form } = field
  const label = document.querySelector<HTMLLabelElement>(`label[for="${field.id}"]`)
  if (form === null || label === null) return
  label.id = 'sql-label'
  label.removeAttribute('for')
  const submit = (): boolean => {
    form.requestSubmit()
    return true
  }
  const schema = readSchema()
  const view = new EditorView({
    state: EditorState.create({
      doc: field.value,
      extensions: [
        history(),
        autocompletion({ icons: false, maxRenderedOptions: 12 }),
        LOOK,
        sql({ dialect: PostgreSQL, schema }),
        completeColumns(schema),
        syntaxHighlighting(COLORS),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({
          'aria-labelledby': label.id,
          spellcheck: 'false',
          tabindex: '0',
        }),
        keymap.of([
          { key: 'Mod-Enter', run: submit },
          ...completionKeymap,
          ...standardKeymap,
          ...historyKeymap,
        ]),
        EditorView.updateListener.of(({ docChanged, state }) => {
          if (docChanged) field.value = state.doc.toString()
        }),
      ],
    }),
  })
  view.dom.classList.add('editor')
  field.hidden = true
  // The browser cannot point at a hidden field; the server refuses an empty statement.
  field.required = false
  field.after(view.dom)
  label.addEventListener('click', () => view.focus())
}

const field = document.querySelector<HTMLTextAreaElement>('#sql')
if (field !== null) replaceField(field)
