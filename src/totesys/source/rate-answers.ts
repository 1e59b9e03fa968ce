import * as z from 'zod'
import type { AnswerFormat } from '../../platform/project/source-contract.ts'

/** A row of the feed `exchange_rate`. Every value is text, with the digits as they came. */
export type RateRow = Readonly<Record<'base' | 'quote' | 'rate_date' | 'rate' | 'source', string>>

/** A longer answer is not a list of today's rates. */
const MAX_ROWS = 100_000
const MAX_CHARS = 32 * 1024 * 1024
/** The bounds that the model of rates checks. */
const FIRST_DAY = '1970-01-01'
const [LEAST, MOST] = [1e-8, 1e8]

/**
 * The answers of exchange-rate servers, by the format that the settings name. An answer is refused
 * as a whole unless it is a complete list of possible rates. The one issue says why and quotes
 * nothing from the answer. Every digit of a rate is kept. A rate with more digits than the column
 * holds goes to quarantine and is not rounded.
 */
export const rateAnswers: Readonly<Record<'freeforexapi' | 'ecb', AnswerFormat>> = {
  /** `{"rates":{"USDGBP":{"rate":0.79,"timestamp":1700000000}},"code":200}`: the newest rates. */
  freeforexapi: answers('/api/live?pairs=USDGBP,USDEUR,EURGBP', readPairs),
  /** The European Central Bank's daily table of what a euro costs, in XML or CSV. */
  ecb: answers('/stats/eurofxref/eurofxref-daily.xml', (text) =>
    text.trimStart().startsWith('<') ? readXml(text) : readCsv(text),
  ),
}

/** The reason why an answer is refused: a sentence that quotes nothing from it. */
class Refusal extends Error {}

function answers(path: string, read: (text: string) => readonly RateRow[]): AnswerFormat {
  const parse = z
    .object({ text: z.string().max(MAX_CHARS), fetchedAt: z.iso.datetime() })
    .transform(({ text, fetchedAt }, context): readonly RateRow[] => {
      try {
        const rows = read(text)
        checkRows(rows, fetchedAt)
        return rows
      } catch (error) {
        // Other errors, such as from text that is nested too deeply, may quote the answer.
        const message = error instanceof Refusal ? error.message : 'The answer cannot be read'
        context.addIssue({ code: 'custom', message })
        return z.NEVER
      }
    })
  return { feed: 'exchange_rate', path, parse }
}

/** Throws `Refusal` unless every row is a possible rate and each pair has one rate a day. */
function checkRows(rows: readonly RateRow[], fetchedAt: string): void {
  if (rows.length > MAX_ROWS) throw new Refusal(`The answer has more than ${MAX_ROWS} rates`)
  // In some time zones it is already tomorrow.
  const last = new Date(Date.parse(fetchedAt) + 86_400_000).toISOString().slice(0, 10)
  const seen = new Set<string>()
  for (const { base, quote, rate_date, rate } of rows) {
    if (base === quote) throw new Refusal('A rate is from a currency to itself')
    if (rate_date < FIRST_DAY || rate_date > last) {
      throw new Refusal('A rate is for a day that is too early or in the future')
    }
    if (!(Number(rate) >= LEAST && Number(rate) <= MOST)) {
      throw new Refusal('A rate is not a positive number within bounds')
    }
    const key = `${base} ${quote} ${rate_date}`
    if (seen.has(key)) throw new Refusal('A pair has two rates for one day')
    seen.add(key)
  }
}

/** An answer whose numbers are texts; see `quoteNumbers`. */
const live = z.object({ code: z.literal('200'), rates: z.custom<object>(isPlain) })
const pairName = z.string().regex(/^[A-Z]{6}$/)
const priced = z.object({
  rate: z.string().regex(/^\d{1,12}(\.\d{1,40})?([eE][+-]?\d{1,2})?$/),
  timestamp: z.string().regex(/^\d{9,13}$/),
})

