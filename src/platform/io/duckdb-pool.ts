import { existsSync } from 'node:fs'
import { type DuckDb, type DuckDbOptions, openDuckDb } from './duckdb.ts'

/**
 * Keeps one DuckDB open between two uses. Opening and closing one takes 15 ms, and a small run needs
 * three, one after the other.
 */
export interface DuckDbPool extends AsyncDisposable {
  /** Opens a DuckDB, or lends the one that is kept. Throws what `openDuckDb` throws. */
  open(options: DuckDbOptions): Promise<DuckDb>
}

/** A pool without a DuckDB. Disposing of it closes the one that it keeps. */
export function createDuckDbPool({ idleMs = 60_000 }: { idleMs?: number } = {}): DuckDbPool {
  let kept:
    | { readonly db: DuckDb; readonly options: string; readonly timer: NodeJS.Timeout }
    | undefined
  let isOpen = true

  const take = async (options: string): Promise<DuckDb | undefined> => {
    if (kept?.options !== options) return undefined
    const { db, timer } = kept
    clearTimeout(timer)
    kept = undefined
    // Somebody may have emptied the scratch folder meanwhile.
    if (existsSync(db.scratchDir)) return db
    await db[Symbol.asyncDispose]()
    return undefined
  }
  /** Keeps it only as good as new: whatever went wrong ends with its database. */
  const giveBack = async (db: DuckDb, options: string): Promise<void> => {
    const mayBeKept = () => isOpen && kept === undefined && db.isClean()
    if (!mayBeKept() || !(await isCleared(db)) || !mayBeKept()) {
      await db[Symbol.asyncDispose]()
      return
    }
    const timer = setTimeout(() => {
      kept = undefined
      void db[Symbol.asyncDispose]()
    }, idleMs)
    timer.unref()
    kept = { db, options, timer }
  }
  return {
    async open(options) {
      const wanted = JSON.stringify(options)
      const db = (await take(wanted)) ?? (await openDuckDb(options))
      return { ...db, [Symbol.asyncDispose]: () => giveBack(db, wanted) }
    },
    async [Symbol.asyncDispose]() {
      isOpen = false
      if (kept === undefined) return
      clearTimeout(kept.timer)
      await kept.db[Symbol.asyncDispose]()
      kept = undefined
    },
  }
}

function isCleared(db: DuckDb): Promise<boolean> {
  return db.clear().then(
    () => true,
    () => false,
  )
}
