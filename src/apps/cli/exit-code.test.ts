import { expect, it } from 'vitest'
import {
  ConfigError,
  ConflictError,
  ContractError,
  InterruptedError,
  TransientError,
} from '../../platform/errors.ts'
import type { RunReport } from '../../platform/pipeline.ts'
import { exitCodeOf, exitCodeOfRun } from './exit-code.ts'

it.each([
  [new InterruptedError('', { code: 'INTERRUPTED' }), 130],
  [new ConfigError('', { code: 'SOURCE_PASSWORD' }), 2],
  [new ContractError('', { code: 'SOURCE_TABLE_MISSING' }), 4],
  [new ContractError('', { code: 'KEY_NOT_UNIQUE' }), 4],
  [new ContractError('', { code: 'LAKE_DAMAGED' }), 1],
  [new ConflictError('', { code: 'RUN_LOCKED' }), 6],
  [new ConflictError('', { code: 'UP_RUNNING' }), 6],
  [new ConflictError('', { code: 'BATCH_TAKEN' }), 1],
  [new TransientError('', { code: 'SOURCE_UNREACHABLE' }), 1],
  [new TypeError('a bug'), 1],
])('exitCodeOf() says what kind of failure %s is', (error, code) => {
  expect(exitCodeOf(error)).toBe(code)
})

const done: RunReport = {
  runId: 'r',
  extracted: undefined,
  collected: undefined,
  transformed: undefined,
  loaded: undefined,
  failures: [],
  held: [],
  quarantined: 0,
  warnings: [],
  completeTo: undefined,
  delayMs: undefined,
  durationMs: 1,
}

it('I13 exitCodeOfRun() returns the code of the worst outcome', () => {
  const held = [{ table: 't', reason: 'table_missing', detail: 'there is no table t' }]
  const error = new TransientError('', { code: 'SOURCE_UNREACHABLE' })
  const failures = [{ stage: 'extract', error }] as const
  expect(exitCodeOfRun(done)).toBe(0)
  // Rows that break a check that warns are published: nothing is missing.
  expect(exitCodeOfRun({ ...done, warnings: [{ table: 't', check: 'c', rows: 1 }] })).toBe(0)
  expect(exitCodeOfRun({ ...done, quarantined: 1 })).toBe(3)
  expect(exitCodeOfRun({ ...done, quarantined: 1, held })).toBe(4)
  expect(exitCodeOfRun({ ...done, quarantined: 1, held, failures })).toBe(1)
})
