import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { ConfigError } from '../../platform/errors.ts'
import { NO_ROWS } from '../../platform/lake/table-entry.ts'
import { createOutput, type OutputOptions } from './output.ts'

const NO_CHANGE = { added: [], removed: [], changed: [], reordered: false }

function capture(options: Partial<OutputOptions> & { isTTY?: boolean } = {}) {
  const written = { out: '', err: '' }
  const output = createOutput({
    stdout: { write: (text) => (written.out += text) },
    stderr: { write: (text) => (written.err += text), isTTY: options.isTTY ?? false, columns: 40 },
    isJson: false,
    call: 'tidemark',
    isQuiet: false,
    isColored: false,
    ...options,
  })
  return { output, written }
}

it('print() goes to stdout, note() to stderr, and neither with --json', () => {
  const people = capture()
  people.output.print('result')
  people.output.note('step')
  expect(people.written).toEqual({ out: 'result\n', err: 'step\n' })
  const machine = capture({ isJson: true })
  machine.output.print('result')
  machine.output.note('step')
  machine.output.emit({ event: 'replayed', before: 3, after: 0 })
  expect(machine.written.err).toBe('')
  expect(JSON.parse(machine.written.out)).toMatchObject({ event: 'replayed', before: 3, after: 0 })
})

it('write() changes no byte, and is silent with --json', () => {
  const text = '\u001B[2J✓ José\r\n'
  const people = capture({ isAscii: true })
  people.output.write(text)
  expect(people.written).toEqual({ out: text, err: '' })
  const machine = capture({ isJson: true })
  machine.output.write(text)
  expect(machine.written.out).toBe('')
})

it('note() is silent with --quiet, print() is not', () => {
  const { output, written } = capture({ isQuiet: true })
  output.note('step')
  output.log({ event: 'rows_read', batch: 1, table: 't', rows: 5 })
  output.print('result')
  expect(written).toEqual({ out: 'result\n', err: '' })
})

it('log() redraws progress on a terminal and clears it before anything else', () => {
  const { output, written } = capture({ isTTY: true })
  output.log({ event: 'rows_read', batch: 1, table: 'sales_order', rows: 12_345 })
  expect(written.err).toBe('\r\u001B[2K  reading sales_order: 12,345 rows')
  output.note('step')
  expect(written.err.endsWith('\r\u001B[2Kstep\n')).toBe(true)
})

it('log() does not redraw in a pipe', () => {
  const { output, written } = capture()
  output.log({ event: 'rows_read', batch: 1, table: 'sales_order', rows: 5 })
  output.log({ event: 'table_verified', table: 'sales_order', where: 'lake', rows: 5 })
  expect(written.err).toBe('')
})

it('log() writes what a person must know: alerts, large tables, whole comparisons', () => {
  const { output, written } = capture()
  output.log({ event: 'deletes_held', level: 'alert', table: 'payment', deletes: 900, rows: 1000 })
  output.log({
    event: 'rows_quarantined',
    level: 'alert',
    table: 'fact_payment',
    batch: 3,
    rows: 2,
    reasons: ['not_null payment_date'],
  })
  const detail = 'column name is gone'
  output.log({ event: 'table_held', level: 'alert', table: 'staff', reason: 'column', detail })
  output.log({ event: 'table_released', table: 'staff', since: '2024-01-01T00:00:00Z' })
  const columns = { added: ['a'], removed: [], changed: [], reordered: false }
  output.log({ event: 'shape_changed', table: 'staff', ...columns })
  output.log({ event: 'table_ignored', relation: 'public.other' })
  output.log({ event: 'keys_unreachable', level: 'alert', path: '/sales' })
  const captured = { ...NO_ROWS, event: 'table_captured', batch: 3 } as const
  output.log({ ...captured, table: 'payment', read: 250_000 })
  output.log({ ...captured, table: 'staff', read: 20 })
  const why = 'another shape'
  output.log({ event: 'table_compared_whole', level: 'warn', table: 'staff', why })
  output.clear()
  expect(written.err.split('\n')).toEqual([
    '  ! payment: 900 of 1,000 rows are gone from the source; the deletions are held. If that is right: tidemark run --confirm-deletes payment',
    '  ! fact_payment: 2 rows of batch 3 went to quarantine (not_null payment_date). See them: tidemark quarantine list',
    '  ! staff is held: column name is gone. All other tables go on. Once this is fixed, the next run catches up.',
    '  ✓ staff is no longer held',
    '  staff has a new schema: tidemark catalog',
    '  public.other is not one of the tables to capture, and is left alone',
    "  ! The issuer's keys cannot be fetched, so no token can be checked.",
    '  ✓ payment: 250,000 rows read',
    '  staff is compared as a whole: another shape',
    '',
  ])
})

