import { html, raw } from 'hono/html'
import type { Choice, Page } from '../../../platform/project/dashboard.ts'
import { formatMomentUtc } from '../../format.ts'
import type { Markup } from '../markup.ts'
import {
  type AnyFilter,
  endsOf,
  linkTo,
  PRESETS,
  type Selection,
  type SelectionOptions,
  standardPresetOf,
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
  const set = offered.filter(
    (filter) => filter !== aside && filter.name !== page.needs && hasChoice(filter, choices),
  )
  // The rest are on top of the page.
  const inForm = set.filter(({ kind }) => kind !== 'text' && kind !== 'fixed')
  const hasPeriod = inForm.some(({ kind }) => kind === 'period')
  return html`<div class="filters">
    ${renderFaults(selection.faults, offered)} ${hasPeriod ? renderPresets(selection, page) : ''}
    ${renderChips(selection, { page, choices, inForm: set })}
    ${renderForm(selection, { page, choices, inForm })}
  </div>`
}

function renderFaults(faults: Selection['faults'], offered: readonly AnyFilter[]): Markup {
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
    if (kind === 'range') {
      const [from, to] = endsOf(name).map((end) => params[end])
      if (from === undefined && to === undefined) return [[label, 'any']]
      return [[label, `${from ?? 'any'} to ${to ?? 'any'}`]]
    }
    const value = kind === 'moment' ? filters[name] : params[name]
    const known = 'values' in filter ? filter.values : choices.get(name)
    return [[label, value === undefined ? sayStandard(filter) : labelOf(value, known)]]
  })
  return html`<dl class="pairs on-paper">
    ${facts.map(
      ([name, value]) =>
        html`<dt>${name}</dt>
          <dd>${value}</dd>`,
    )}
  </dl>`
}

/** What a page shows while a filter is not set. */
function sayStandard(filter: Exclude<AnyFilter, { kind: 'period' | 'range' }>): string {
  if (filter.kind === 'moment') return 'now, with everything captured so far'
  if (filter.kind === 'text') return 'any'
  return filter.kind === 'option' ? filter.standard.label : filter.all
}

/** The period as `2026-09-07 to the newest, by order date`. */
function sayPeriod({ filters }: Selection, { periodOf }: Page): string {
  const days = `${filters['from'] ?? 'first day'} to ${filters['to'] ?? 'the newest'}`
  return periodOf === undefined ? days : `${days}, by ${periodOf}`
}

