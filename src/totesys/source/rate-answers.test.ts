import { describe, expect, it } from 'vitest'
import { contract } from './contract.ts'
import { rateAnswers } from './rate-answers.ts'

const fetchedAt = '2026-11-21T10:00:00Z'

/** The rows as text, or the reason for the refusal. */
function read(format: keyof typeof rateAnswers, text: string): string[] | string {
  const found = rateAnswers[format].parse.safeParse({ text, fetchedAt })
  if (!found.success) {
    const { issues } = (found as unknown as { error: { issues: { message: string }[] } }).error
    return issues.map(({ message }) => message).join('; ')
  }
  return found.data.map((row) => Object.values(row).join(' '))
}

it('rateAnswers give rows of exactly the columns of their feed', () => {
  const [[wanted, feed] = []] = Object.entries(contract.feeds ?? {})
  const answer = '{"rates":{"USDGBP":{"rate":0.79,"timestamp":1700000000}},"code":200}'
  const found = rateAnswers.freeforexapi.parse.safeParse({ text: answer, fetchedAt })
  for (const { feed: name } of Object.values(rateAnswers)) expect(name).toBe(wanted)
  expect(found).toMatchObject({ success: true })
  const [row = {}] = found.success ? found.data : []
  expect(Object.keys(row)).toEqual(Object.keys(feed?.columns ?? {}))
})

describe('rateAnswers.freeforexapi', () => {
  const live = (rates: string, code = 200): string => `{"rates":{${rates}},"code":${code}}`
  const rate = (pair: string, number: string, timestamp = '1700000000'): string =>
    `"${pair}":{"rate":${number},"timestamp":${timestamp}}`

  it('reads each pair, on the day in UTC of its moment', () => {
    expect(
      read('freeforexapi', live(`${rate('USDGBP', '0.79')},${rate('EURGBP', '0.87123')}`)),
    ).toEqual(['USD GBP 2023-11-14 0.79 freeforexapi', 'EUR GBP 2023-11-14 0.87123 freeforexapi'])
    const inMilliseconds = rate('USDGBP', '1', '1532428704963')
    expect(read('freeforexapi', live(inMilliseconds))).toEqual([
      'USD GBP 2018-07-24 1 freeforexapi',
    ])
  })

  it.each([
    ['0.7900', '0.7900'],
    ['0.12345678901234567890', '0.12345678901234567890'],
    ['7.9e-1', '0.79'],
    ['1.25E2', '125'],
    ['12e-5', '0.00012'],
    ['150', '150'],
  ])('keeps the digits of %s', (number, text) => {
    expect(read('freeforexapi', live(rate('USDGBP', number)))).toEqual([
      `USD GBP 2023-11-14 ${text} freeforexapi`,
    ])
  })

  it('is not misled by what a text holds', () => {
    const answer = `{"note":"a \\"0.5\\" in {1.5}","code":200,"rates":{${rate('USDGBP', '0.79')}}}`
    expect(read('freeforexapi', answer)).toEqual(['USD GBP 2023-11-14 0.79 freeforexapi'])
  })

  it('accepts an empty list', () => {
    expect(read('freeforexapi', live(''))).toEqual([])
  })

  it.each([
    ['nothing', ''],
    ['an error', '{"code":1002}'],
    ['rates with an error', live(rate('USDGBP', '0.79'), 1002)],
    ['an answer that is cut off', live(rate('USDGBP', '0.79')).slice(0, 40)],
    ['a page', '<html><body>502 Bad Gateway</body></html>'],
    ['null', 'null'],
    ['a list', '[1,2]'],
    [
      'a rate as text',
      live('"USDGBP":{"rate":"0.79","timestamp":1700000000}').replace('"0.79"', 'true'),
    ],
    ['no rate', live('"USDGBP":{"timestamp":1700000000}')],
    ['a rate of zero', live(rate('USDGBP', '0'))],
    ['a negative rate', live(rate('USDGBP', '-0.79'))],
    ['a rate out of bounds', live(rate('USDGBP', '1e99'))],
    ['a leading zero', live(rate('USDGBP', '00.79'))],
    ['no pair of currencies', live(rate('USD', '0.79'))],
    ['a hostile pair', live(rate('__proto__', '0.79'))],
    ['another hostile pair', live(rate("US'; drop table --", '0.79'))],
    ['a currency against itself', live(rate('USDUSD', '1'))],
    ['a moment in the future', live(rate('USDGBP', '0.79', '1900000000'))],
    ['a negative moment', live(rate('USDGBP', '0.79', '-5'))],
    ['depth', '['.repeat(200_000)],
    ['closed depth', `{"rates":${'['.repeat(9000)}${']'.repeat(9000)},"code":200}`],
  ])('refuses %s, and quotes nothing from it', (_, answer) => {
    const why = read('freeforexapi', answer)
    expect(why).toMatch(/^(The answer|A rate) [a-z0-9A-Z ]+$/)
    expect(why).not.toMatch(/USD|0\.79|1002|drop|html/)
  })

  it('refuses more rates than there can be', () => {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'.split('')
    const codes = letters.flatMap((a) => letters.map((b) => `${a}${b}A`))
    const many = codes.flatMap((a) => codes.slice(0, 150).map((b) => rate(a + b, '2')))
    expect(many.length).toBeGreaterThan(100_000)
    expect(read('freeforexapi', live(many.join(',')))).toBe('The answer has more than 100000 rates')
  })
})

