import { expect, it } from 'vitest'
import { TransientError } from '../errors.ts'
import type { Client, PostgresClient } from '../io/postgres.ts'
import { createReaders, type Sharing } from './readers.ts'

// The readers only pass clients on, so any object will do for one.
const client = (name: string) => ({ name }) as unknown as Client
const connection = (name: string): PostgresClient => ({
  client: client(name),
  mark: name,
  [Symbol.asyncDispose]: async () => {},
})
const none = new TransientError('no connection is left', { code: 'SOURCE_UNREACHABLE' })

/** A promise that the test settles when it wants to. */
function later<T>(): { promise: Promise<T>; settle(value: T): void; fail(error: unknown): void } {
  let settle: (value: T) => void = () => {}
  let fail: (error: unknown) => void = () => {}
  const promise = new Promise<T>((resolve, reject) => {
    settle = resolve
    fail = reject
  })
  return { promise, settle, fail }
}

const readersOf = (sharing: Partial<Sharing> = {}) =>
  createReaders(client('first'), {
    share: async () => {},
    open: async () => connection('other'),
    ...sharing,
  })

const nameOf = (found: Client): string => (found as unknown as { name: string }).name

it('a second read at the same time has a connection of its own', async () => {
  await using readers = readersOf()
  const both = later<void>()
  const used: string[] = []
  const read = () =>
    readers.use({ connections: 2 }, async (found) => {
      used.push(nameOf(found))
      if (used.length === 2) both.settle()
      await both.promise
    })
  await Promise.all([read(), read()])
  expect(used).toEqual(['first', 'other'])
})

it('a read that finds no further connection takes one that was given back meanwhile', async () => {
  const opening = later<PostgresClient>()
  await using readers = readersOf({ open: () => opening.promise })
  const held = later<void>()
  const first = readers.use({ connections: 2 }, () => held.promise)
  const second = readers.use({ connections: 2 }, async (found) => nameOf(found))
  held.settle()
  await first
  opening.fail(none)
  expect(await second).toBe('first')
})

it('all reads get their turn on the only connection, one at a time', async () => {
  await using readers = readersOf({
    open: async () => {
      throw none
    },
  })
  const ended: number[] = []
  let underWay = 0
  const reads = [1, 2, 3, 4].map((number) =>
    readers.use({ connections: number % 2 === 0 ? 2 : 1 }, async () => {
      expect((underWay += 1)).toBe(1)
      await Promise.resolve()
      underWay -= 1
      ended.push(number)
    }),
  )
  await Promise.all(reads)
  expect(new Set(ended)).toEqual(new Set([1, 2, 3, 4]))
})

it('a read that needs the first connection waits for it, although another is idle', async () => {
  await using readers = readersOf()
  const held = later<void>()
  const long = readers.use({ connections: 2 }, () => held.promise)
  await readers.use({ connections: 2 }, async (found) => expect(nameOf(found)).toBe('other'))
  let isThere = false
  const first = readers.use({ first: true }, async (found) => {
    isThere = true
    return nameOf(found)
  })
  await readers.use({}, async (found) => expect(nameOf(found)).toBe('other'))
  expect(isThere).toBe(false)
  held.settle()
  await long
  expect(await first).toBe('first')
})

it('a connection is free again after a read that fails, and an error that will not pass is thrown', async () => {
  await using readers = readersOf({
    share: async () => {
      throw new TypeError('broken')
    },
  })
  await expect(readers.use({}, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
  expect(await readers.use({}, async (found) => nameOf(found))).toBe('first')
  await expect(readers.use({ connections: 2 }, async () => {})).rejects.toThrow('broken')
})
