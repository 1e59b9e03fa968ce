import type { Choice, Filter, ListFilter, Page } from '../../../platform/project/dashboard.ts'
import type { Filters } from '../../../platform/presentation/question.ts'
import { isDay } from '../parameters.ts'

/** What the address of a page asks for. */
export interface Selection {
  /** Values for the questions. `today` is the day that the page is as of. */
  readonly filters: Filters
  /** The filters in the address that are set and valid, for links. */
  readonly params: Readonly<Record<string, string>>
  /** The filters in the address that are not valid, with what was typed and why it is refused. */
  readonly faults: Readonly<Record<string, FilterFault>>
}

/** A value that a filter cannot have. */
export interface FilterFault {
  readonly given: string
  readonly why: string
}

/** What the address of a page can set: the filters of the dashboard, and those of a list. */
export type AnyFilter = Filter | ListFilter

/** What a page offers to select from. */
export interface SelectionOptions {
  readonly page: Page
  readonly dashboard: { readonly filters: readonly AnyFilter[] }
  /** By name of the filter. A filter without choices is not checked against them. */
  readonly choices: ReadonlyMap<string, readonly Choice[]>
  readonly now: Date
}

/** How many weeks before the running one a preset begins. */
export const PRESETS = [
  { value: '4w', label: '4 weeks', weeks: 4 },
  { value: '12w', label: '12 weeks', weeks: 12 },
  { value: '26w', label: '26 weeks', weeks: 26 },
  { value: '52w', label: '52 weeks', weeks: 52 },
  { value: 'year', label: 'This year' },
  { value: 'all', label: 'All' },
] as const

/** The preset of a page whose address names no period. */
export function standardPresetOf({ standardPeriod }: Page): string {
  return standardPeriod ?? '12w'
}

/** The longest text that a filter takes. */
const MAX_TEXT_CHARS = 100

interface Draft {
  readonly filters: Record<string, string>
  readonly params: Record<string, string>
  readonly faults: Record<string, FilterFault>
  /** What the address says for a parameter, empty if it is absent. */
  given(name: string): string
  /** Takes the value of a parameter, or, if it is undefined, records the fault. */
  accept(name: string, value: string | undefined, why: string): void
}

/**
 * Reads a page's filters from its address. Never throws: a value that is not valid is left out and
 * reported in `faults`. Presets begin on a Monday, so that every week but the running one is whole.
 * With `as_of`, the page reads as it would have on that day.
 */
export function readSelection(
  query: Readonly<Record<string, string>>,
  { page, dashboard, choices, now }: SelectionOptions,
): Selection {
  const draft = draftOf(query)
  const offered = dashboard.filters.filter(({ name }) => page.filters.includes(name))
  for (const filter of offered) {
    if (filter.kind === 'choice') readChoice(draft, filter, choices.get(filter.name))
    if (filter.kind === 'fixed') readChoice(draft, filter, filter.values)
    if (filter.kind === 'text') readTyped(draft, filter.name)
    if (filter.kind === 'range') readRange(draft, filter.name)
    if (filter.kind === 'option') readOption(draft, filter)
    if (filter.kind === 'moment') {
      readMoment(draft, filter, { moments: choices.get(filter.name) ?? [], now })
    }
  }
  const { filters, params, faults } = draft
  const today = filters['as_of']?.slice(0, 10) ?? now.toISOString().slice(0, 10)
  filters['today'] = today
  if (offered.some(({ kind }) => kind === 'period')) readPeriod(draft, page, today)
  return { filters, params, faults }
}

function draftOf(query: Readonly<Record<string, string>>): Draft {
  const filters: Record<string, string> = {}
  const params: Record<string, string> = {}
  const faults: Record<string, FilterFault> = {}
  const given = (name: string): string => query[name]?.trim() ?? ''
  return {
    filters,
    params,
    faults,
    given,
    accept(name, value, why) {
      if (given(name) === '') return
      if (value === undefined) faults[name] = { given: given(name), why }
      else {
        filters[name] = value
        params[name] = value
      }
    },
  }
}

