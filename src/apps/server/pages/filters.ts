import { html, raw } from 'hono/html'
import type { Dashboard, Filter, Page } from '../../../platform/presentation/page.ts'
import type { Filters } from '../../../platform/presentation/question.ts'
import { formatMomentUtc } from '../../format.ts'
import type { Markup } from '../markup.ts'

/** What a filter offers: a value for the address, and what people read. */
export interface Choice {
  readonly value: string
  readonly label: string
}

/** What the address of a page asks for. */
export interface Selection {
  /** Values for the questions; `today` is the day the page is as of. */
  readonly filters: Filters
  /** What was asked for, without what is empty or cannot be: for links. */
  readonly params: Readonly<Record<string, string>>
  /** What was typed and cannot be, by parameter, with the reason. */
  readonly faults: Readonly<Record<string, { readonly given: string; readonly why: string }>>
}

export interface SelectionOptions {
  readonly page: Page
  readonly dashboard: Dashboard
  /** By name of the filter; one that is not there is not checked. */
  readonly choices: ReadonlyMap<string, readonly Choice[]>
  readonly now: Date
}

/** Weeks that a preset goes back from the running one; `year` and `all` are said in words. */
const PRESETS = [
  { value: '4w', label: '4 weeks', weeks: 4 },
  { value: '12w', label: '12 weeks', weeks: 12 },
  { value: '26w', label: '26 weeks', weeks: 26 },
  { value: '52w', label: '52 weeks', weeks: 52 },
  { value: 'year', label: 'This year' },
  { value: 'all', label: 'All' },
] as const
const STANDARD = '12w'

/**
 * Reads a page's filters from its address. Never throws: what cannot be is left out and told in
 * `faults`. Presets begin on a Monday, so that weeks are whole and the running one is the only
 * exception. With `as_of`, the page reads as it would have on that day.
 */
export function readSelection(
  query: Readonly<Record<string, string>>,
  { page, dashboard, choices, now }: SelectionOptions,
): Selection {
  const filters: Record<string, string> = {}
  const params: Record<string, string> = {}
  const faults: Record<string, { given: string; why: string }> = {}
  const given = (name: string): string => query[name]?.trim() ?? ''
  const accept = (name: string, value: string | undefined, why: string): void => {
    if (given(name) === '') return
    if (value === undefined) faults[name] = { given: given(name), why }
    else {
      filters[name] = value
      params[name] = value
    }
  }
  const offered = dashboard.filters.filter(({ name }) => page.filters.includes(name))
  for (const filter of offered) {
    if (filter.kind === 'choice') {
      const known = choices.get(filter.name)
      const isKnown = known === undefined || known.some(({ value }) => value === given(filter.name))
      const why = filter.adds ?? `There is no such ${filter.label.toLowerCase()}`
      accept(filter.name, isKnown ? given(filter.name) : undefined, why)
    } else if (filter.kind === 'moment') {
      const why = 'A moment is YYYY-MM-DD hh:mm, in UTC'
      accept(filter.name, parseMoment(given(filter.name)), why)
      const standard = standardMoment(filter, choices.get(filter.name) ?? [], now)
      if (filters[filter.name] === undefined && standard !== undefined) {
        filters[filter.name] = standard
      }
    }
  }
  const today = filters['as_of']?.slice(0, 10) ?? now.toISOString().slice(0, 10)
  filters['today'] = today
  if (offered.some(({ kind }) => kind === 'period')) {
    accept('from', parseDay(given('from')), 'A date is YYYY-MM-DD')
    accept('to', parseDay(given('to')), 'A date is YYYY-MM-DD')
    if ((params['from'] ?? '') > (params['to'] ?? '9999')) {
      faults['to'] = { given: given('to'), why: `It is before the first day, ${params['from']}` }
      delete filters['to']
      delete params['to']
    }
    const isCustom = filters['from'] !== undefined || filters['to'] !== undefined
    if (!isCustom) {
      const preset = PRESETS.find(({ value }) => value === given('period'))
      if (preset === undefined && given('period') !== '') {
        faults['period'] = { given: given('period'), why: 'There is no such period' }
      }
      if (preset !== undefined && preset.value !== STANDARD) params['period'] = preset.value
      const from = firstDayOf(preset?.value ?? STANDARD, today)
      if (from !== undefined) filters['from'] = from
    }
  }
  return { filters, params, faults }
}

function firstDayOf(period: string, today: string): string | undefined {
  if (period === 'all') return undefined
  if (period === 'year') return `${today.slice(0, 4)}-01-01`
  const preset = PRESETS.find(({ value }) => value === period)
  const weeks = preset !== undefined && 'weeks' in preset ? preset.weeks : 0
  const day = new Date(`${today}T00:00:00Z`)
  const sinceMonday = (day.getUTCDay() + 6) % 7
  day.setUTCDate(day.getUTCDate() - sinceMonday - weeks * 7)
  return day.toISOString().slice(0, 10)
}

