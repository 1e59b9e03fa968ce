#!/usr/bin/env node
import { readCall } from './call.ts'
import { lastingStream } from './lasting-stream.ts'
import { jsonLine } from './output.ts'
import { standardProject } from '../../standard-project.ts'
import { runProgram } from './program.ts'

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The first signal stops at a safe point, the second at once. Both are safe.
    if (stopping.signal.aborted) process.exit(130)
    stopping.abort()
  })
}

const isJson = process.argv.includes('--json')
const stdout = lastingStream(process.stdout, ({ lines, code }) =>
  isJson ? jsonLine({ event: 'output_lost', lines, code }) : describeLost('here', { lines, code }),
)
const stderr = lastingStream(process.stderr, (lost) => describeLost('here', lost))

process.exitCode = await runProgram({
  argv: process.argv.slice(2),
  env: process.env,
  given: standardProject,
  call: readCall(process.argv[1], process.env),
  stdout,
  stderr,
  signal: stopping.signal,
})
await stdout.settled()
// `tidemark history … | head` closes our stdout early. Nobody misses the rest.
if (stdout.lost !== undefined && stdout.lost.code !== 'EPIPE') {
  stderr.write(describeLost('to stdout', stdout.lost))
}

function describeLost(where: string, { lines, code }: { lines: number; code: string }): string {
  return `  ${lines} ${lines === 1 ? 'line' : 'lines'} could not be written ${where} [${code}]\n`
}
