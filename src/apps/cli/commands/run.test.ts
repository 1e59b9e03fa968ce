import { expect, it } from 'vitest'
import { parseConfig } from '../../../platform/config.ts'
import { ContractError, InterruptedError, TransientError } from '../../../platform/errors.ts'
import type { ExtractOutcome } from '../../../platform/extract/extract.ts'
import type { RowCounts } from '../../../platform/lake/commit-record.ts'
import { NO_ROWS } from '../../../platform/lake/table-entry.ts'
import type { RunReport, Stage } from '../../../platform/pipeline.ts'
import { createOutput } from '../output.ts'
import { pauseAfter, reportRun } from './run.ts'

/** What reportRun() writes for people. */
function reported(change: Partial<RunReport>): { out: string; err: string } {
  const written = { out: '', err: '' }
  const output = createOutput({
    stdout: { write: (text) => (written.out += text) },
    stderr: { write: (text) => (written.err += text) },
    isJson: false,
    call: 'tidemark',
    isQuiet: false,
    isColored: false,
  })
  const signal = new AbortController().signal
  const context = { output, config: parseConfig({}), signal }
  reportRun(context, { now: () => new Date() }, { ...report, ...change })
  return written
}

const report: RunReport = {
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
  durationMs: 400,
}

function extracted(counts: Partial<RowCounts>): ExtractOutcome {
  const table = {
    counts: { ...NO_ROWS, ...counts },
    changes: [],
    quarantine: [],
    open: [],
    state: [],
    rows: 1,
  }
  return {
    committed: true,
    completeTo: new Date().toISOString(),
    held: [],
    quarantined: 0,
    record: {
      lake: undefined,
      batch: 7,
      previous: 6,
      previousChecksum: undefined,
      madeFrom: undefined,
      checksum: '0'.repeat(64),
      standing: { complete: 7, tables: {}, ignored: 7 },
      snapshot: {
        xmin: '1',
        xmax: '1',
        inFlight: [],
        takenAt: new Date().toISOString(),
        systemId: 's',
        timeline: 1,
        standby: false,
      },
      tables: { thing: table },
      writer: { version: '0', runId: 'r' },
    },
  }
}

const failed = (...stages: Stage[]) =>
  stages.map((stage) => ({ stage, error: new TransientError('It is away', { code: 'AWAY' }) }))

it('reportRun() says what changed, in one line', () => {
  const loaded = { batches: [7], lastBatch: 7, isCutShort: false }
  const { out } = reported({
    extracted: extracted({ inserted: 14, updated: 3, deleted: 1 }),
    loaded,
    completeTo: new Date().toISOString(),
  })
  expect(out).toMatch(
    /batch 7 {2}✓ {2}14 new {2}3 changed {2}1 deleted +0\.4 s {3}\d.* behind the source\n/,
  )
})

it('reportRun() says what was pending, or that nothing was new', () => {
  expect(reported({ loaded: { batches: [3, 4], lastBatch: 4, isCutShort: false } }).out).toContain(
    '2 pending batches loaded',
  )
  expect(reported({ loaded: { batches: [], lastBatch: 4, isCutShort: false } }).out).toContain(
    'nothing new',
  )
})

it('reportRun() calls no batch pending that the run itself captured', () => {
  const loaded = { batches: [7], lastBatch: 7, isCutShort: false }
  const quiet = extracted({})
  expect(reported({ extracted: quiet, loaded }).out).toMatch(/batch 7 {2}✓ {2}no row changed /)
  expect(reported({ extracted: quiet, loaded, quarantined: 2 }).out).toContain('2 rows refused')
  const both = { ...loaded, batches: [6, 7] }
  expect(reported({ extracted: quiet, loaded: both }).out).toContain('1 pending batch loaded')
  const { thing } = quiet.record?.tables ?? {}
  const hold = { reason: 'locked', detail: 'it is locked', since: 7, sinceAt: '' }
  if (thing !== undefined) thing.held = hold
  expect(reported({ extracted: quiet, loaded }).out).toContain('held: thing')
  hold.since = 3
  expect(reported({ extracted: quiet, loaded }).out).toContain('no row changed')
})

