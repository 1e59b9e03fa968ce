import type { CatalogueColumn } from '../../platform/project/catalogue-table.ts'
import { historyColumns } from '../../platform/project/fact-names.ts'
import type { Reference } from '../../platform/project/model.ts'
import { shortName } from '../../platform/project/names.ts'
import type { ChosenTable } from './choose-tables.ts'
import { holdsDays, holdsMoments, type TableLink } from './find-facts.ts'
import {
  commentLine,
  createNamer,
  modelHeader,
  modelName,
  type ModelColumn,
  selectList,
} from './model-sql.ts'
import { describeModel, type ProposedModel } from './proposed-model.ts'

/** A day in the calendar: neither infinite nor before our era. */
const DAYS = { first: '0001-01-01', last: '9999-12-31' }

interface FactColumn extends ModelColumn {
  readonly isNullable: boolean
  readonly comment?: string | undefined
  /** Whether it holds a day of the calendar. */
  readonly isDate?: boolean
}

/**
 * Proposes the fact of a table: its columns as they are, a day for each moment, and references to the
 * dimensions in `names` and to the calendar. Also says whether it names days.
 */
export function proposeFact(
  chosen: ChosenTable,
  {
    links,
    names,
    calendar,
  }: { links: readonly TableLink[]; names: ReadonlyMap<ChosenTable, string>; calendar: string },
): { model: ProposedModel; hasDates: boolean } {
  const { table } = chosen
  const name = names.get(chosen) ?? ''
  const usualId = `${name.slice('fact_'.length)}_record_id`
  const recordId = shortName(usualId)
  const columns = factColumns(chosen, { links, recordId })
  const renamed = (column: string): string => columns.get(column)?.[0]?.name ?? column
  const all = [...columns.values()].flat()
  const dates = all.filter(({ isDate }) => isDate === true)
  const references: Reference[] = [
    ...links.flatMap((link) => {
      const dimension = names.get(link.to)
      const isFact = dimension?.startsWith('fact_') === true
      return dimension === undefined || isFact
        ? []
        : [{ columns: link.columns.map(renamed), dimension }]
    }),
    ...dates.map((column) => ({ columns: [column.name], dimension: calendar })),
  ]
  const nullable = all.filter(({ isNullable }) => isNullable).map((column) => column.name)
  const key = table.key.map(renamed)
  return {
    hasDates: dates.length > 0,
    model: {
      name,
      reads: [table.name],
      config: {
        from: table.name,
        key: key.length === 1 ? (key[0] ?? '') : key,
        ...(recordId !== usualId && { recordId }),
        ...describeModel(table, all),
        ...(references.length > 0 && { references: asRecord(references) }),
        ...(nullable.length > 0 && { nullable }),
      },
      sql: factSql(chosen, { name, links, names, columns: all }),
    },
  }
}

/** References as a record if each column has only one and no key has several columns. */
function asRecord(references: readonly Reference[]): Record<string, string> | readonly Reference[] {
  const columns = new Set(references.map((reference) => reference.columns[0]))
  const isPlain =
    references.every((reference) => reference.columns.length === 1) &&
    columns.size === references.length
  if (!isPlain) return references
  return Object.fromEntries(
    references.map(({ columns: [column = ''], dimension }) => [column, dimension]),
  )
}

/** What a fact makes of each column of its table, in order. */
function factColumns(
  { table, columns }: ChosenTable,
  { links, recordId }: { links: readonly TableLink[]; recordId: string },
): Map<string, FactColumn[]> {
  const reserved = new Set([recordId, ...Object.values(historyColumns({}))])
  const isReserved = (name: string): boolean => reserved.has(name.toLowerCase())
  const namer = createNamer([...reserved, ...columns.map(({ name }) => name)])
  const inKeys = new Set([...table.key, ...links.flatMap((link) => link.columns)])
  return new Map(
    columns.map((column): [string, FactColumn[]] => {
      const { comment } = column
      const sql = `change.${modelName(column.name)}`
      // The history has a column of this name, so this one is called after its table too.
      const name = isReserved(column.name) ? namer(`${table.name}_${column.name}`) : column.name
      const day = { sql: dayOf(column, sql), isNullable: true, isDate: true }
      if (holdsDays(column) && !inKeys.has(column.name))
        return [column.name, [{ ...day, name, comment }]]
      const isNullable = column.nullable && !table.key.includes(column.name)
      const plain = { name, sql, isNullable, comment }
      const isDated = holdsDays(column) || holdsMoments(column)
      return [column.name, isDated ? [plain, { ...day, name: namer(`${name}_date`) }] : [plain]]
    }),
  )
}

/** The day of a value; null if no calendar has it. */
function dayOf(column: CatalogueColumn, sql: string): string {
  const isZoned = column.baseType.endsWith('with time zone')
  const zone = isZoned ? '+00' : ''
  const last = holdsDays(column) ? DAYS.last : `${DAYS.last} 23:59:59.999999${zone}`
  const first = isZoned ? `${DAYS.first} 00:00:00${zone}` : DAYS.first
  const day = holdsDays(column)
    ? sql
    : isZoned
      ? `(${sql} at time zone 'UTC')::date`
      : `${sql}::date`
  return [
    'case',
    `        when ${sql} between '${first}' and '${last}'`,
    `            then ${day}`,
    '    end',
  ].join('\n')
}

function factSql(
  { table, found }: ChosenTable,
  {
    name,
    links,
    names,
    columns,
  }: {
    name: string
    links: readonly TableLink[]
    names: ReadonlyMap<ChosenTable, string>
    columns: readonly ModelColumn[]
  },
): string {
  const notes = links.flatMap(({ to, columns: from }) => {
    const fact = names.get(to)
    return fact?.startsWith('fact_') === true
      ? [`${from.join(', ')} leads to ${fact}_current.`]
      : []
  })
  const hasDays = columns.some(({ sql }) => sql.startsWith('case'))
  return [
    modelHeader(name, {
      says: found.comment ?? `what happened in ${table.name}.`,
      grain: `one row per version of ${table.name} (${table.key.join(', ')}).`,
      sources: [`change_${table.name}`],
      history: 'append-only; every insert, update and delete is a row of its own.',
    }),
    ...notes.map(commentLine),
    ...(hasDays ? ['-- A day that no calendar has (infinity, BC) is null.'] : []),
    'select',
    selectList([...columns, ...PASSED]),
    `from ${modelName(`change_${table.name}`)} as change`,
    '',
  ].join('\n')
}

/** The columns that every fact passes on for the platform. */
const PASSED: readonly ModelColumn[] = ['_operation', '_captured_at', '_ordinal'].map((name) => ({
  name,
  sql: `change.${name}`,
}))
