// Copies the sources of each project in src/ from which `tidemark init --template` makes files. Run
// after tsc, whose output knows which sources these are. Plain JavaScript, so that a build needs only Node.
import { existsSync, readdirSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { listSources, TEMPLATE_FOLDER } from '../dist/apps/init/template.js'

const root = fileURLToPath(new URL('..', import.meta.url))
for (const name of readdirSync(join(root, 'src'))) {
  const folder = join(root, 'src', name)
  if (!existsSync(join(folder, 'tidemark.config.ts'))) continue
  for (const path of listSources(folder)) {
    await cp(join(folder, path), join(root, 'dist', name, TEMPLATE_FOLDER, path))
  }
}