it('reportRun() says what a failed run did anyway, and what the next one will do', () => {
  const captured = extracted({ inserted: 1 })
  expect(reported({ failures: failed('extract') }).err).toContain(
    'Nothing was captured by this run',
  )
  expect(reported({ extracted: captured, failures: failed('transform') }).err).toContain(
    'Batch 7 is captured; the next run transforms and loads what is pending.',
  )
  expect(reported({ extracted: captured, failures: failed('load') }).err).toContain(
    'Batch 7 is captured and transformed; the next run loads what is pending.',
  )
  const quiet = { ...captured, committed: false }
  expect(reported({ extracted: quiet, failures: failed('load') }).err).toContain(
    'There was nothing new to capture; the next run loads what is pending.',
  )
})

it('reportRun() says once what several stages met, and each other error', () => {
  const lost = (stage: Stage) => ({
    stage,
    error: new ContractError('The ingestion zone ends at batch 1', {
      code: 'LAKE_BEHIND',
      hint: 'restore it',
    }),
  })
  const { err } = reported({
    failures: [lost('extract'), lost('transform'), ...failed('load'), lost('load')],
  })
  expect(err.split('ends at batch 1')).toHaveLength(2)
  expect(err.indexOf('ends at batch 1')).toBeLessThan(err.indexOf('It is away'))
})

it('reportRun() says when the promise breaks, or broke', () => {
  const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString()
  const failures = failed('extract')
  expect(reported({ failures, completeTo: ago(12) }).err).toMatch(/12 min ago; .* 30 min breaks at/)
  expect(reported({ failures, completeTo: ago(45) }).err).toMatch(/45 min ago; .* 30 min broke at/)
})

it('reportRun() does not report a requested stop as an error', () => {
  const error = new InterruptedError('Stopped', { code: 'INTERRUPTED' })
  const { err, out } = reported({ failures: [{ stage: 'transform', error }] })
  expect(err + out).not.toContain('✕')
})

it('I13 reportRun() names held tables even if nothing else happened', () => {
  const held = [{ table: 'staff', reason: 'permission', detail: 'table staff may not be read' }]
  const { err } = reported({ loaded: { batches: [], lastBatch: 4, isCutShort: false }, held })
  expect(err).toBe('   ! held: staff (permission)   see tidemark status\n')
})

it('reportRun() counts the rows that are published although they break a check', () => {
  const warnings = [
    { table: 'fact_sale', check: 'positive', rows: 1 },
    { table: 'dim_item', check: 'named', rows: 1200 },
  ]
  const { err } = reported({ loaded: { batches: [4], lastBatch: 4, isCutShort: false }, warnings })
  expect(err).toBe(
    '   ! published: 1 row of fact_sale breaks the check positive   see tidemark status\n' +
      '   ! published: 1,200 rows of dim_item break the check named   see tidemark status\n',
  )
})

const found = { batches: [7], lastBatch: 7, isCutShort: false }
const nothing = { batches: [], lastBatch: 7, isCutShort: false }

it.each([
  ['a run that found something, every 500 ms', { loaded: found }, { everyMs: 500 }, 0],
  ['a run that found something, every second', { loaded: found }, { everyMs: 1000 }, 0],
  ['a run that found nothing', { loaded: nothing }, { everyMs: 500 }, 300],
  ['a run that found nothing and took too long', { loaded: nothing }, { everyMs: 100 }, 0],
  ['a longer interval, which spares the source', { loaded: found }, { everyMs: 5000 }, 4800],
  [
    'a run that failed after it loaded something',
    { loaded: found, failures: failed('extract') },
    { everyMs: 500 },
    300,
  ],
])('pauseAfter() waits after %s', (_, change, { everyMs }, pauseMs) => {
  expect(pauseAfter({ ...report, ...change }, { everyMs, tookMs: 200 })).toBe(pauseMs)
})

it('reportRun() says how old changes were, at most, when they became visible', () => {
  const { out } = reported({ loaded: found, delayMs: 1234 })
  expect(out).toContain('visible at most 1.2 s after commit')
  expect(reported({ loaded: nothing }).out).not.toContain('visible')
})
