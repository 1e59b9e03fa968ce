import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { TidemarkError, TransientError } from '../../platform/errors.ts'
import { fieldsOf } from '../../platform/log.ts'
import type { CollectOutput } from './collect.lambda.ts'
import { AWS_EVENTS } from './events.ts'
import type { ExtractOutput } from './extract.lambda.ts'
import type { LoadOutput } from './load.lambda.ts'
import { createLog, publicError, publishMetrics } from './logging.ts'
import type { TransformOutput } from './transform.lambda.ts'

let printed = ''
beforeEach(() => {
  printed = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    printed += String(chunk)
    return true
  })
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    printed += String(chunk)
    return true
  })
})
afterEach(() => {
  vi.restoreAllMocks()
})
const lines = () =>
  printed
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

it('createLog() writes one object a line, whose message is the event', () => {
  const log = createLog('extract', { runId: 'r1' })
  log({ event: 'rows_read', batch: 1, table: 'staff', rows: 3 })
  log({ event: 'time_short', level: 'warn' })
  const failed = { event: 'request_failed', level: 'alert', path: '/', status: 500 } as const
  log({ ...failed, code: 'UNEXPECTED', message: 'in words' })
  expect(lines()).toMatchObject([
    {
      level: 'INFO',
      message: 'rows_read',
      table: 'staff',
      rows: 3,
      function: 'extract',
      runId: 'r1',
    },
    { level: 'WARN', message: 'time_short' },
    { level: 'CRITICAL', message: 'request_failed', text: 'in words' },
  ])
})

it('stage_finished has every field that a stage passes on', () => {
  type Passed = Partial<ExtractOutput & CollectOutput & TransformOutput & LoadOutput>
  // One that is missing, or of another type, fails `npm run types`.
  expect(Object.keys(fieldsOf<Passed>(AWS_EVENTS.stage_finished.fields))).toContain('durationMs')
})

it('publishMetrics() writes metrics in the embedded metric format, and nothing without metrics', () => {
  publishMetrics({ freshness: 1.5, quarantined: 0 })
  const [line] = lines()
  expect(line).toMatchObject({ FreshnessSeconds: 1.5, RowsQuarantined: 0, service: 'tidemark' })
  expect(JSON.stringify(line?.['_aws'])).toContain('"Namespace":"Tidemark"')
})

it('publicError() keeps name, code and hint of our errors, and drops the cause', () => {
  const cause = Object.assign(new Error('Key (email)=(ada@example.com) exists'), { detail: 'row' })
  const shown = publicError(
    new TransientError('The warehouse is away', { code: 'WAREHOUSE_BUSY', hint: 'wait', cause }),
  )
  expect(shown).toMatchObject({ name: 'TransientError' })
  expect(shown.message).toBe('The warehouse is away [WAREHOUSE_BUSY] · wait')
  expect(JSON.stringify(shown, Object.getOwnPropertyNames(shown))).not.toContain('ada@')
  expect(shown.stack).toMatch(/^TransientError: .*\n +at /)
  const plain = publicError(new TidemarkError('It is so', { code: 'SO' }))
  expect(plain.message).toBe('It is so [SO]')
})

it('publicError() shows only the kind of any other error', () => {
  const faults = [
    Object.assign(new TypeError('cannot read "ada@example.com"'), { code: '22P02' }),
    new RangeError('ada@example.com'),
    'ada@example.com',
    { code: 'ODD' },
  ]
  expect(faults.map((fault) => publicError(fault).message)).toEqual([
    'Unexpected error: TypeError [22P02]',
    'Unexpected error: RangeError',
    'Unexpected error: Error',
    'Unexpected error: Error [ODD]',
  ])
  for (const fault of faults) {
    const shown = publicError(fault)
    expect(shown.name).toBe('UnexpectedError')
    expect(`${shown.message}${shown.stack}`).not.toContain('ada@')
  }
})
