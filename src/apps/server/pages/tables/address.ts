import type { Context } from 'hono'
import type { Sort } from '../../../../platform/project/dashboard.ts'
import type {
  BrowsedColumn,
  BrowsedTable,
} from '../../../../platform/presentation/browsed-table.ts'
import type { RowSelection, RowsPlace } from '../../../../platform/presentation/browse-rows.ts'
import {
  type Condition,
  conditionFault,
  isBare,
  type Operator,
  OPERATORS,
} from '../../../../platform/presentation/row-condition.ts'
import { inOneOrder, openPlace, sealPlace } from '../../../../platform/presentation/sealed-place.ts'
import type { Project } from '../../../../platform/project/project.ts'
import type { ServerEnv } from '../../access.ts'
import { checkParameters, type Parameter, refusal } from '../../parameters.ts'
import { textParameter } from '../../question-parameters.ts'
import { linkTo } from '../selection.ts'

/** The address of the page with all tables: the first page, unless the project has one of its own. */
export function overviewPath({ presentation }: Pick<Project, 'presentation'>): string {
  return presentation?.pages.some(({ path }) => path === '/') === true ? '/tables' : '/'
}

/** The address of a table's rows. */
export function tablePath(table: string): string {
  return `/table/${encodeURIComponent(table)}`
}

/** The address of a row with its versions. The key is in the order of the table's key. */
export function rowPath(
  { table, key: names }: BrowsedTable['model'],
  key: readonly string[],
): string {
  const params = names.map((name, index): [string, string] => [`key.${name}`, key[index] ?? ''])
  return `${tablePath(table)}/row?${new URLSearchParams(params).toString()}`
}

/** What an address asks of a table. */
export interface AskedTable {
  readonly selection: RowSelection
  readonly place: RowsPlace | undefined
  /** The conditions that cannot be asked, with why. The page shows the rest. */
  readonly faults: readonly { readonly condition: Condition; readonly why: string }[]
  /** The parameters that are set and valid, for links. The place is not one of them. */
  readonly params: Readonly<Record<string, string>>
}

const STATE: Parameter = {
  name: 'state',
  description: 'Which rows: as they are now, or those that were deleted.',
  example: 'deleted',
  values: { kind: 'choice', values: ['deleted'] },
  mayBeEmpty: true,
}
const ORDER: Parameter = {
  name: 'order',
  description: 'The direction of the order.',
  example: 'desc',
  values: { kind: 'choice', values: ['desc'] },
  mayBeEmpty: true,
}
const SORT = textParameter('sort', 'The column to sort by. Default: the key.')
const SEARCH = textParameter('q', 'A part of any text, or a whole key.')
const CURSOR: Parameter = {
  name: 'cursor',
  description: 'Where the page begins: from a link of the page beside it.',
  example: '',
  values: {
    kind: 'pattern',
    pattern: '^[A-Za-z0-9_-]{1,8000}$',
    what: 'from a link of the page beside it',
  },
  mayBeEmpty: true,
}
/** What the form that adds a filter sends. */
const ADDED = [
  textParameter('column', 'The column of a filter to add.'),
  textParameter('is', 'What the filter to add asks.'),
  textParameter('value', 'The value of the filter to add.'),
]

/** The name of a condition in an address: `from.created_at`. */
function parameterOf({ operator, column }: Pick<Condition, 'operator' | 'column'>): string {
  return `${operator}.${column.name}`
}

/** The condition that a parameter names, for a column of the table. */
function conditionOf(
  name: string,
  value: string,
  { columns }: BrowsedTable,
): Condition | undefined {
  const operator = OPERATORS.find((each) => name.startsWith(`${each}.`))
  const column = columns.find((each) => each.name === name.slice((operator?.length ?? 0) + 1))
  return operator === undefined || column === undefined
    ? undefined
    : { operator, column, value: isBare(operator) ? '' : value }
}

/**
 * Reads what an address asks of a table. A condition whose value is not valid is left out and reported.
 * Throws `ProblemError` (400) for a parameter that is unknown or given twice, for a column that does not
 * exist or has no order, and for a cursor that belongs to another selection.
 */
export function readAskedTable(
  c: Context<ServerEnv>,
  table: BrowsedTable,
  { isFile = false }: { readonly isFile?: boolean } = {},
): AskedTable {
  const query = new URL(c.req.url).searchParams
  const known = [...query].flatMap(([name, value]) => conditionOf(name, value, table) ?? [])
  const parameters = [
    SEARCH,
    STATE,
    SORT,
    ORDER,
    ...(isFile ? [] : [CURSOR, ...ADDED]),
    ...known.map((each) =>
      textParameter(parameterOf(each), `A filter on the column ${each.column.name}.`),
    ),
  ]
  const given = checkParameters(c, parameters)
  const conditions: Condition[] = []
  const faults: { condition: Condition; why: string }[] = []
  const params: Record<string, string> = {}
  const keep = (name: string): void => {
    const value = given.get(name)
    if (value !== undefined) params[name] = value
  }
  keep('q')
  keep('state')
  for (const condition of known) {
    const name = parameterOf(condition)
    if (!given.has(name)) continue
    const why = conditionFault(condition)
    if (why === undefined) {
      conditions.push(condition)
      keep(name)
    } else faults.push({ condition, why })
  }
  const sort = readSort(given, { table, parameters })
  if (sort !== undefined) {
    keep('sort')
    keep('order')
  }
  const search = given.get('q')
  if (search !== undefined && (search.includes('\0') || search.length > MAX_SEARCH_CHARS)) {
    const why = `must have at most ${MAX_SEARCH_CHARS} characters`
    throw refusal({ name: 'q', code: 'BAD_FILTER', why, parameters })
  }
  const isDeleted = given.get('state') === 'deleted' && table.model.kind === 'fact'
  const selection = {
    table,
    state: isDeleted ? ('deleted' as const) : ('current' as const),
    search,
    conditions,
    sort,
  }
  const place = readPlace(given.get('cursor'), { table, params, parameters })
  return { selection, place, faults, params }
}