it('log() makes one line of equal events for several tables in a row, and --json writes each', () => {
  const machine = capture({ isJson: true })
  const { output, written } = capture()
  const log: typeof output.log = (entry) => {
    output.log(entry)
    machine.output.log(entry)
  }
  const why = 'the source was restarted'
  const compared = { event: 'table_compared_whole', level: 'warn' } as const
  for (const table of ['a', 'b', 'c', 'd', 'e']) log({ ...compared, table, why })
  log({ ...compared, table: 'f', why: 'another' })
  for (const relation of ['x', 'y', 'z']) log({ event: 'table_ignored', relation })
  log({ event: 'table_released', table: 'staff', since: '2024-01-01T00:00:00Z' })
  for (const table of ['g', 'h']) log({ event: 'shape_changed', table, ...NO_CHANGE })
  output.note('the end')
  expect(written.err.trimEnd().split('\n')).toEqual([
    '  a, b, c and 2 more are compared as a whole: the source was restarted',
    '  f is compared as a whole: another',
    '  x, y and z are not among the tables to capture, and are left alone',
    '  ✓ staff is no longer held',
    '  g and h have a new schema: tidemark catalog',
    'the end',
  ])
  expect(machine.written.out.trimEnd().split('\n')).toHaveLength(12)
})

it('log() writes a gathered line as soon as the current code has run', async () => {
  const { output, written } = capture()
  const compared = { event: 'table_compared_whole', level: 'warn' } as const
  output.log({ ...compared, table: 'a', why: 'of this' })
  await Promise.resolve()
  expect(written.err).toBe('  a is compared as a whole: of this\n')
})

it('log() says once that a feed is away, however often it was tried', () => {
  const { output, written } = capture()
  const entry = { event: 'feed_unreachable', level: 'warn', table: 'exchange_rate' } as const
  for (const reason of ['https://rates.example cannot be reached', 'again']) {
    output.log({ ...entry, code: 'FEED_UNREACHABLE', reason })
  }
  output.log({ ...entry, code: 'DROP_DENIED', reason: 'The drop may not be read' })
  expect(written.err.trimEnd().split('\n')).toEqual([
    '  https://rates.example cannot be reached; the last known values are used',
    '  The drop may not be read; the last known values are used',
  ])
})

it('log() says once why a table could not be read, and what to do', () => {
  const { output, written } = capture()
  const entry = { event: 'table_failed', level: 'warn', batch: 3, table: 'staff' } as const
  const unreadable = { message: 'Table staff: Totesys cannot read it [XX001]', hint: 'psql' }
  output.log({ ...entry, code: 'TABLE_UNREADABLE', ...unreadable })
  output.log({ ...entry, code: 'TABLE_UNREADABLE', ...unreadable })
  output.log({ ...entry, code: 'SCRATCH_FULL', message: 'It is full', hint: 'free some space' })
  expect(written.err.trimEnd().split('\n')).toEqual([
    '  staff: Totesys cannot read it [XX001]',
    '  Next: psql',
    '  staff: It is full',
    '  Next: free some space',
  ])
})

it('I15 fail() blames the machine, not a bug, for an error of its system', async () => {
  const { output, written } = capture()
  const refused: unknown = await readFile('/no/such/file').catch((error: unknown) => error)
  output.fail(refused)
  expect(written.err).toContain('This machine refused to open: ENOENT')
  expect(written.err).toContain('SYSTEM')
  expect(written.err).not.toContain('bug')
})

it('fail() says what happened, the code and the next command', () => {
  const { output, written } = capture()
  output.fail(new ConfigError('Cannot do it', { code: 'NO_WAY', hint: 'tidemark doctor' }))
  expect(written.err).toBe('✕ Cannot do it   NO_WAY\n  Next: tidemark doctor\n')
})

it('fail() shows the stack of a bug, and gives machines the code', () => {
  const people = capture()
  people.output.fail(new TypeError('oops'))
  expect(people.written.err).toContain('UNEXPECTED')
  expect(people.written.err).toContain('output.test.ts')
  const machine = capture({ isJson: true })
  machine.output.fail('just text')
  expect(JSON.parse(machine.written.out)).toMatchObject({
    event: 'failed',
    code: 'UNEXPECTED',
    message: 'just text',
  })
})

it('hints name the command as it must be typed, for people and not with --json', () => {
  const hint = 'fix it; then: tidemark doctor'
  const people = capture({ call: 'npx tidemark', isColored: true })
  people.output.fail(new ConfigError('Cannot do it', { code: 'NO_WAY', hint: 'tidemark doctor' }))
  people.output.fail(new ConfigError('Nor this', { code: 'NO_WAY', hint }))
  people.output.log({ event: 'shape_changed', table: 'staff', ...NO_CHANGE })
  people.output.note(`  Try: ${people.output.style('cyan', 'tidemark verify')} · tidemark status`)
  people.output.advise('  1 row in quarantine   Next: tidemark quarantine show 7')
  people.output.advise('  tidemark up   is a title, and tidemark serve a word')
  people.output.print('a value: tidemark verify')
  expect(people.written.err.match(/(npx )?tidemark \w+/g)).toEqual([
    'npx tidemark doctor',
    'npx tidemark doctor',
    'npx tidemark catalog',
    'npx tidemark verify',
    'npx tidemark status',
  ])
  expect(people.written.out.match(/(npx )?tidemark \w+/g)).toEqual([
    'npx tidemark quarantine',
    'tidemark up',
    'tidemark serve',
    'tidemark verify',
  ])
  const machine = capture({ call: 'npx tidemark', isJson: true })
  machine.output.fail(new ConfigError('Cannot do it', { code: 'NO_WAY', hint }))
  expect(JSON.parse(machine.written.out)).toMatchObject({ hint })
})

it('style() colours only if colours are wanted', () => {
  const { output, written } = capture({ isColored: true })
  output.print(output.style('green', 'fine'))
  expect(written.out).toBe('\u001B[32mfine\u001B[39m\n')
})
