#!/usr/bin/env node
import { runProgram } from './program.ts'

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The first asks to stop at a safe point; the second does not ask. Both are safe.
    if (stopping.signal.aborted) process.exit(130)
    stopping.abort()
  })
}
// `tidemark history … | head` closes our stdout early; that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

process.exitCode = await runProgram({
  argv: process.argv.slice(2),
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: stopping.signal,
})
