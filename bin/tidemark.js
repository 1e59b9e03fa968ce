#!/usr/bin/env node
// The command `tidemark`. It is committed, so that npx finds it in a clone before the first build.
import { existsSync } from 'node:fs'

const program = new URL('../dist/apps/cli/tidemark.js', import.meta.url)
if (existsSync(program)) {
  await import(program.href)
} else {
  process.stderr.write('✕ Tidemark is not built yet   NOT_BUILT\n  Next: npm run build\n')
  // As for any error that somebody must fix first: src/apps/cli/exit-code.ts.
  process.exitCode = 2
}
