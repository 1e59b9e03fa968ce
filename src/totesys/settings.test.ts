import { expect, it } from 'vitest'
import { parseConfig } from '../platform/config.ts'
import { readTotesysSettings, totesysSettings } from './settings.ts'

const read = (values: Readonly<Record<string, string>>) =>
  readTotesysSettings(parseConfig(values, totesysSettings))

it('the clock takes a moment in UTC, with or without seconds', () => {
  const clockOf = (text: string) => read({ TIDEMARK_TOTESYS_CLOCK: text }).TIDEMARK_TOTESYS_CLOCK
  for (const text of ['2026-11-29T03:00Z', '2026-11-29T03:00:30Z', '2026-11-29T03:00:30.5Z']) {
    expect(clockOf(text)).toBe(text)
  }
  for (const text of ['2026-11-29', '2026-11-29T03:00', '2026-02-30T03:00Z', '03:00', 'now']) {
    expect(() => clockOf(text), text).toThrow('such as 2026-11-29T03:00Z')
  }
})

it('the server of rates is an address that nobody in between can change', () => {
  const urlOf = (text: string) => read({ TIDEMARK_RATES_URL: text }).TIDEMARK_RATES_URL
  for (const text of ['https://rates.example/daily', 'http://127.0.0.1:80']) {
    expect(urlOf(text)).toBe(text)
  }
  for (const text of ['http://rates.example', 'https://u:secret@rates.example', 'rates']) {
    expect(() => urlOf(text), text).toThrow('TIDEMARK_RATES_URL is not the address of a server')
    expect(() => urlOf(text), text).not.toThrow(/secret/)
  }
})

it('settings that were parsed without those of Totesys have their defaults', () => {
  expect(readTotesysSettings(parseConfig({}))).toEqual({
    TIDEMARK_RATES_FORMAT: 'ecb',
    TIDEMARK_RATES_MINUTES: 60,
    TIDEMARK_TOTESYS_ORDERS: 20_000,
    TIDEMARK_TOTESYS_SEED: 42,
    TIDEMARK_TOTESYS_SPEED: 1,
  })
})
