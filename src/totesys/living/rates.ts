import { once } from 'node:events'
import { mkdir, stat, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname } from 'node:path'
import type { LocalFeedServer } from '../../apps/local/simulated-source.ts'
import { chanceOf } from './chance.ts'

/** What one euro costs on average: each rate moves around this number. */
const CURRENCIES = { USD: 1.08, GBP: 0.86 } as const
type Currency = keyof typeof CURRENCIES

const DAY_MS = 86_400_000

/** What one euro costs on a day (UTC), within a few percent of the average. Same seed, same rate. */
export function rateOf(seed: number, currency: Currency, day: Date): string {
  const days = Math.floor(day.getTime() / DAY_MS)
  const phase = chanceOf(seed, `rates of ${currency}`)() * 2 * Math.PI
  const tide = 0.03 * Math.sin(days / 90 + phase) + 0.012 * Math.sin(days / 17 + phase)
  const noise = 0.004 * (chanceOf(seed, `rate of ${currency} on day ${days}`)() - 0.5)
  return (CURRENCIES[currency] * (1 + tide + noise)).toFixed(4)
}

/** The day itself, or the Friday before a weekend, when banks publish no rates. */
export function bankDay(day: Date): Date {
  const weekday = day.getUTCDay()
  const back = weekday === 0 ? 2 : weekday === 6 ? 1 : 0
  return new Date(day.getTime() - back * DAY_MS)
}

/** Writes the rates of every bank day from `from` to before `until` as a file; once, if absent. */
export async function dropRateHistory(
  path: string,
  { seed, from, until }: { seed: number; from: Date; until: Date },
): Promise<void> {
  if (await stat(path).catch(() => undefined)) return
  const lines = ['base,quote,rate_date,rate,source']
  for (let at = from.getTime(); at < until.getTime(); at += DAY_MS) {
    const day = new Date(at)
    if (bankDay(day).getTime() !== at) continue
    for (const currency of Object.keys(CURRENCIES) as Currency[]) {
      const date = day.toISOString().slice(0, 10)
      lines.push(`EUR,${currency},${date},${rateOf(seed, currency, day)},Bank of Totesys`)
    }
  }
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, `${lines.join('\n')}\n`)
  // An old timestamp says that the file is complete, so that nobody waits for it to settle.
  await utimes(path, from, from)
}

/** Starts a server that answers every path with the day's table, as the European Central Bank does. */
export async function startRateServer({
  seed,
  now = () => new Date(),
}: {
  seed: number
  now?: () => Date
}): Promise<LocalFeedServer> {
  const server = createServer((request, response) => {
    const day = bankDay(now())
    const etag = `"${day.toISOString().slice(0, 10)}"`
    if (request.headers['if-none-match'] === etag) {
      response.writeHead(304, { etag }).end()
      return
    }
    const names = Object.keys(CURRENCIES) as Currency[]
    const date = day.toLocaleDateString('en-GB', {
      day: '2-digit',
      month: 'long',
      year: 'numeric',
      timeZone: 'UTC',
    })
    const rates = names.map((currency) => rateOf(seed, currency, day))
    response
      .writeHead(200, { 'content-type': 'text/csv', etag })
      .end(`Date, ${names.join(', ')}, \n${date}, ${rates.join(', ')}, \n`)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