/** A day that exists, as `YYYY-MM-DD`. */
export function parseDay(text: string): string | undefined {
  if (!/^(19|20|21)\d\d-\d\d-\d\d$/.test(text)) return undefined
  const day = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text) ? text : undefined
}

/** A moment in UTC as ISO 8601, from what a form or a person writes; a day means its end. */
export function parseMoment(text: string): string | undefined {
  const { day = '', time } =
    /^(?<day>\d{4}-\d\d-\d\d)(?:[T ](?<time>\d\d:\d\d(:\d\d(\.\d{1,6})?)?)Z?)?$/.exec(text)
      ?.groups ?? {}
  if (parseDay(day) === undefined) return undefined
  if (time === undefined) return `${day}T23:59:59Z`
  const moment = `${day}T${time.length === 5 ? `${time}:00` : time}Z`
  return Number.isNaN(Date.parse(moment)) ? undefined : moment
}

function standardMoment(
  { standard }: Extract<Filter, { kind: 'moment' }>,
  moments: readonly Choice[],
  now: Date,
): string | undefined {
  if (standard === 'none') return undefined
  const dayAgo = new Date(now.getTime() - 86_400_000).toISOString()
  return (moments.find(({ value }) => value <= dayAgo) ?? moments.at(-1))?.value
}

/** The same page with other filters; an undefined value takes a filter away. */
export function linkTo(
  path: string,
  params: Readonly<Record<string, string>>,
  change: Readonly<Record<string, string | undefined>> = {},
): string {
  const all = Object.entries({ ...params, ...change }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '',
  )
  const query = new URLSearchParams(all).toString()
  return query === '' ? path : `${path}?${query}`
}

/** Period presets as links, what is filtered as links that undo it, and a plain form for the rest. */
export function renderFilters(
  { filters, params, faults }: Selection,
  { page, dashboard, choices }: Omit<SelectionOptions, 'now'>,
): Markup {
  const offered = page.filters.flatMap((name) => dashboard.filters.filter((f) => f.name === name))
  const aside = offered.find(({ kind, name }) => kind === 'moment' && name !== 'as_of')
  const inForm = offered.filter(
    (filter) => filter !== aside && filter.name !== page.needs && hasChoice(filter, choices),
  )
  const hasPeriod = inForm.some(({ kind }) => kind === 'period')
  const isCustom = params['from'] !== undefined || params['to'] !== undefined
  const current = isCustom ? 'custom' : (params['period'] ?? STANDARD)
  const active = inForm.filter(({ name, kind }) => kind !== 'period' && params[name] !== undefined)
  const kept = (hasPeriod && !isCustom ? ['period'] : []).concat(
    aside === undefined ? [] : [aside.name],
    page.needs ?? [],
  )
  const faulty = Object.entries(faults)
  return html`<div class="filters">
    ${
      faulty.length === 0
        ? ''
        : html`<div class="banner bad" role="alert">
            ${faulty.map(
              ([name, { given, why }]) =>
                html`<p>
                  <b>${nameOf(name, offered)}</b> cannot be “${given.slice(0, 60)}”. ${why}.
                </p>`,
            )}
            <p>The page shows everything else without it.</p>
          </div>`
    }
    ${
      hasPeriod
        ? html`<nav class="presets" aria-label="Period">
            ${PRESETS.map(({ value, label }) => {
              const href = linkTo(page.path, params, {
                period: value === STANDARD ? undefined : value,
                from: undefined,
                to: undefined,
              })
              return value === current
                ? html`<a href="${href}" aria-current="true">${label}</a>`
                : html`<a href="${href}">${label}</a>`
            })}
            <span class="range"
              >${filters['from'] ?? 'first day'} to ${filters['to'] ?? 'the newest'}</span
            >
          </nav>`
        : ''
    }
    ${
      active.length === 0
        ? ''
        : html`<ul class="chips" aria-label="Filtered by; follow one to undo it">
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
    <details id="filters" ${faulty.length > 0 ? 'open' : ''}>
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
    </details>
  </div>`
}

/** A filter that only adds panels is not there while it has none to add. */
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

/** The one filter a page turns on, as a form of its own: what the page is about, or its moment. */
export function renderLead(
  { filters, params }: Selection,
  { page, dashboard, choices }: Omit<SelectionOptions, 'now'>,
): Markup {
  const filter = dashboard.filters.find(
    ({ name, kind }) =>
      page.filters.includes(name) &&
      (name === page.needs || (kind === 'moment' && name !== 'as_of')),
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

/** As people write it in a field: `2026-01-31 18:00:00`. */
function plainMoment(moment = ''): string {
  return moment.replace('T', ' ').replace(/Z$/, '')
}

/** Says so when the page shows what was known at an earlier moment. */
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
