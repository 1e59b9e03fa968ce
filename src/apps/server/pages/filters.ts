import { html, raw } from 'hono/html'
import type { Filter, Page } from '../../../platform/project/dashboard.ts'
import { formatMomentUtc } from '../../format.ts'
import type { Markup } from '../markup.ts'
import {
  type Choice,
  linkTo,
  PRESETS,
  type Selection,
  type SelectionOptions,
  STANDARD_PRESET,
} from './selection.ts'

/** What the filters of one page are rendered from. */
type FilterContext = Omit<SelectionOptions, 'now'>

/**
 * Presets as links, each filter that is set as a link that undoes it, and a plain form for the rest.
 * Values in the address that are not valid are named first.
 */
export function renderFilters(selection: Selection, context: FilterContext): Markup {
  const { page, dashboard, choices } = context
  const offered = page.filters.flatMap((name) => dashboard.filters.filter((f) => f.name === name))
  const aside = offered.find(isLeadMoment)
  const inForm = offered.filter(
    (filter) => filter !== aside && filter.name !== page.needs && hasChoice(filter, choices),
  )
  const hasPeriod = inForm.some(({ kind }) => kind === 'period')
  return html`<div class="filters">
    ${renderFaults(selection.faults, offered)} ${hasPeriod ? renderPresets(selection, page) : ''}
    ${renderChips(selection, { page, choices, inForm })}
    ${renderForm(selection, { page, choices, inForm, aside })}
  </div>`
}

function renderFaults(faults: Selection['faults'], offered: readonly Filter[]): Markup {
  const faulty = Object.entries(faults)
  if (faulty.length === 0) return html``
  return html`<div class="banner bad" role="alert">
    ${faulty.map(
      ([name, { given, why }]) =>
        html`<p><b>${nameOf(name, offered)}</b> cannot be “${given.slice(0, 60)}”. ${why}.</p>`,
    )}
    <p>The page shows everything else without it.</p>
  </div>`
}

/**
 * The period, every filter and the moment of the page in words, for paper: what is standard is said
 * too, because nobody can look it up there.
 */
export function renderPaperFacts(selection: Selection, context: FilterContext): Markup {
  const { page, dashboard, choices } = context
  const { filters, params } = selection
  const facts = dashboard.filters.flatMap((filter): [string, string][] => {
    const { kind, name, label } = filter
    if (!page.filters.includes(name) || !hasChoice(filter, choices)) return []
    if (kind === 'period') return [[label, sayPeriod(selection, page)]]
    const value = kind === 'moment' ? filters[name] : params[name]
    if (value !== undefined) return [[label, labelOf(value, choices.get(name))]]
    return [[label, kind === 'choice' ? filter.all : 'now, with everything captured so far']]
  })
  return html`<dl class="pairs on-paper">
    ${facts.map(
      ([name, value]) =>
        html`<dt>${name}</dt>
          <dd>${value}</dd>`,
    )}
  </dl>`
}

/** The period as `2026-09-07 to the newest, by order date`. */
function sayPeriod({ filters }: Selection, { periodOf }: Page): string {
  const days = `${filters['from'] ?? 'first day'} to ${filters['to'] ?? 'the newest'}`
  return periodOf === undefined ? days : `${days}, by ${periodOf}`
}

function renderPresets(selection: Selection, page: Page): Markup {
  const { params } = selection
  const current = isCustomPeriod(params) ? 'custom' : (params['period'] ?? STANDARD_PRESET)
  return html`<nav class="presets" aria-label="Period">
    ${PRESETS.map(({ value, label }) => {
      const href = linkTo(page.path, params, {
        period: value === STANDARD_PRESET ? undefined : value,
        from: undefined,
        to: undefined,
      })
      return value === current
        ? html`<a href="${href}" aria-current="true">${label}</a>`
        : html`<a href="${href}">${label}</a>`
    })}
    <span class="range">${sayPeriod(selection, page)}</span>
  </nav>`
}

function isCustomPeriod(params: Selection['params']): boolean {
  return params['from'] !== undefined || params['to'] !== undefined
}

interface FormOptions extends Pick<FilterContext, 'page' | 'choices'> {
  readonly inForm: readonly Filter[]
}

function renderChips({ params }: Selection, { page, choices, inForm }: FormOptions): Markup {
  const active = inForm.filter(({ name, kind }) => kind !== 'period' && params[name] !== undefined)
  if (active.length === 0) return html``
  return html`<ul class="chips" aria-label="Filtered by; follow one to undo it">
    ${active.map(({ name, label }) => {
      const shown = labelOf(params[name] ?? '', choices.get(name))
      return html`<li>
        <a class="chip" href="${linkTo(page.path, params, { [name]: undefined })}"
          >${label}: ${shown} <span aria-hidden="true">×</span
          ><span class="visually-hidden">, undo</span></a
        >
      </li>`
    })}
  </ul>`
}

function renderForm(
  { params, faults }: Selection,
  { page, choices, inForm, aside }: FormOptions & { readonly aside: Filter | undefined },
): Markup {
  const hasPeriod = inForm.some(({ kind }) => kind === 'period')
  const kept = [
    ...(hasPeriod && !isCustomPeriod(params) ? ['period'] : []),
    ...(aside === undefined ? [] : [aside.name]),
    ...(page.needs === undefined ? [] : [page.needs]),
  ]
  return html`<details id="filters" ${Object.keys(faults).length > 0 ? 'open' : ''}>
    <summary>Filter${hasPeriod ? ', or choose dates' : ''}</summary>
    <form method="get" action="${page.path}">
      ${kept.map((name) =>
        params[name] === undefined
          ? ''
          : html`<input type="hidden" name="${name}" value="${params[name]}" />`,
      )}
      ${inForm.map((filter) => renderField(filter, { params, faults, choices }))}
      <div class="toolbar">
        <button class="button" type="submit">Show</button>
        <a href="${linkTo(page.path, only(params, [page.needs ?? '']))}">Reset</a>
      </div>
    </form>
  </details>`
}

