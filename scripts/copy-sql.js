// Copies every .sql file under src/ to the same place in dist/, because tsc does not. Two arguments name
// another target and source folder. Plain JavaScript, so that a build needs only Node.
import { cp, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const [to = 'dist', from = 'src'] = process.argv.slice(2)
const names = await readdir(join(root, from), { recursive: true })
for (const name of names.filter((path) => path.endsWith('.sql'))) {
  await cp(join(root, from, name), join(root, to, name))
}
