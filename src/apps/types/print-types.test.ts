import { expect, it } from 'vitest'
import { printTypes } from './print-types.ts'
import type { TypedTable } from './typed-tables.ts'

const table = (name: string, ...types: string[]): TypedTable => ({
  name,
  about: [`Holds ${name}.`],
  rows: types.map((type, index) => ({ name: `c${index}`, type, about: [`\`t${index}\``] })),
})
const place = { title: 'the\nshop', schema: 'public' }

it('prints no more than dimensions need', () => {
  expect(printTypes([table('dim_item', 'number', 'Interval | null')], place)).toBe(`\
// The warehouse of the shop, for Kysely. Made by \`tidemark types\`, which overwrites it.
import { type ColumnType } from 'kysely'

/** A column that is read and never written. */
type Read<T> = ColumnType<T, never, never>

/** The schema of the tables: \`public\`. */
export const SCHEMA = 'public'

export interface Database {
  /** Holds dim_item. */
  dim_item: DimItem
}

export interface DimItem {
  /** \`t0\` */
  c0: Read<number>
  /** \`t1\` */
  c1: Read<Interval | null>
}

/** A length of time, as the driver returns it. A part that is zero is missing. */
export interface Interval {
  years?: number
  months?: number
  days?: number
  hours?: number
  minutes?: number
  seconds?: number
  milliseconds?: number
  toPostgres(): string
  toISOString(): string
}
`)
})

it('gives every table a type of its own, whatever its name', () => {
  const names = ['a_b', 'a b', 'A_B', 'database', '1st', '…', 'größe', '__proto__']
  const text = printTypes(
    names.map((name) => table(name, 'string')),
    place,
  )
  const members = [...text.matchAll(/^ {2}(?!c0|\/)(.+): (\S+)$/gm)].map(([, , type]) => type)
  expect(members).toEqual([
    'AB',
    'AB_2',
    'AB_3',
    'Database_2',
    'Table1st',
    'Table',
    'Größe',
    'Proto',
  ])
  expect(text).toContain("\n  'a b': AB_2\n")
  expect(text).toContain('\n  größe: Größe\n')
})

it('writes quotes, backslashes and line breaks of names so that they stay', () => {
  const odd = 'it\'s "a"\\b\nc'
  const text = printTypes([table(odd, 'string')], place)
  expect(text).toContain(String.raw`  'it\'s "a"\\b\nc': ItSABC`)
})