const MAX_SEARCH_CHARS = 200

function readSort(
  given: ReadonlyMap<string, string>,
  { table, parameters }: { table: BrowsedTable; parameters: readonly Parameter[] },
): Sort | undefined {
  const name = given.get('sort')
  if (name === undefined) return undefined
  const column = table.columns.find((each) => each.name === name)
  if (column?.isOrdered !== true) {
    const why = 'must be a column of the table whose values have an order'
    throw refusal({ name: 'sort', code: 'BAD_FILTER', why, parameters })
  }
  return { column: name, isDescending: given.get('order') === 'desc' }
}

function readPlace(
  cursor: string | undefined,
  {
    table,
    params,
    parameters,
  }: {
    table: BrowsedTable
    params: AskedTable['params']
    parameters: readonly Parameter[]
  },
): RowsPlace | undefined {
  if (cursor === undefined) return undefined
  const place = openPlace(cursor, scopeOf(table, params), isRowsPlace)
  if (typeof place !== 'string' && place.key.length === table.model.key.length) return place
  const why =
    place === 'other scope'
      ? 'belongs to other filters or another order: leave it out to begin with the first row'
      : 'must be from a link of the page beside it'
  throw refusal({ name: CURSOR.name, code: 'BAD_FILTER', why, parameters })
}

/** The text of a place for the address of a page. */
export function rowsCursor(
  place: RowsPlace,
  { selection, params }: Pick<AskedTable, 'selection' | 'params'>,
): string {
  return sealPlace(place, scopeOf(selection.table, params))
}

function scopeOf({ model }: BrowsedTable, params: AskedTable['params']): unknown {
  return [model.table, model.key, inOneOrder(Object.entries(params))]
}

function isRowsPlace(place: unknown): place is RowsPlace {
  const { isBefore, value, key } = Object(place) as Partial<Record<keyof RowsPlace, unknown>>
  return (
    typeof isBefore === 'boolean' &&
    (value === undefined || value === null || typeof value === 'string') &&
    Array.isArray(key) &&
    key.every((each) => typeof each === 'string')
  )
}

/**
 * The address with the filter that the form adds in place of its three fields, and without empty values.
 * Undefined if there is nothing to change.
 */
export function tidyAddress(
  c: Context<ServerEnv>,
  { model, columns }: BrowsedTable,
): string | undefined {
  const query = [...new URL(c.req.url).searchParams]
  const field = (name: string) => query.find(([each]) => each === name)?.[1] ?? ''
  const operator = OPERATORS.find((each) => each === field('is'))
  const column = columns.find(({ name }) => name === field('column'))
  const isForm = ['column', 'is', 'value'].some((name) => query.some(([each]) => each === name))
  const rest = query.filter(
    ([name, value]) => value !== '' && !['column', 'is', 'value'].includes(name),
  )
  if (!isForm && rest.length === query.length) return undefined
  const added = addedFilter(operator, column, field('value'))
  return linkTo(tablePath(model.table), Object.fromEntries([...rest, ...added]))
}

function addedFilter(
  operator: Operator | undefined,
  column: BrowsedColumn | undefined,
  value: string,
): [string, string][] {
  if (operator === undefined || column === undefined) return []
  if (isBare(operator)) return [[parameterOf({ operator, column }), 'yes']]
  return value === '' ? [] : [[parameterOf({ operator, column }), value]]
}

/** The parameters without one condition. */
export function withoutCondition(
  params: AskedTable['params'],
  condition: Condition,
): Record<string, string> {
  const { [parameterOf(condition)]: _, ...others } = params
  return others
}

/**
 * The key in the address of a row, in the order of the table's key. Throws `ProblemError` (400) for a
 * parameter that is not one of the key, and if one is missing.
 */
export function readKey(
  c: Context<ServerEnv>,
  { key }: BrowsedTable['model'],
  more: readonly Parameter[],
): string[] {
  const parameters = key.map((name) => ({
    ...textParameter(`key.${name}`, `The value of ${name}.`),
    // An empty text is a value.
    mayBeEmpty: false,
  }))
  const all = [...parameters, ...more]
  const given = checkParameters(c, all)
  return parameters.map(({ name }) => {
    const value = given.get(name)
    if (value !== undefined) return value
    throw refusal({ name, code: 'BAD_FILTER', why: 'is missing', parameters: all })
  })
}
