import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's folder, from wherever in it this runs: as source, or compiled. */
export const repository = findUp(dirname(fileURLToPath(import.meta.url)))

function findUp(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : findUp(dirname(folder))
}
