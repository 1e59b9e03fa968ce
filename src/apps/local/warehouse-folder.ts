import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../../platform/config.ts'

/** The folder of the home that holds the embedded warehouse. */
export const WAREHOUSE_FOLDER = 'warehouse'

/** Whether a home holds an embedded warehouse. */
export function hasEmbeddedWarehouse({
  TIDEMARK_HOME: home,
}: Pick<Config, 'TIDEMARK_HOME'>): boolean {
  return existsSync(join(home, WAREHOUSE_FOLDER))
}
