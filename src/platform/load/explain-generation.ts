import { type Deps, processedZone } from '../deps.ts'
import { ContractError } from '../errors.ts'
import { readCommit } from '../lake/batch-log.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import { readDescription } from '../lake/generation-description.ts'
import type { Zone } from '../lake/zone.ts'
import { generationOf, isNewerEdition, isOtherModels, partsOf } from '../project/generation.ts'
import type { Loaded } from '../warehouse/ledger.ts'

/** What another generation means for a warehouse. */
export interface NewGeneration {
  /** Empty if a migration has replaced a derived table, whose rows are gone. */
  readonly from: string
  readonly to: string
  /** What differs: tables whose models changed, came or went, the contract, or Tidemark itself. */
  readonly why: readonly string[]
  /** The newest batch that the warehouse holds. All batches up to it are loaded again. */
  readonly batches: number
  /** Versions of facts and rows of dimensions that the warehouse holds now, if that is known. */
  readonly rows: number | undefined
}

/**
 * Explains why a warehouse that holds `loaded` gets another generation; undefined if it does not.
 * Reads two objects of the processed zone.
 */
export async function explainGeneration(
  deps: Deps,
  { batch, generation: from }: Pick<Loaded, 'batch' | 'generation'>,
): Promise<NewGeneration | undefined> {
  const to = generationOf(deps.project)
  if (from === to) return undefined
  const record = await findLoadedRecord(processedZone(deps, from === '' ? to : from), batch)
  const rows =
    record &&
    deps.project.models.reduce((sum, { kind, table }) => {
      const { records = 0, rows: count = 0 } = record.tables[table] ?? {}
      return sum + (kind === 'fact' ? records : count)
    }, 0)
  return {
    from,
    to,
    why: await explain(deps, { from, to }),
    batches: batch,
    rows,
  }
}

/** The record of a batch; undefined if it is gone or damaged, which may be why it is made again. */
async function findLoadedRecord(zone: Zone, batch: number): Promise<CommitRecord | undefined> {
  try {
    return await readCommit(zone, batch)
  } catch (error) {
    if (error instanceof ContractError) return undefined
    throw error
  }
}

async function explain(deps: Deps, { from, to }: { from: string; to: string }): Promise<string[]> {
  if (from === '') return ['a migration has replaced a derived table']
  if (!isOtherModels(from, deps.project)) {
    return [
      isNewerEdition(to, from)
        ? 'the processed zone was made again'
        : 'the processed zone was lost, and made again',
    ]
  }
  return await compareParts(deps, from)
}

/** What differs between the project and a generation, for people. */
async function compareParts(deps: Deps, from: string): Promise<string[]> {
  const before = (await readDescription(processedZone(deps, from)))?.parts
  if (before === undefined)
    return ['what changed is not known: an older version of Tidemark made the generation']
  const now = partsOf(deps.project)
  const tables = [...new Set([...Object.keys(before.models), ...Object.keys(now.models)])]
  const differences = tables.toSorted().flatMap((table) => {
    if (now.models[table] === before.models[table]) return []
    if (now.models[table] === undefined) return [`the model of ${table} is gone`]
    return [
      before.models[table] === undefined ? `${table} is new` : `the model of ${table} has changed`,
    ]
  })
  return [
    ...differences,
    ...(before.contract === now.contract
      ? []
      : ['the declaration of the source tables has changed']),
    ...(before.platform === now.platform ? [] : ['this version of Tidemark makes other rows']),
  ]
}