function renderPresets(selection: Selection, page: Page): Markup {
  const { params } = selection
  const current = isCustomPeriod(params) ? 'custom' : (params['period'] ?? standardPresetOf(page))
  return html`<nav class="presets" aria-label="Period">
    ${PRESETS.map(({ value, label }) => {
      const href = linkTo(page.path, params, {
        period: value === standardPresetOf(page) ? undefined : value,
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
  readonly inForm: readonly AnyFilter[]
}

function renderChips({ params }: Selection, { page, choices, inForm }: FormOptions): Markup {
  const active = inForm.flatMap((filter) => {
    const names = parameterNamesOf(filter).filter((name) => params[name] !== undefined)
    const known = 'values' in filter ? filter.values : choices.get(filter.name)
    return filter.kind === 'period' ? [] : names.map((name) => ({ name, filter, known }))
  })
  if (active.length === 0) return html``
  return html`<ul class="chips" aria-label="Filtered by; follow one to undo it">
    ${active.map(({ name, filter, known }) => {
      const label = nameOf(name, [filter])
      const shown = labelOf(params[name] ?? '', known)
      return html`<li>
        <a class="chip" href="${linkTo(page.path, params, { [name]: undefined })}"
          >${label}: ${shown} <span aria-hidden="true">×</span
          ><span class="visually-hidden">, undo</span></a
        >
      </li>`
    })}
  </ul>`
}

function renderForm({ params, faults }: Selection, { page, choices, inForm }: FormOptions): Markup {
  const hasPeriod = inForm.some(({ kind }) => kind === 'period')
  const fields = new Set(inForm.flatMap((filter) => fieldsOf(filter)))
  const kept = Object.keys(params).filter((name) => !fields.has(name))
  return html`<details id="filters" ${Object.keys(faults).length > 0 ? 'open' : ''}>
    <summary>Filter${hasPeriod ? ', or choose dates' : ''}</summary>
    <form method="get" action="${page.path}">
      ${kept.map((name) => html`<input type="hidden" name="${name}" value="${params[name]}" />`)}
      ${inForm.map((filter) => renderField(filter, { params, faults, choices }))}
      <div class="toolbar">
        <button class="button" type="submit">Show</button>
        <a href="${linkTo(page.path, only(params, [page.needs ?? '']))}">Reset</a>
      </div>
    </form>
  </details>`
}

/** Whether a filter is the moment that a page turns on, which has a form of its own. */
function isLeadMoment({ kind, name }: AnyFilter): boolean {
  return kind === 'moment' && name !== 'as_of'
}

/** Whether a filter has a choice to offer. One that only adds panels is hidden while it has none. */
function hasChoice(filter: AnyFilter, choices: ReadonlyMap<string, readonly Choice[]>): boolean {
  const isExtra = filter.kind === 'choice' && filter.adds !== undefined
  return !isExtra || (choices.get(filter.name) ?? []).length > 0
}

interface FieldOptions {
  readonly params: Selection['params']
  readonly faults: Selection['faults']
  readonly choices: ReadonlyMap<string, readonly Choice[]>
}

function renderField(filter: AnyFilter, { params, faults, choices }: FieldOptions): Markup {
  const { name, label } = filter
  const input = (own: string, type: string, title: string, value: string): Markup =>
    html`<label class="field"
      ><span>${title}</span
      ><input
        type="${faults[own] === undefined ? type : 'text'}"
        name="${own}"
        value="${faults[own]?.given ?? value}"
        ${type === 'number' ? raw('step="any"') : ''}
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
  if (filter.kind === 'range') {
    return html`${endsOf(name).map((end) =>
      input(end, 'number', nameOf(end, [filter]), params[end] ?? ''),
    )}`
  }
  if (filter.kind === 'text') return input(name, 'search', label, params[name] ?? '')
  const [all, known] =
    filter.kind === 'option'
      ? [
          filter.standard.label,
          filter.values.filter(({ value }) => value !== filter.standard.value),
        ]
      : [filter.all, filter.kind === 'fixed' ? filter.values : (choices.get(name) ?? [])]
  return html`<label class="field"
    ><span>${label}</span>${renderSelect({ name, all }, params[name], known)}</label
  >`
}

function renderSelect(
  { name, all }: { readonly name: string; readonly all: string },
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
  if (filter?.kind !== 'choice' && filter?.kind !== 'moment') return html``
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

/** The filters of a list that stand on top of its page, as a form: what to look for, and states. */
export function renderListSearch(
  { params, faults }: Selection,
  { page, dashboard, choices }: FilterContext,
): Markup {
  const onTop = dashboard.filters.filter(
    ({ name, kind }) => page.filters.includes(name) && (kind === 'text' || kind === 'fixed'),
  )
  const others = Object.entries(params).filter(([name]) => onTop.every((f) => f.name !== name))
  return html`<form class="lead" method="get" action="${page.path}" role="search">
    ${others.map(([name, other]) => html`<input type="hidden" name="${name}" value="${other}" />`)}
    ${onTop.map((filter) => renderField(filter, { params, faults, choices }))}
    <button class="button" type="submit">Search</button>
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

/** The fields of a filter in the form. A preset of the period has none. */
function fieldsOf(filter: AnyFilter): readonly string[] {
  return parameterNamesOf(filter).filter((name) => name !== 'period')
}

/** The names of a filter in an address. */
export function parameterNamesOf({ kind, name }: AnyFilter): readonly string[] {
  if (kind === 'period') return ['period', 'from', 'to']
  return kind === 'range' ? endsOf(name) : [name]
}

function nameOf(parameter: string, offered: readonly AnyFilter[]): string {
  const names: Record<string, string> = { from: 'From', to: 'To', period: 'Period' }
  const range = offered.find(
    (filter) =>
      filter.name !== parameter &&
      filter.kind === 'range' &&
      parameterNamesOf(filter).includes(parameter),
  )
  if (range !== undefined) return `${range.label} ${parameter.endsWith('_from') ? 'from' : 'to'}`
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