/** Whether a filter is the moment that a page turns on, which has a form of its own. */
function isLeadMoment({ kind, name }: Filter): boolean {
  return kind === 'moment' && name !== 'as_of'
}

/** Whether a filter has a choice to offer. One that only adds panels is hidden while it has none. */
function hasChoice(filter: Filter, choices: ReadonlyMap<string, readonly Choice[]>): boolean {
  const isExtra = filter.kind === 'choice' && filter.adds !== undefined
  return !isExtra || (choices.get(filter.name) ?? []).length > 0
}

interface FieldOptions {
  readonly params: Selection['params']
  readonly faults: Selection['faults']
  readonly choices: ReadonlyMap<string, readonly Choice[]>
}

function renderField(filter: Filter, { params, faults, choices }: FieldOptions): Markup {
  const { name, label } = filter
  const input = (own: string, type: string, title: string, value: string): Markup =>
    html`<label class="field"
      ><span>${title}</span
      ><input
        type="${faults[own] === undefined ? type : 'text'}"
        name="${own}"
        value="${faults[own]?.given ?? value}"
        ${type === 'text' ? raw('placeholder="2026-01-31 18:00" list="moments" autocomplete="off"') : ''}
        ${faults[own] === undefined ? '' : raw('aria-invalid="true"')}
    /></label>`
  if (filter.kind === 'period') {
    return html`${input('from', 'date', 'From', params['from'] ?? '')}
    ${input('to', 'date', 'To', params['to'] ?? '')}`
  }
  if (filter.kind === 'moment') {
    return html`${input(name, 'text', `${label} (UTC)`, plainMoment(params[name]))}
    ${renderMoments(choices.get(name) ?? [])}`
  }
  return html`<label class="field"
    ><span>${label}</span>${renderSelect(filter, params[name], choices.get(name) ?? [])}</label
  >`
}

function renderSelect(
  { name, all }: Extract<Filter, { kind: 'choice' }>,
  chosen: string | undefined,
  choices: readonly Choice[],
): Markup {
  return html`<select name="${name}">
    <option value="">${all}</option>
    ${choices.map(
      ({ value, label }) =>
        html`<option value="${value}" ${value === chosen ? 'selected' : ''}>${label}</option>`,
    )}
  </select>`
}

/** The one filter that a page turns on, as a form of its own: its subject, or its moment. */
export function renderLead(
  { filters, params }: Selection,
  { page, dashboard, choices }: FilterContext,
): Markup {
  const filter = dashboard.filters.find(
    (each) => page.filters.includes(each.name) && (each.name === page.needs || isLeadMoment(each)),
  )
  if (filter === undefined || filter.kind === 'period') return html``
  const others = Object.entries(params).filter(([name]) => name !== filter.name)
  const known = choices.get(filter.name) ?? []
  return html`<form class="lead" method="get" action="${page.path}">
    ${others.map(([name, other]) => html`<input type="hidden" name="${name}" value="${other}" />`)}
    ${
      filter.kind === 'choice'
        ? html`<label class="field"
            ><span>${filter.label}</span
            >${renderSelect({ ...filter, all: 'Choose one' }, params[filter.name], known)}</label
          >`
        : html`<label class="field"
              ><span>${filter.label} (UTC)</span
              ><input
                type="text"
                name="${filter.name}"
                value="${plainMoment(filters[filter.name])}"
                placeholder="2026-01-31 18:00"
                list="moments"
                autocomplete="off"
                data-slider
            /></label>
            ${renderMoments(known)}`
    }
    <button class="button" type="submit">Show</button>
  </form>`
}

function renderMoments(moments: readonly Choice[]): Markup {
  return html`<datalist id="moments">
    ${moments.map(
      ({ value, label }) => html`<option value="${plainMoment(value)}">${label}</option>`,
    )}
  </datalist>`
}

/** A moment as people write it in a field: `2026-01-31 18:00:00`. */
function plainMoment(moment = ''): string {
  return moment.replace('T', ' ').replace(/Z$/, '')
}

/** Says that the page shows what was known at an earlier moment, if it does. */
export function renderAsOf({ params }: Selection, page: Page): Markup {
  const moment = params['as_of']
  if (moment === undefined) return html``
  return html`<p class="banner">
    As known on <b>${formatMomentUtc(moment.replace('T', ' '))}</b>. What was captured later is left
    out.
    <a href="${linkTo(page.path, params, { as_of: undefined })}">Back to now</a>
  </p>`
}

function nameOf(parameter: string, offered: readonly Filter[]): string {
  const names: Record<string, string> = { from: 'From', to: 'To', period: 'Period' }
  return names[parameter] ?? offered.find(({ name }) => name === parameter)?.label ?? parameter
}

function labelOf(value: string, choices: readonly Choice[] | undefined): string {
  const label = choices?.find((choice) => choice.value === value)?.label
  return /^\d{4}-\d\d-\d\dT/.test(value) ? formatMomentUtc(value) : (label ?? value)
}

function only(
  params: Readonly<Record<string, string>>,
  names: readonly string[],
): Record<string, string> {
  return Object.fromEntries(Object.entries(params).filter(([name]) => names.includes(name)))
}