function readChoice(
  { given, accept }: Draft,
  { name, label, ...filter }: Extract<AnyFilter, { kind: 'choice' | 'fixed' }>,
  known: readonly Choice[] | undefined,
): void {
  const isKnown = known === undefined || known.some(({ value }) => value === given(name))
  const adds = filter.kind === 'choice' ? filter.adds : undefined
  const why = adds ?? `There is no such ${label.toLowerCase()}`
  accept(name, isKnown ? given(name) : undefined, why)
}

function readTyped({ given, accept }: Draft, name: string): void {
  const text = given(name)
  const isShort = text.length <= MAX_TEXT_CHARS
  const isText = isShort && !/\p{Cc}/u.test(text)
  const why = `Write at most ${MAX_TEXT_CHARS} letters, digits and signs`
  accept(name, isText ? text : undefined, why)
}

/** The names of a range's ends in an address. */
export function endsOf(name: string): readonly [from: string, to: string] {
  return [`${name}_from`, `${name}_to`]
}

function readRange({ filters, params, faults, given, accept }: Draft, name: string): void {
  const [from, to] = endsOf(name)
  for (const end of [from, to]) {
    const isNumber = /^-?\d{1,15}(\.\d{1,6})?$/.test(given(end))
    accept(end, isNumber ? given(end) : undefined, 'Write a number as 1234.50')
  }
  if (Number(params[from] ?? -Infinity) <= Number(params[to] ?? Infinity)) return
  faults[to] = { given: given(to), why: `It is less than ${params[from]}` }
  delete filters[to]
  delete params[to]
}

function readOption(
  { given, accept }: Draft,
  { name, label, values, standard }: Extract<Filter, { kind: 'option' }>,
): void {
  if (given(name) === standard.value) return
  const isKnown = values.some(({ value }) => value === given(name))
  const known = values.map(({ value }) => value).join(', ')
  const why = `“${label}” takes one of these: ${known}`
  accept(name, isKnown ? given(name) : undefined, why)
}

function readMoment(
  { filters, given, accept }: Draft,
  filter: Extract<Filter, { kind: 'moment' }>,
  { moments, now }: { moments: readonly Choice[]; now: Date },
): void {
  const { name } = filter
  accept(name, parseMoment(given(name)), 'Write a moment as YYYY-MM-DD hh:mm, in UTC')
  const standard = standardMoment(filter, moments, now)
  if (filters[name] === undefined && standard !== undefined) filters[name] = standard
}

function readPeriod(
  { filters, params, faults, given, accept }: Draft,
  page: Page,
  today: string,
): void {
  const standard = standardPresetOf(page)
  accept('from', parseDay(given('from')), 'Write a date as YYYY-MM-DD')
  accept('to', parseDay(given('to')), 'Write a date as YYYY-MM-DD')
  if ((params['from'] ?? '') > (params['to'] ?? '9999')) {
    faults['to'] = { given: given('to'), why: `It is before the first day, ${params['from']}` }
    delete filters['to']
    delete params['to']
  }
  if (filters['from'] !== undefined || filters['to'] !== undefined) return
  const preset = PRESETS.find(({ value }) => value === given('period'))
  if (preset === undefined && given('period') !== '') {
    faults['period'] = { given: given('period'), why: 'There is no such period' }
  }
  if (preset !== undefined && preset.value !== standard) params['period'] = preset.value
  const from = firstDayOf(preset?.value ?? standard, today)
  if (from !== undefined) filters['from'] = from
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

/** A day from 1900 to 2199 as `YYYY-MM-DD`. Undefined for any other text. */
export function parseDay(text: string): string | undefined {
  return /^(19|20|21)/.test(text) && isDay(text) ? text : undefined
}

/** A moment in UTC as ISO 8601, from what a form or a person writes. A day means its end. */
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

/**
 * The address without empty values, if the query has some. A form sends its empty fields too.
 * Without them, each page has one short address.
 */
export function shorterAddress(
  path: string,
  query: Readonly<Record<string, string>>,
): string | undefined {
  const given = Object.entries(query).filter(([, value]) => value !== '')
  const isShort = given.length === Object.keys(query).length
  return isShort ? undefined : linkTo(path, Object.fromEntries(given))
}

/** The address of the page with other filters. An undefined value takes a filter away. */
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
