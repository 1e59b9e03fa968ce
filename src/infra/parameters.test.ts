import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  alarmPeriodMinutes,
  describeParameters,
  freshnessMinutes,
  parseParameters,
} from './parameters.ts'
import { EVERYTHING } from './synthesize.ts'

describe('parseParameters()', () => {
  it('needs none', () => {
    expect(parseParameters()).toMatchObject({ name: 'tidemark', scheduleMinutes: 1 })
  })

  it('takes text, as the command line has nothing else', () => {
    const { scheduleMinutes, network, warehouse } = parseParameters({
      scheduleMinutes: '2',
      network: 'true',
      warehouse: 'true',
    })
    expect([scheduleMinutes, network, warehouse]).toEqual([2, true, true])
  })

  it('takes a file, and context over it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tidemark-parameters-'))
    try {
      const file = join(folder, 'production.json')
      writeFileSync(file, JSON.stringify({ name: 'from-file', logDays: 90 }))
      const { name, logDays } = parseParameters({ parameters: file, name: 'from-context' })
      expect([name, logDays]).toEqual(['from-context', 90])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('names a file that cannot be read', () => {
    expect(() => parseParameters({ parameters: '/nowhere.json' })).toThrow(
      /parameter file \/nowhere\.json cannot be read/,
    )
  })

  it.each([
    [{ scheduelMinutes: 1 }, 'scheduelMinutes: there is no such parameter'],
    [{ name: 'Tide mark' }, 'name: must be 2 to 20 characters'],
    [{ region: 'London' }, 'region: must be a region such as eu-west-2'],
    [{ account: '12' }, 'account: must be 12 digits'],
    [{ architecture: 'riscv' }, 'architecture: '],
    [{ scheduleMinutes: 0 }, 'scheduleMinutes: '],
    [{ scheduleMinutes: 'often' }, 'scheduleMinutes: '],
    [{ logDays: 31 }, 'logDays: must be one of 1, 3, 5, 7'],
    [{ alertEmail: 'me' }, 'alertEmail: must be an e-mail address'],
    [{ network: 'yes' }, 'network: '],
    [{ oidcIssuer: 'http://login.example.org' }, 'oidcIssuer: must be an https:// address'],
    [{ oidcIssuer: 'https://login.example.org' }, 'oidcIssuer: goes with oidcAudience'],
    [{ domainName: 'tidemark.example.org' }, 'domainName: goes with certificateArn'],
    [{ reportsFile: 'reports.json', mailFrom: 'a@example.org' }, 'reportsFile: must be s3://'],
    [{ reportsFile: 's3://bucket/reports.json' }, 'reportsFile: goes with mailFrom'],
    [{ mailFrom: 'a@example.org' }, 'reportsFile: goes with mailFrom'],
    [
      { reportsFile: 's3://bucket/a.json', mailFrom: 'a@example.org', presentation: false },
      'reportsFile: needs presentation=true',
    ],
    [{ warehouse: true }, 'warehouse: needs network=true'],
    [{ natGateways: 1 }, 'natGateways: needs network=true'],
    [{ network: true }, 'network: from inside it no warehouse can be reached'],
    [
      { quicksight: true, quicksightAnalyst: 'arn:aws:quicksight:x' },
      'quicksight: needs warehouse',
    ],
    [{ ...EVERYTHING, quicksightAnalyst: undefined }, 'quicksight: needs quicksightAnalyst'],
    [{ ...EVERYTHING, quicksightSecretArn: undefined }, 'quicksight: needs quicksightSecretArn'],
    [{ scheduleMinutes: 10 }, 'freshnessAlarmMinutes: the alarm could be raised after 35 minutes'],
    [{ freshnessAlarmMinutes: 28 }, 'not arrive within the promise of 30'],
  ])('refuses %j and says why', (given, message) => {
    expect(() => parseParameters(given)).toThrow(
      expect.objectContaining({ message: expect.stringContaining(message) as string }) as Error,
    )
  })
})

it('the mail about an old warehouse arrives within the promise', () => {
  const parameters = parseParameters()
  expect(freshnessMinutes(parameters) + alarmPeriodMinutes(parameters)).toBeLessThan(
    parameters.promiseMinutes,
  )
})

it('docs/aws.md lists every parameter as declared', () => {
  const file = new URL('../../docs/aws.md', import.meta.url)
  const page = readFileSync(file, 'utf8')
  const listed = /\| parameter \| default[\s\S]*?(?=\n\n)/
  if (process.env['UPDATE_GOLDEN'] === '1')
    writeFileSync(file, page.replace(listed, describeParameters))
  expect(
    listed.exec(readFileSync(file, 'utf8'))?.[0],
    'stale: UPDATE_GOLDEN=1 npx vitest run --project node src/infra/parameters.test.ts',
  ).toBe(describeParameters())
})