function isPlain(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function readPairs(text: string): RateRow[] {
  const { success, data } = live.safeParse(parseJson(text))
  if (!success) throw new Refusal('The answer is not a list of rates with code 200')
  // Not `z.record`, which leaves out names that every object inherits.
  return Object.entries(data.rates).map(([name, value]): RateRow => {
    const pair = pairName.safeParse(name)
    const price = priced.safeParse(value)
    if (!pair.success) throw new Refusal('A rate is not for a pair of currencies')
    if (!price.success) throw new Refusal('A rate is not a number with a time')
    const { rate, timestamp } = price.data
    // Seconds or milliseconds.
    const moment = Number(timestamp) * (timestamp.length > 11 ? 1 : 1000)
    return {
      base: pair.data.slice(0, 3),
      quote: pair.data.slice(3),
      rate_date: new Date(moment).toISOString().slice(0, 10),
      rate: plainDecimal(rate),
      source: 'freeforexapi',
    }
  })
}

function parseJson(text: string): unknown {
  try {
    // The original first, because within quotes even 01 would pass for a number.
    JSON.parse(text)
    return JSON.parse(quoteNumbers(text))
  } catch {
    throw new Refusal('The answer is not complete JSON')
  }
}

/** Turns the numbers in JSON into texts, because a double cannot hold all their digits. */
function quoteNumbers(json: string): string {
  return json.replaceAll(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (token) =>
    token.startsWith('"') ? token : `"${token}"`,
  )
}

/** Turns `1.2e-4` into `0.00012`: the same digits, without an exponent. */
function plainDecimal(number: string): string {
  const [digits = '', exponent] = number.toLowerCase().split('e')
  if (exponent === undefined) return digits
  const [whole = '', rest = ''] = digits.split('.')
  const shift = Number(exponent)
  const zeros = Math.max(0, -shift)
  const point = zeros + whole.length + shift
  const padded = ('0'.repeat(zeros) + whole + rest).padEnd(point, '0')
  const before = padded.slice(0, point).replace(/^0+(?=\d)/, '')
  const after = padded.slice(point)
  return `${before === '' ? '0' : before}${after === '' ? '' : `.${after}`}`
}

const CUBE =
  /<Cube(?:\s+time=(?<t>["'])(?<time>[^"'<>]*)\k<t>\s*>|\s+currency=(?<c>["'])(?<code>[A-Z]{3})\k<c>\s+rate=(?<r>["'])(?<rate>[^"'<>]*)\k<r>\s*\/>|\s*>)/g

/** Reads `<Cube time='2026-11-20'><Cube currency='USD' rate='1.0876'/>…`, for one or more days. */
function readXml(text: string): RateRow[] {
  if (/<!(?:DOCTYPE|ENTITY)/i.test(text)) throw new Refusal('The answer declares entities')
  if (!/<\/(?:\w+:)?Envelope>\s*$/.test(text.slice(-200))) {
    throw new Refusal('The answer is not complete XML')
  }
  const rows: RateRow[] = []
  let day: string | undefined
  let cubes = 0
  for (const { groups } of text.matchAll(CUBE)) {
    cubes += 1
    const { time, code, rate } = groups ?? {}
    if (time !== undefined) day = parseDay(time)
    else if (code !== undefined && rate !== undefined) {
      if (day === undefined) throw new Refusal('A rate has no day')
      rows.push(ofEuro(day, { code, rate }))
    }
  }
  if (cubes === 0 || cubes !== text.split('<Cube').length - 1) {
    throw new Refusal('The answer is not the table it was')
  }
  return rows
}

/** Reads `Date, USD, GBP, ` and, below, a row a day: `20 November 2026, 1.0876, N/A, `. */
function readCsv(text: string): RateRow[] {
  if (!text.endsWith('\n')) throw new Refusal('The answer is not complete CSV')
  const [header = [], ...lines] = text
    .trimEnd()
    .split(/\r?\n/)
    .map((line) => line.split(',').map((cell) => cell.trim()))
  const [title, ...codes] = header
  const named = codes.at(-1) === '' ? codes.slice(0, -1) : codes
  if (title !== 'Date' || named.length === 0 || !named.every((code) => /^[A-Z]{3}$/.test(code))) {
    throw new Refusal('The answer is not the table it was')
  }
  return lines.flatMap((cells): RateRow[] => {
    if (cells.length !== header.length) throw new Refusal('A line has more or fewer columns')
    const day = parseDay(cells[0] ?? '')
    return named.flatMap((code, place) => {
      const rate = cells[place + 1] ?? ''
      return rate === 'N/A' ? [] : [ofEuro(day, { code, rate })]
    })
  })
}

function ofEuro(day: string, { code, rate }: { code: string; rate: string }): RateRow {
  if (!/^\d{1,12}(\.\d{1,40})?$/.test(rate)) throw new Refusal('A rate is not a number')
  return { base: 'EUR', quote: code, rate_date: day, rate, source: 'ECB' }
}

const MONTHS =
  'January February March April May June July August September October November December'.split(' ')

/** Reads `2026-11-20` or `20 November 2026`. Throws `Refusal` if that day does not exist. */
function parseDay(text: string): string {
  const {
    date = '',
    month = '',
    year = '',
  } = /^(?<date>\d{1,2}) (?<month>[A-Z][a-z]+) (?<year>\d{4})$/.exec(text)?.groups ?? {}
  const number = String(MONTHS.indexOf(month) + 1).padStart(2, '0')
  const day = date === '' ? text : `${year}-${number}-${date.padStart(2, '0')}`
  const found = /^\d{4}-\d\d-\d\d$/.test(day) ? new Date(`${day}T00:00:00Z`) : undefined
  if (
    found === undefined ||
    Number.isNaN(found.getTime()) ||
    !found.toISOString().startsWith(day)
  ) {
    throw new Refusal('A day does not exist')
  }
  return day
}
