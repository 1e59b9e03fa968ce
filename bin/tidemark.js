#!/usr/bin/env node
// The command `tidemark`. It is committed, so that npx finds it in a clone before the first build.
import { existsSync } from 'node:fs'

const program = new URL('../dist/bundle/tidemark.js', import.meta.url)
if (existsSync(program)) {
  await import(program.href)
} else {
  // The build needs the packages.
  const hasPackages = existsSync(new URL('../node_modules', import.meta.url))
  const next = hasPackages ? 'npm run build' : 'npm ci && npm run build'
  process.stderr.write(`✕ Tidemark is not built yet   NOT_BUILT\n  Next: ${next}\n`)
  // As for any error that somebody must fix first: src/apps/cli/exit-code.ts.
  process.exitCode = 2
}
