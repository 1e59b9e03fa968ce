import { type Deps, inForce, ingestionZone, processedZone } from '../deps.ts'
import { readLastCommit } from '../lake/batch-log.ts'
import type { Hold } from '../lake/commit-record.ts'
import { sumRows } from '../lake/table-entry.ts'
import { generationOf } from '../project/generation.ts'
import type { Model } from '../project/model.ts'
import { readQuarantine } from './quarantine.ts'

/** What is kept back of a table, and why. */
export interface TableQuality {
  readonly hold: Hold | undefined
  /** Deletions that the brake holds. */
  readonly heldDeletes: number
  /** Rows in quarantine. */
  readonly quarantined: number
  /** The same by reason and column, most first; of the newest rows if there are very many. */
  readonly reasons: readonly QualityReason[]
}

/** How many rows are in quarantine for one reason. */
export interface QualityReason {
  readonly reason: string
  readonly column: string | undefined
  readonly rows: number
}

/** How many rows of each zone are looked at. */
const MAX_ENTRIES = 1000

/** What is kept back of a table and of the source table that it is made from. Reads only the lake. */
export async function readTableQuality(given: Deps, model: Model): Promise<TableQuality> {
  const deps = await inForce(given)
  const [captured, transformed] = await Promise.all([
    readLastCommit(ingestionZone(deps)),
    readLastCommit(processedZone(deps, generationOf(deps.project))),
  ])
  const from = model.kind === 'fact' ? captured?.tables[model.from] : undefined
  const own = transformed?.tables[model.table]
  const quarantined = sumRows(from?.open ?? []) + sumRows(own?.open ?? [])
  return {
    hold: from?.held ?? own?.held,
    heldDeletes: from?.heldDeletes ?? 0,
    quarantined,
    reasons: quarantined === 0 ? [] : await readReasons(deps, model),
  }
}

async function readReasons(deps: Deps, model: Model): Promise<QualityReason[]> {
  const names = new Set([model.table, ...(model.kind === 'fact' ? [model.from] : [])])
  const found = new Map<string, QualityReason>()
  for (const table of names) {
    const { entries } = await readQuarantine(deps, { table, limit: MAX_ENTRIES })
    for (const { reason, column } of entries) {
      const key = JSON.stringify([reason, column])
      found.set(key, { reason, column, rows: (found.get(key)?.rows ?? 0) + 1 })
    }
  }
  return [...found.values()].toSorted((a, b) => b.rows - a.rows)
}
