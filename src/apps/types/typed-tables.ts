import type {
  RelationColumn,
  RelationSchema,
} from '../../platform/presentation/relation-schemas.ts'
import { own } from '../../platform/project/named-record.ts'
import {
  asOfBatchFunction,
  asOfFunction,
  currentTable,
  historyColumns,
  historyView,
  operationsOf,
  storedHistory,
  viewedHistory,
} from '../../platform/project/fact-names.ts'
import {
  type Fact,
  type Model,
  revisionsName,
  ROW_GRAIN,
  sumsView,
} from '../../platform/project/model.ts'
import { sumsTablesOf } from '../../platform/warehouse/sums.ts'
import { driverType } from './driver-type.ts'
import type { SourceNotes } from './source-notes.ts'

/** A table, view or function of the warehouse whose rows have a type. */
export interface TypedTable {
  readonly name: string
  /** What it holds, for people. */
  readonly about: readonly string[]
  /** The columns of its rows, or the name of the table that has the same. */
  readonly rows: readonly TypedColumn[] | string
  /** The table that has the columns in front of `rows`. */
  readonly extends?: string
  /** Functions that return its rows as they were, and the name to ask for them. */
  readonly past?: { readonly name: string; readonly asOf: string; readonly asOfBatch?: string }
}

/** A column with the type of its values. */
export interface TypedColumn {
  readonly name: string
  readonly type: string
  readonly about: readonly string[]
}

/** The views of how fresh the warehouse is, with what they hold. */
const STATUS: Readonly<Record<string, string>> = {
  tidemark_batches: 'Every loaded batch: when its snapshot was taken, and when it was loaded.',
  tidemark_status: 'The newest batch, and up to when the warehouse is complete.',
}

/** The names of everything that belongs to models, without the views that others made from it. */
export function tableNames(models: readonly Model[]): string[] {
  return [
    ...Object.keys(STATUS),
    ...models.flatMap((model) =>
      model.kind === 'fact'
        ? [
            model.table,
            currentTable(model),
            historyView(model),
            ...sumsTablesOf(model).map(({ name }) => name),
            ...(model.sums === undefined ? [] : [revisionsName(model), sumsView(model)]),
          ]
        : [model.table],
    ),
  ]
}

/**
 * The tables of a warehouse with the types of their rows, by name, the tables of a fact together.
 * Takes the relations that may be read; a table that is not among them is left out. Pure.
 */
export function typeTables(
  relations: readonly RelationSchema[],
  { models, sourceNotes }: { models: readonly Model[]; sourceNotes: SourceNotes },
): TypedTable[] {
  const left = new Map(relations.map((relation) => [relation.name, relation]))
  const take = (name: string): RelationSchema | undefined => {
    const found = left.get(name)
    left.delete(name)
    return found
  }
  const ordered = models.toSorted((one, other) => (one.table < other.table ? -1 : 1))
  const ofModels = ordered.flatMap((model) => {
    const notes = sourceNotes.get(model.table) ?? new Map<string, string>()
    return model.kind === 'fact' ? typeFact(model, take, notes) : typeDimension(model, take)
  })
  const others = [...left.values()].map(({ name, description, columns }): TypedTable => ({
    name,
    about: [own(STATUS, name) ?? description ?? 'A view of this warehouse.'],
    rows: columns.map((column) =>
      // A null has no place in these views.
      typeColumn(column, { isNullable: column.nullable && own(STATUS, name) === undefined }),
    ),
  }))
  return [...ofModels, ...others]
}

type Take = (name: string) => RelationSchema | undefined

function typeDimension(model: Model, take: Take): TypedTable[] {
  const found = take(model.table)
  if (found === undefined) return []
  const { name, description, columns } = found
  return [
    {
      name,
      about: [...(description === null ? [] : [description]), `Key: ${list(model.key)}.`],
      rows: columns.map((column) => typeColumn(column)),
    },
  ]
}

function typeFact(fact: Fact, take: Take, sourceNotes: ReadonlyMap<string, string>): TypedTable[] {
  const versions = take(fact.table)
  const others = [take(currentTable(fact)), take(historyView(fact))]
  if (versions === undefined) return typeSums(fact, take)
  const { name, description } = versions
  const [current, history] = others
  const about = description === null ? [] : [description]
  const stored = new Set(storedHistory(fact))
  // A column that was added later follows those of the history in the table.
  const columns = [
    ...versions.columns.filter((column) => !stored.has(column.name)),
    ...versions.columns.filter((column) => stored.has(column.name)),
  ]
  const added = new Set(viewedHistory(fact))
  return [
    {
      name,
      about: [...about, `Every version of every row. Key: ${list(fact.key)}.`],
      rows: columns.map((column) => typeFactColumn(fact, column, sourceNotes)),
      past: { name, asOf: asOfFunction(fact), asOfBatch: asOfBatchFunction(fact) },
    },
    ...(current === undefined
      ? []
      : [{ name: current.name, about: [...about, 'The rows as they are now.'], rows: name }]),
    ...(history === undefined
      ? []
      : [
          {
            name: history.name,
            about: [...about, 'Every version, with the time for which it was valid.'],
            extends: name,
            rows: history.columns
              .filter((column) => added.has(column.name))
              .map((column) => typeHistoryColumn(fact, column)),
          },
        ]),
    ...typeSums(fact, take),
  ]
}

