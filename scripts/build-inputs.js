// Tells whether dist/ was built from the present files. Plain JavaScript, so that it works before the
// first build.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The file in dist/ that records from which files it was built. */
export const RECORD = 'dist/made-from'

/** Files and folders that decide what a build makes. */
const INPUTS = [
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'tsconfig.types.json',
]
const FOLDERS = ['scripts', 'src']
const NOT_BUILT = /\.(test|contract)\.ts$/

/** One checksum over the names and contents of all files from which `root` is built. */
export function readInputs(root) {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !NOT_BUILT.test(entry.name))
      .map(({ parentPath, name }) => join(parentPath, name)),
  )
  const hash = createHash('sha256')
  for (const file of [...INPUTS.map((name) => join(root, name)), ...files.toSorted()]) {
    const content = readFileSync(file)
    hash.update(`${file.slice(root.length)}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex')
}

/** Whether there is a build in `root` from the present files. */
export function isBuilt(root) {
  try {
    return readFileSync(join(root, RECORD), 'utf8') === readInputs(root)
  } catch {
    return false
  }
}
