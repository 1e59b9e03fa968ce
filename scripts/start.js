// `npm start`: the command `tidemark up`, after a build if there is none from the present files. Plain
// JavaScript, so that it works before the first build.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isBuilt } from './build-inputs.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const program = join(root, 'bin/tidemark.js')

if (existsSync(join(root, 'node_modules')) && !isBuilt(root)) {
  const isFirst = !existsSync(join(root, 'dist/bundle'))
  const why = isFirst ? 'for the first time' : 'because its files have changed'
  process.stderr.write(`  building Tidemark ${why}; this takes about ten seconds …\n`)
  const { status } = spawnSync(process.execPath, [join(root, 'scripts/build.js')], {
    stdio: 'inherit',
  })
  if (status !== 0) {
    process.stderr.write('✕ Tidemark could not be built   NOT_BUILT\n  Next: npm run build\n')
    process.exit(2)
  }
}
// In this process, so that Ctrl-C and exit codes are the program's own.
process.argv = [process.execPath, program, 'up', ...process.argv.slice(2)]
await import('../bin/tidemark.js')