function typeFactColumn(
  fact: Fact,
  column: RelationColumn,
  sourceNotes: ReadonlyMap<string, string>,
): TypedColumn {
  const { operation, recordedAt, batch } = historyColumns(fact)
  if (column.name === operation) {
    const about = ['What happened. Current rows are inserts and updates.']
    const type = operationsOf(fact)
      .map((word) => `'${word}'`)
      .join(' | ')
    return { name: operation, type, about }
  }
  const known: Readonly<Record<string, string>> = {
    [recordedAt]: 'When this version was captured.',
    [batch]: 'The batch that brought this version.',
    [fact.recordId]: 'Identifies this version. Without gaps, in the order of capture.',
  }
  return typeColumn(column, {
    notes: [
      ...[own(known, column.name) ?? []].flat(),
      ...describeUse(fact, column.name),
      ...[sourceNotes.get(column.name) ?? []].flat(),
    ],
  })
}

/** What a fact's declaration says of a column: its word, its unit, and what it refers to. */
function describeUse({ telling, references }: Fact, name: string): string[] {
  const { words = {}, worth } = telling ?? {}
  const [word] = Object.hasOwn(words, name) ? [words[name]] : []
  const priced = worth?.quantity === undefined ? 'An amount' : 'The price of one'
  return [
    ...(word === undefined || word === name ? [] : [`People call it “${word}”.`]),
    ...(name === worth?.price ? [`${priced}, in the currency of ${code(worth.currency)}.`] : []),
    ...(name === worth?.quantity ? [`A number of pieces, each at ${code(worth.price)}.`] : []),
    ...references
      .filter(({ columns }) => columns.includes(name))
      .map(({ columns, dimension }) => {
        const others = columns.filter((column) => column !== name)
        return `Refers to ${code(dimension)}${others.length === 0 ? '' : `, with ${list(others)}`}.`
      }),
  ]
}

function typeHistoryColumn(fact: Fact, column: RelationColumn): TypedColumn {
  const { version, validFrom, validTo } = historyColumns(fact)
  const notes: Readonly<Record<string, string>> = {
    [version]: 'Counts the versions of a row from 1.',
    [validFrom]: 'From when this version was valid.',
    [validTo]: 'Until when; null for the newest version.',
  }
  return typeColumn(column, {
    notes: [own(notes, column.name) ?? 'Whether this is the row as it is now.'],
    isNullable: column.name === validTo,
  })
}

/** The sums of a fact: a table for each grain, its revisions, and the view that shows all grains. */
function typeSums(fact: Fact, take: Take): TypedTable[] {
  const { sums, table } = fact
  if (sums === undefined) return []
  const describeSum = (name: string): string[] => {
    const { columns, derived = {} } = sums
    if (name === 'row_count') return ['How many rows are summed.']
    if (Object.hasOwn(columns, name)) return [`The sum of ${code(columns[name] ?? '')}.`]
    if (Object.hasOwn(derived, name)) return [`Made from each row: ${code(derived[name] ?? '')}.`]
    return describeUse(fact, name)
  }
  const grains = sumsTablesOf(fact).flatMap(({ name, by }): TypedTable[] => {
    const found = take(name)
    if (found === undefined) return []
    const rows = found.columns.map((column) =>
      typeColumn(column, { notes: describeSum(column.name), isNullable: false }),
    )
    return [{ name, about: [`The current rows of ${code(table)}, summed by ${list(by)}.`], rows }]
  })
  const [revisions, view] = [take(revisionsName(fact)), take(sumsView(fact))]
  if (revisions !== undefined) {
    grains.push({
      name: revisions.name,
      about: [`Each version of ${code(table)} that follows another, beside the version before it.`],
      rows: revisions.columns.map((column) => typeColumn(column)),
    })
  }
  if (view === undefined) return grains
  const names = [ROW_GRAIN, ...Object.keys(sums.grains)].map((grain) => `'${grain}'`)
  grains.push({
    name: view.name,
    about: [
      `The current rows of ${code(table)}, single and summed by each grain. Always name one grain.`,
    ],
    rows: view.columns.map((column) =>
      column.name === 'grain'
        ? { name: 'grain', type: names.join(' | '), about: ['How the rows are summed.'] }
        : typeColumn(column, {
            notes: describeSum(column.name),
            isNullable: column.name !== 'row_count',
          }),
    ),
    past: { name: `${table}_sums`, asOf: `${table}_sums_as_of` },
  })
  return grains
}

function typeColumn(
  { name, type, nullable, description }: RelationColumn,
  { notes = [], isNullable = nullable }: { notes?: readonly string[]; isNullable?: boolean } = {},
): TypedColumn {
  const value = driverType(type)
  return {
    name,
    type: isNullable && value !== 'unknown' ? `${value} | null` : value,
    about: [...(description === null ? [] : [description]), ...notes, code(type)],
  }
}

function list(names: readonly string[]): string {
  return names.map(code).join(', ')
}

function code(text: string): string {
  return `\`${text}\``
}
