import { expect, it } from 'vitest'
import { namedRecord, own } from './named-record.ts'

const INHERITED = ['constructor', '__proto__', 'toString', 'hasOwnProperty', '__defineGetter__']

it.each(INHERITED)('namedRecord() and own() know %s only as a name that somebody gave', (name) => {
  expect(namedRecord()[name]).toBeUndefined()
  expect(own({}, name)).toBeUndefined()
  expect(own(undefined, name)).toBeUndefined()
  const record = namedRecord([[name, 1]])
  expect(record[name]).toBe(1)
  expect(Object.keys(record)).toEqual([name])
  expect(own(JSON.parse(JSON.stringify(record)) as Record<string, number>, name)).toBe(1)
})
