import { type Deps, ingestionZone } from '../../../platform/deps.ts'
import { type Catalog, readCatalog } from '../../../platform/inspect/catalog.ts'
import { readLastCommit } from '../../../platform/lake/batch-log.ts'

/** The catalogue as of the newest batch. */
export interface KeptCatalog {
  /** Throws what `readCatalog` throws. */
  read(): Promise<Catalog>
}

/** Keeps the catalogue until there is another batch, because it reads every schema. */
export function keepCatalog(deps: Deps): KeptCatalog {
  let kept: { batch: number; catalog: Promise<Catalog> } | undefined
  return {
    async read() {
      const zone = ingestionZone(deps)
      const batch = (await readLastCommit(zone, kept?.batch))?.batch ?? 0
      if (kept?.batch !== batch) {
        const made = { batch, catalog: readCatalog(deps) }
        kept = made
        made.catalog.catch(() => {
          if (kept === made) kept = undefined
        })
      }
      return await kept.catalog
    },
  }
}
