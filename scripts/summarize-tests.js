// `node scripts/summarize-tests.js <exit code of npm test>`: ends the gate with one line, `N passed, N failed`.
// Failures outside of a test count too: a file that cannot be read or set up, an uncaught error, coverage
// below its floor, a required S3 suite that did not run, or a bench that failed (BENCH_STATUS).
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'

const file = process.argv[3] ?? 'coverage/tests.json'
const exitCode = Number(process.argv[2])
const { env, stderr, stdout } = process

const faults = []
let counts = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, testResults: [] }
try {
  counts = JSON.parse(readFileSync(file, 'utf8'))
} catch {
  faults.push(`${file} was not written`)
}
for (const { name, status, assertionResults } of counts.testResults) {
  const has = (wanted) => assertionResults.some((test) => test.status === wanted)
  // Tests of a process that died. Vitest counts them neither as failed nor as skipped.
  const unended = assertionResults.filter((test) => test.status === 'pending')
  if (unended.length > 0) {
    const tests = `${unended.length} of its tests, the first of them '${unended[0].fullName}'`
    faults.push(`${place(name)} ended before ${tests}`)
  } else if (status === 'failed' && !has('failed')) {
    faults.push(`${place(name)} failed around its tests`)
  } else if (env.TIDEMARK_REQUIRE_S3 === '1' && name.endsWith('.s3.test.ts') && !has('passed')) {
    if (!has('failed')) faults.push(`${place(name)} did not run`)
  }
}
const isClean = counts.numFailedTests + faults.length === 0
if (isClean && (exitCode !== 0 || counts.success !== true)) {
  faults.push(`npm test ended with ${exitCode} though every test passed`)
}
if ((env.BENCH_STATUS ?? '0') !== '0') {
  faults.push('the bench found a figure beyond its limit, or could not measure it; see above')
}

for (const fault of faults) stderr.write(`${fault}\n`)
const skipped = counts.numPendingTests > 0 ? `, ${counts.numPendingTests} skipped` : ''
const failed = counts.numFailedTests + faults.length
stdout.write(`${counts.numPassedTests} passed, ${failed} failed${skipped}\n`)
process.exitCode = failed > 0 ? 1 : 0

function place(path) {
  return relative('.', path)
}