describe('rateAnswers.ecb', () => {
  const xml = (days: string): string => `<?xml version="1.0" encoding="UTF-8"?>
    <gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
      <gesmes:subject>Reference rates</gesmes:subject>
      <gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>
      <Cube>${days}</Cube>
    </gesmes:Envelope>
`
  const day = (date: string, ...rates: string[]): string =>
    `<Cube time='${date}'>${rates.map((each) => `<Cube ${each}/>`).join('\n')}</Cube>`
  const usd = `currency='USD' rate='1.0876'`

  it('reads its XML, with one day and with several', () => {
    expect(read('ecb', xml(day('2026-11-20', usd, `currency="JPY" rate="163.50"`)))).toEqual([
      'EUR USD 2026-11-20 1.0876 ECB',
      'EUR JPY 2026-11-20 163.50 ECB',
    ])
    expect(read('ecb', xml(day('2026-11-20', usd) + day('2026-11-19', usd)))).toHaveLength(2)
    expect(read('ecb', xml(''))).toEqual([])
  })

  it('reads its CSV, without the rates that are not available', () => {
    expect(
      read('ecb', 'Date, USD, JPY, RUB, GBP, \n20 November 2026, 1.0876, 163.50, N/A, 0.8712, \n'),
    ).toEqual([
      'EUR USD 2026-11-20 1.0876 ECB',
      'EUR JPY 2026-11-20 163.50 ECB',
      'EUR GBP 2026-11-20 0.8712 ECB',
    ])
    expect(
      read('ecb', 'Date,USD,GBP\r\n2026-11-20,1.0876,0.8712\r\n2026-11-19,1.08,N/A\r\n'),
    ).toEqual([
      'EUR USD 2026-11-20 1.0876 ECB',
      'EUR GBP 2026-11-20 0.8712 ECB',
      'EUR USD 2026-11-19 1.08 ECB',
    ])
    expect(read('ecb', 'Date, USD\n')).toEqual([])
  })

  const whole = xml(day('2026-11-20', usd))
  it.each([
    ['nothing', ''],
    ['an error as JSON', '{"code":1002}'],
    ['a page', '<html><body>503</body></html>'],
    ['XML that is cut off', whole.slice(0, -30)],
    ['XML without its table', xml('').replace('<Cube></Cube>', '')],
    ['a cube in another form', xml(day('2026-11-20', `currency='USD' multiplier='100' rate='1'`))],
    ['a rate without a day', xml(`<Cube ${usd}/>`)],
    ['a day that does not exist', xml(day('2026-02-30', usd))],
    ['a day in the future', xml(day('2026-12-24', usd))],
    ['a rate that is not a number', xml(day('2026-11-20', `currency='USD' rate='1,0876'`))],
    ['a rate of zero', xml(day('2026-11-20', `currency='USD' rate='0.000'`))],
    ['a currency twice', xml(day('2026-11-20', usd, usd))],
    ['the euro', xml(day('2026-11-20', `currency='EUR' rate='1'`))],
    ['entities', whole.replace('?>', '?><!DOCTYPE x [<!ENTITY a "b">]>')],
    ['CSV that is cut off in a number', 'Date, USD\n20 November 2026, 1.08'],
    ['CSV that is cut off in a line', 'Date, USD, GBP, \n20 November 2026, 1.08\n'],
    ['a line of text', 'Date, USD\n20 November 2026, =1+1\n'],
    ['another header', 'Day, USD\n20 November 2026, 1.08\n'],
    ['a month that does not exist', 'Date, USD\n20 Brumaire 2026, 1.08\n'],
    ['an empty cell', 'Date, USD, GBP\n20 November 2026, , 1.08\n'],
  ])('refuses %s, and quotes nothing from it', (_, answer) => {
    const why = read('ecb', answer)
    expect(why).toMatch(/^(The answer|A rate|A day|A pair|A line) [a-zA-Z ]+$/)
    expect(why).not.toMatch(/USD|Brumaire/)
  })
})
