import { onlyRow } from '../io/postgres.ts'
import { NO_TIME_LIMITS } from '../io/session.ts'
import type { PublishedSchema } from '../lake/published-schema.ts'
import {
  asOfBatchFunction,
  asOfFunction,
  currentTable,
  historyView,
} from '../project/fact-names.ts'
import { type Model, sumsView } from '../project/model.ts'
import type { Project } from '../project/project.ts'
import { findUnderived } from '../warehouse/derive-tables.ts'
import { listWaiting } from '../warehouse/migrate.ts'
import type { RelationAction, RelationDifference } from '../warehouse/relation-difference.ts'
import { findRetired, isMadeAnew } from '../warehouse/replace-tables.ts'
import { loadedTables } from '../warehouse/sums.ts'
import { diffColumns } from '../warehouse/table-definition.ts'
import { inSnapshot, type WarehouseClient } from '../warehouse/warehouse.ts'
import type { RehearsalInput, RehearsedTables } from './rehearse-tables.ts'

/** What happens to the table of a model, and to what belongs to it. */
export interface PlannedTable extends Omit<RelationDifference, 'name' | 'isView'> {
  readonly table: string
  readonly kind: Model['kind']
  /** What makes the table. */
  readonly madeBy: 'model' | 'migration'
  /** The current rows, the history, the functions and the sums of a fact that are made with it. */
  readonly history: readonly string[]
}

/** A table or view that is not of a model. */
export interface OtherRelation {
  readonly name: string
  readonly action: RelationAction
}

/** What a rehearsal plans, in the order of the project's models. Pure. */
export function listPlanned(
  { models }: Project,
  { differences, present, derived, retired }: RehearsedTables,
): {
  tables: PlannedTable[]
  others: OtherRelation[]
  byHand: string[]
  retired: string[]
} {
  const own = new Map(differences.map((difference) => [difference.name, difference]))
  const [isPresent, isDerived] = [new Set(present), new Set(derived)]
  const parts = new Set<string>()
  const tables = models.flatMap((model): PlannedTable[] => {
    const { table, kind } = model
    const belonging = partsOf(model)
    for (const name of [table, ...belonging]) parts.add(name)
    const difference = own.get(table)
    const made = belonging.filter((name) => {
      const action = own.get(name)?.action
      return action === 'create' || action === 'anew'
    })
    if (difference === undefined && made.length === 0) return []
    const { name: _, isView: __, ...changes } = difference ?? { ...UNCHANGED, name: table }
    const isMade = changes.action === 'create' || changes.action === 'anew'
    const functions = kind === 'fact' && isMade ? functionsOf(table) : []
    const madeBy = isDerived.has(table) ? 'model' : 'migration'
    return [{ table, kind, madeBy, ...changes, history: [...made, ...functions] }]
  })
  return {
    tables,
    others: differences
      .filter(({ name }) => !parts.has(name))
      .map(({ name, action }) => ({ name, action })),
    byHand: models
      .map(({ table }) => table)
      .filter((table) => isPresent.has(table) && !isDerived.has(table)),
    retired: retired.map(({ table }) => table),
  }
}

const UNCHANGED: Omit<RelationDifference, 'name'> = {
  action: 'change',
  isView: false,
  added: [],
  dropped: [],
  retyped: [],
  required: [],
  optional: [],
  addedKeys: [],
  droppedKeys: [],
  addedIndexes: [],
  droppedIndexes: [],
  comments: 0,
}

/** The tables and views that belong to a model's table. */
function partsOf(model: Model): string[] {
  if (model.kind !== 'fact') return []
  const tables = loadedTables(model).filter((name) => name !== model.table)
  return [...tables, historyView(model), ...(model.sums === undefined ? [] : [sumsView(model)])]
}

function functionsOf(table: string): string[] {
  return [`${asOfFunction({ table })}(…)`, `${asOfBatchFunction({ table })}(…)`]
}

/**
 * What is planned as far as a comparison of definitions shows it, for a warehouse that cannot be
 * copied: waiting migrations, and the tables that are derived, without their keys. Read-only. Throws
 * what a run would throw.
 */
export async function planUnrehearsed(
  warehouse: WarehouseClient,
  { project, known, schemas }: RehearsalInput,
): Promise<{ migrations: string[]; tables: PlannedTable[]; retired: string[] }> {
  const { client } = warehouse
  const work = async () => {
    const found = await client.query<{ there: boolean }>(
      `select to_regclass('tidemark_table') is not null as there`,
    )
    const isPrepared = onlyRow(found).there
    const underived = isPrepared
      ? await findUnderived(warehouse, project, schemas)
      : schemas.map((schema) => ({ schema, before: undefined }))
    const retired =
      isPrepared && project.mirror === undefined ? await findRetired(client, project) : []
    return {
      migrations: await listWaiting(client, known),
      tables: underived.map(asPlanned),
      retired: retired.map(({ table }) => table),
    }
  }
  return await inSnapshot(warehouse, work, NO_TIME_LIMITS)
}

function asPlanned({
  schema,
  before,
}: {
  schema: PublishedSchema
  before: PublishedSchema | undefined
}): PlannedTable {
  const { table, kind } = schema
  const isAnew = isMadeAnew({ schema, before })
  const changes = diffColumns(
    before === undefined || isAnew ? { ...schema, columns: [] } : before,
    schema,
  )
  const names = (columns: readonly { readonly name: string }[]) => columns.map(({ name }) => name)
  const action = before === undefined ? 'create' : isAnew ? 'anew' : 'change'
  const isMade = action !== 'change' && kind === 'fact'
  return {
    ...UNCHANGED,
    table,
    kind,
    madeBy: 'model',
    action,
    added: changes.added.map(({ name, type, nullable }) => ({ name, type, nullable })),
    dropped: names(changes.dropped),
    retyped: changes.retyped.map(({ column: { name, type }, from }) => ({ name, from, to: type })),
    required: names(changes.tightened),
    optional: names(changes.loosened),
    history: isMade ? [currentTable({ table }), historyView({ table }), ...functionsOf(table)] : [],
  }
}
