// Copies every .sql file under src/ to the same place in dist/ (or the given folder), because tsc does
// not. Plain JavaScript, so that a build needs only Node.
import { cp, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const target = join(root, process.argv[2] ?? 'dist')
const names = await readdir(join(root, 'src'), { recursive: true })
for (const name of names.filter((path) => path.endsWith('.sql'))) {
  await cp(join(root, 'src', name), join(target, name))
}
