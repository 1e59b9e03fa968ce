// Builds dist/, and records from which files. Plain JavaScript, so that a build needs only Node.
import { spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readInputs, RECORD } from './build-inputs.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const steps = [
  ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'],
  ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.types.json'],
  ['scripts/copy-sql.js'],
  ['scripts/copy-template.js'],
  ['scripts/bundle-assets.js'],
  ['scripts/bundle-cli.js'],
]

// Read first, so that a file that is edited meanwhile makes this build stale.
const inputs = readInputs(root)
rmSync(join(root, RECORD), { force: true })
for (const step of steps) {
  const { status } = spawnSync(process.execPath, step, { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
writeFileSync(join(root, RECORD), inputs)
