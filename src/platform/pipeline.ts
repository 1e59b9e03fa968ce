import type { Deps } from './deps.ts'
import { ConflictError } from './errors.ts'
import { extract, type ExtractOptions, type ExtractOutcome } from './extract.ts'
import { load, loadInto, type LoadOutcome } from './load.ts'
import type { HeldTable } from './report-drift.ts'
import { transform, type TransformOutcome } from './transform.ts'
import { confirmUnchanged, readLedgerHead } from './warehouse/ledger.ts'
import { openWarehouse } from './warehouse/warehouse.ts'

export { extract, load, transform }

export type Stage = 'extract' | 'transform' | 'load'

export interface StageFailure {
  readonly stage: Stage
  readonly error: unknown
}

/** What one run did. It is complete only if `failures` is empty (I13). */
export interface RunReport {
  readonly runId: string
  readonly extracted: ExtractOutcome | undefined
  readonly transformed: TransformOutcome | undefined
  readonly loaded: LoadOutcome | undefined
  readonly failures: readonly StageFailure[]
  readonly held: readonly HeldTable[]
  readonly quarantined: number
  /**
   * The warehouse holds everything committed to the source before this (source clock, ISO 8601);
   * older than this run where a stage failed, `undefined` where the warehouse is empty or away.
   */
  readonly completeTo: string | undefined
  readonly durationMs: number
}

/**
 * One run: extract → transform → load. Each stage catches up on whatever is pending, in order; one
 * that cannot work does not stop the others, so with the warehouse down changes are still captured
 * and transformed, and with the source down what was captured is still loaded.
 */
export async function run(deps: Deps, options: ExtractOptions = {}): Promise<RunReport> {
  const startedAt = performance.now()
  const failures: StageFailure[] = []
  const attempt = async <T>(stage: Stage, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work()
    } catch (error) {
      failures.push({ stage, error })
      return undefined
    }
  }

  const extracted = await attempt('extract', () => extractUncontested(deps, options))
  const transformed = await attempt('transform', () => transform(deps))
  const loaded = await attempt('load', () => loadAndConfirm(deps, extracted))

  return {
    runId: deps.runId,
    extracted,
    transformed,
    loaded: loaded?.outcome,
    failures,
    held: [...(extracted?.held ?? []), ...(transformed?.held ?? [])],
    quarantined: (extracted?.quarantined ?? 0) + (transformed?.quarantined ?? 0),
    completeTo: loaded?.completeTo,
    durationMs: Math.round(performance.now() - startedAt),
  }
}

/**
 * A conflict means the world moved while we looked: another run took the batch number, or a table
 * was rewritten. Look again.
 */
async function extractUncontested(deps: Deps, options: ExtractOptions): Promise<ExtractOutcome> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await extract(deps, options)
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error
      // An alteration that is still there is none: it says itself what is wrong.
      if (attempt === 3) throw error.code === 'SOURCE_ALTERED' ? error.cause : error
      deps.log({ event: 'extract_again', attempt, code: error.code })
    }
  }
}

async function loadAndConfirm(
  deps: Deps,
  extracted: ExtractOutcome | undefined,
): Promise<{ outcome: LoadOutcome; completeTo: string | undefined }> {
  await using warehouse = await openWarehouse(deps.warehouse)
  const outcome = await loadInto(deps, warehouse)
  const batch = extracted?.record?.batch ?? 0
  // Confirmed only if what was checked to be the newest batch is what the warehouse holds, and
  // nothing that happened in the source is held back.
  const isConfirmed = extracted?.committed === false && extracted.held.length === 0
  if (isConfirmed && batch > 0 && outcome.lastBatch === batch) {
    await confirmUnchanged(warehouse, { batch, takenAt: extracted.completeTo })
  }
  return { outcome, completeTo: (await readLedgerHead(warehouse))?.completeTo }
}
