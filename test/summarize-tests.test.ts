import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'

const script = fileURLToPath(new URL('../scripts/summarize-tests.js', import.meta.url))
const folder = mkdtempSync(join(os.tmpdir(), 'tidemark-summary-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A file's results as Vitest's JSON reporter writes them. */
function results(name: string, status: 'passed' | 'failed', ...tests: string[]): object {
  return { name, status, assertionResults: tests.map((test) => ({ status: test })) }
}

function summarize(
  { exitCode = 0, env = {}, ...report }: Record<string, unknown> & { exitCode?: number },
  written: unknown = { success: true, numFailedTests: 0, numPendingTests: 0, ...report },
): { last: string | undefined; stderr: string; status: number | null } {
  const file = join(folder, 'tests.json')
  rmSync(file, { force: true })
  if (written !== null) writeFileSync(file, JSON.stringify(written))
  const { stdout, stderr, status } = spawnSync(process.execPath, [script, String(exitCode), file], {
    encoding: 'utf8',
    env: env as NodeJS.ProcessEnv,
  })
  return { last: stdout.trimEnd().split('\n').at(-1), stderr, status }
}

it('says what passed, and what was skipped, if anything', () => {
  const testResults = [results('a.test.ts', 'passed', 'passed', 'passed')]
  expect(summarize({ numPassedTests: 2, testResults })).toMatchObject({
    last: '2 passed, 0 failed',
    status: 0,
  })
  const { last } = summarize({ numPassedTests: 2, numPendingTests: 3, testResults })
  expect(last).toBe('2 passed, 0 failed, 3 skipped')
})

it('counts a failed test once', () => {
  const testResults = [results('a.test.ts', 'failed', 'passed', 'failed')]
  const report = { numPassedTests: 1, numFailedTests: 1, success: false, exitCode: 1, testResults }
  expect(summarize(report)).toMatchObject({ last: '1 passed, 1 failed', status: 1 })
})

it('counts a bench that failed', () => {
  const testResults = [results('a.test.ts', 'passed', 'passed')]
  const outcome = (status: string) =>
    summarize({ numPassedTests: 1, testResults, env: { BENCH_STATUS: status } })
  expect(outcome('0')).toMatchObject({ last: '1 passed, 0 failed', status: 0 })
  expect(outcome('1')).toMatchObject({ last: '1 passed, 1 failed', status: 1 })
  expect(outcome('1').stderr).toContain('the bench found a figure beyond its limit')
})

it('counts a file that failed before, after or without its tests', () => {
  const testResults = [
    results('before.test.ts', 'failed', 'skipped', 'skipped'),
    results('after.test.ts', 'failed', 'passed'),
    results('import.test.ts', 'failed'),
  ]
  const numbers = { numPassedTests: 1, numPendingTests: 2, success: false, exitCode: 1 }
  const { last, stderr, status } = summarize({ ...numbers, testResults })
  expect(last).toBe('1 passed, 3 failed, 2 skipped')
  expect(stderr).toContain('before.test.ts failed around its tests')
  expect(status).toBe(1)
})

it('names a file whose process died, and the tests that did not end', () => {
  const testResults = [
    results('a.test.ts', 'passed', 'passed'),
    {
      ...results('dead.test.ts', 'passed', 'passed'),
      assertionResults: [
        { status: 'passed', fullName: 'begins' },
        { status: 'pending', fullName: 'goes on' },
        { status: 'pending', fullName: 'ends' },
        { status: 'skipped', fullName: 'waits' },
      ],
    },
  ]
  const numbers = { numPassedTests: 2, numPendingTests: 1, success: true, exitCode: 1 }
  const { last, stderr, status } = summarize({ ...numbers, testResults })
  expect(last).toBe('2 passed, 1 failed, 1 skipped')
  expect(stderr).toBe("dead.test.ts ended before 2 of its tests, the first of them 'goes on'\n")
  expect(status).toBe(1)
})

it.each([
  ['an error that nobody caught', { success: false, exitCode: 1 }],
  ['coverage under its floor', { success: true, exitCode: 1 }],
])('never says 0 failed after %s', (_what, outcome) => {
  const testResults = [results('a.test.ts', 'passed', 'passed')]
  expect(summarize({ numPassedTests: 1, ...outcome, testResults })).toMatchObject({
    last: '1 passed, 1 failed',
    status: 1,
  })
})

it('never says 0 failed without a report', () => {
  expect(summarize({ exitCode: 1 }, null)).toMatchObject({
    last: '0 passed, 1 failed',
    status: 1,
  })
})

it('counts an S3 suite that did not run although it was required', () => {
  const testResults = [
    results('a.test.ts', 'passed', 'passed'),
    results('src/lake.s3.test.ts', 'passed', 'skipped', 'skipped'),
  ]
  const report = { numPassedTests: 1, numPendingTests: 2, testResults }
  expect(summarize(report)).toMatchObject({ last: '1 passed, 0 failed, 2 skipped', status: 0 })
  const required = summarize({ ...report, env: { TIDEMARK_REQUIRE_S3: '1' } })
  expect(required).toMatchObject({ last: '1 passed, 1 failed, 2 skipped', status: 1 })
  expect(required.stderr).toContain('lake.s3.test.ts did not run')
})
