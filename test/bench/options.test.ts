import { expect, it } from 'vitest'
import { PARTS, parseOptions, USAGE } from '../../bench/options.ts'

it('parseOptions() measures everything at a million orders unless told otherwise', () => {
  expect(parseOptions([])).toMatchObject({
    orders: 1_000_000,
    repetitions: 3,
    parts: PARTS,
    json: false,
  })
  expect(
    parseOptions(['--orders', '20000', '--only', 'small', '--only', 'runs', '--json']),
  ).toMatchObject({ orders: 20_000, parts: ['small', 'runs'], json: true })
})

it('parseOptions() gives the gate its own size and parts', () => {
  expect(parseOptions(['--gate'])).toMatchObject({
    orders: 100_000,
    parts: ['first_load', 'extract', 'bulk_change'],
  })
})

it.each(['--help', '-h'])(
  'parseOptions() answers %s with its usage, which names every part',
  (help) => {
    expect(parseOptions([help])).toEqual({ usage: USAGE, exitCode: 0 })
    for (const part of PARTS) expect(USAGE).toContain(part)
  },
)

it.each([
  ['--foo', "Unknown option '--foo'"],
  ['something', "Unexpected argument 'something'"],
  ['--only', "Option '--only <value>' argument missing"],
  ['--only nothing', '--only must be one of feeds, small'],
  ['--orders 0', '--orders must be a whole number from 1000; it is 0'],
  ['--orders -5', "Option '--orders' argument is ambiguous"],
  ['--orders=-5', '--orders must be a whole number from 1000; it is -5'],
  ['--repetitions x', '--repetitions must be a whole number from 1; it is x'],
  ['--seconds 1.5', '--seconds must be a whole number from 1; it is 1.5'],
  ['--gate --only small', '--gate has parts of its own'],
])('parseOptions() refuses %s in two lines, with exit code 2', (line, said) => {
  const found = parseOptions(line.split(' '))
  expect(found).toMatchObject({ exitCode: 2, usage: expect.stringContaining(said) as string })
  const lines = (found as { usage: string }).usage.split('\n')
  expect(lines).toHaveLength(2)
  expect(lines[1]).toBe('  Next: npm run bench -- --help')
})
