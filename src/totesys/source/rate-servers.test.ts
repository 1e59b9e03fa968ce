import { expect, it } from 'vitest'
import { parseConfig } from '../../platform/config.ts'
import { totesysSettings } from '../settings.ts'
import { rateServers } from './rate-servers.ts'

const serversOf = (values: Readonly<Record<string, string>>, embedded?: string) =>
  rateServers(parseConfig(values, totesysSettings), embedded).map(({ url, format, everyMs }) => [
    url.href,
    format.feed,
    everyMs,
  ])

it('there is no server of rates unless settings name one, or one is embedded', () => {
  expect(serversOf({})).toEqual([])
  expect(serversOf({}, 'http://127.0.0.1:81')).toEqual([
    ['http://127.0.0.1:81/stats/eurofxref/eurofxref-daily.xml', 'exchange_rate', 3_600_000],
  ])
})

it('settings name another server, the format of its answers, and how often to ask', () => {
  const values = {
    TIDEMARK_RATES_URL: 'https://rates.example/below/',
    TIDEMARK_RATES_FORMAT: 'freeforexapi',
    TIDEMARK_RATES_MINUTES: '5',
  }
  expect(serversOf(values, 'http://127.0.0.1:81')).toEqual([
    ['https://rates.example/below/api/live?pairs=USDGBP,USDEUR,EURGBP', 'exchange_rate', 300_000],
  ])
})
