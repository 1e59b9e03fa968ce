import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createMemory } from '../io/memory.ts'
import {
  checkEnd,
  checkFollows,
  commitBatch,
  readCommit,
  readExistingCommit,
  readLastCommit,
} from './batch-log.ts'
import {
  type BatchContent,
  type CommitRecord,
  type FileRef,
  FORMAT,
  type TableEntry,
} from './commit-record.ts'
import { diskStore } from './store/disk-store.ts'
import { carryOver, NO_ROWS } from './table-entry.ts'
import { commitKey, type Zone } from './zone.ts'

let folder: string
let zone: Zone
let made = 0
/** The keys that `get` was called with. */
let asked: string[]
/** How many times `get` was called while no other call was under way: round trips. */
let trips: number
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-log-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))
beforeEach(() => {
  zone = reopen(String((made += 1)))
})

/** A zone by its name, without anything remembered, as a new process sees it. */
function reopen(name = String(made)): Zone {
  asked = []
  trips = 0
  let underWay = 0
  const store = diskStore(join(folder, name))
  const get = async (key: string) => {
    asked.push(key)
    if (underWay === 0) trips += 1
    underWay += 1
    try {
      return await store.get(key)
    } finally {
      underWay -= 1
    }
  }
  return { store: { ...store, get }, prefix: 'gen/', cacheDir: folder, memory: createMemory() }
}

const pathOf = (batch: number) => join(zone.store.location, 'gen', commitKey(batch))

function content(tables: Record<string, TableEntry> = {}): BatchContent {
  return {
    snapshot: {
      xmin: '1',
      xmax: '12045',
      inFlight: [],
      takenAt: '2024-01-01T00:00:00.000000Z',
      systemId: 's',
      timeline: 1,
      standby: false,
    },
    tables,
    writer: { version: '0', runId: 'test' },
  }
}

/** The entry that a batch with one added row leaves. */
function changed(batch: number, rows = 1): TableEntry {
  const file: FileRef = { key: `thing/${batch}`, rows: 1, bytes: 100, sha256: 'a'.repeat(64) }
  return {
    counts: { ...NO_ROWS, read: 1, accepted: 1, inserted: 1 },
    changes: [file],
    quarantine: [],
    open: [],
    state: [{ ...file, role: 'base' }],
    rows,
  }
}

/** Commits batches that change nothing up to a number; returns all of them. */
async function commitUpTo(last: number): Promise<CommitRecord[]> {
  const records: CommitRecord[] = []
  for (let batch = 1; batch <= last; batch++) {
    records.push(await commitBatch(zone, content(), { previous: records.at(-1) }))
  }
  return records
}

describe('commitBatch()', () => {
  it('I3 makes a batch exist exactly once', async () => {
    expect(await readCommit(zone, 1)).toBeUndefined()
    const record = await commitBatch(zone, content(), { previous: undefined })
    expect(await readCommit(zone, 1)).toEqual(record)
    const other = { ...content(), writer: { version: '0', runId: 'other' } }
    await expect(commitBatch(zone, other, { previous: undefined })).rejects.toMatchObject({
      name: 'ConflictError',
      code: 'BATCH_TAKEN',
    })
    expect(await readExistingCommit(zone, 1)).toEqual(record)
  })

  it('I14 gives the lake an identity with its first record, and each record the checksum of the one before', async () => {
    const [one, two, three] = await commitUpTo(3)
    expect(one?.lake).toMatch(/^[0-9a-f-]{36}$/)
    expect(one?.previousChecksum).toBeUndefined()
    expect([two?.lake, three?.lake]).toEqual([one?.lake, one?.lake])
    expect([two?.previousChecksum, three?.previousChecksum]).toEqual([one?.checksum, two?.checksum])
  })

  it('writes as the last member the checksum of all bytes before it', async () => {
    const [record] = await commitUpTo(1)
    const text = await readFile(pathOf(1), 'utf8')
    const end = text.lastIndexOf(',"checksum":')
    expect(text.slice(end)).toBe(`,"checksum":"${record?.checksum}"}\n`)
    expect(createHash('sha256').update(text.slice(0, end)).digest('hex')).toBe(record?.checksum)
  })
})

describe('readLastCommit()', () => {
  it.each([0, 1, 2, 3, 4, 7, 8, 9, 16, 31])(
    'finds the last batch, %i, whatever the hint',
    async (last) => {
      await commitUpTo(last)
      for (const hint of [0, 1, Math.floor(last / 2), last - 1, last, last + 1, last + 100]) {
        const found = await readLastCommit(reopen(), hint)
        expect(found?.batch, `hint ${hint}`).toBe(last === 0 ? undefined : last)
      }
    },
  )

  it('reads two records if the hint is right or it has searched before, otherwise a few more', async () => {
    await commitUpTo(100)
    zone = reopen()
    await readLastCommit(zone)
    expect(asked.length).toBeLessThanOrEqual(40)
    // And the record that holds every table.
    expect(trips).toBeLessThanOrEqual(5)
    const two = [`gen/${commitKey(100)}`, `gen/${commitKey(101)}`]
    asked = []
    await readLastCommit(zone)
    expect(asked).toEqual(two)
    zone = reopen()
    await readLastCommit(zone, 100)
    // And the record that holds every table.
    expect(asked).toEqual([...two, `gen/${commitKey(1)}`])
  })
})

describe('readCommit()', () => {
  const whole = () => readFile(pathOf(1), 'utf8')
  const replace = async (change: (text: string) => string) => {
    await commitUpTo(1)
    const before = await whole()
    await writeFile(pathOf(1), change(before))
    expect(await whole()).not.toBe(before)
  }

  it.each<[string, (text: string) => string, string]>([
    ['cut off', (text) => text.slice(0, 200), 'LAKE_DAMAGED'],
    ['empty', () => '', 'LAKE_DAMAGED'],
    ['null', () => 'null', 'LAKE_DAMAGED'],
    ['of another schema', (text) => text.replace('"writer"', '"author"'), 'LAKE_DAMAGED'],
    ['of another batch', (text) => text.replace('"batch":1', '"batch":2'), 'LAKE_DAMAGED'],
    ['changed in one digit', (text) => text.replace('12045', '14045'), 'LAKE_DAMAGED'],
    ['changed by an unknown field', (text) => text.replace('{', '{"a":1,'), 'LAKE_DAMAGED'],
    ['changed by a space', (text) => text.replace('{', '{ '), 'LAKE_DAMAGED'],
    ['changed after the checksum', (text) => text.replace('"}\n', '" }\n'), 'LAKE_DAMAGED'],
    ['without a checksum', (text) => text.replace(/,"checksum":"\w+"/, ''), 'LAKE_DAMAGED'],
    ['of a newer format', (text) => text.replace(/"format":\d/, '"format":99'), 'LAKE_NEWER'],
  ])('refuses a record that is %s, and names it', async (_, change, code) => {
    await replace(change)
    await expect(readCommit(reopen(), 1)).rejects.toMatchObject({
      name: 'ContractError',
      code,
      message: expect.stringContaining(`gen/${commitKey(1)}`),
    })
  })

  it('readExistingCommit() names a missing record', async () => {
    await expect(readExistingCommit(zone, 7)).rejects.toMatchObject({
      code: 'LAKE_OBJECT_MISSING',
      message: expect.stringContaining('gen/batch/000000000007.json'),
    })
  })
})

describe('a log of format 1', () => {
  /** A record in the form of versions before the chain. */
  async function writeOld(batch: number, tables: Record<string, TableEntry>): Promise<string> {
    const old = { format: 1, batch, previous: batch - 1, ...content(tables) }
    const text = `${JSON.stringify(old, undefined, 1)}\n`
    await zone.store.putIfAbsent(`gen/${commitKey(batch)}`, Buffer.from(text))
    return text
  }

  it('I14 is read unchanged, and the chain begins with the next batch', async () => {
    await writeOld(1, { thing: changed(1), other: changed(1) })
    const text = await writeOld(2, { thing: changed(2, 2), other: carryOver(changed(1)) })
    const last = await readLastCommit(zone)
    expect(last).toMatchObject({ batch: 2, lake: undefined, previousChecksum: undefined })
    await checkEnd(zone, last)

    const tables = { thing: changed(3, 3), other: carryOver(last?.tables['other']) }
    const next = await commitBatch(zone, content(tables), { previous: last })
    expect(next.previousChecksum).toBe(createHash('sha256').update(text).digest('hex'))
    expect(next.lake).toMatch(/^[0-9a-f-]{36}$/)
    const read = await readExistingCommit(reopen(), 3)
    expect(read).toEqual(next)
    expect(JSON.parse(await readFile(pathOf(3), 'utf8'))).toMatchObject({ format: FORMAT })
    await checkEnd(zone, read)

    await writeFile(pathOf(2), text.replace('"rows": 2', '"rows": 5'))
    await expect(checkEnd(zone, read)).rejects.toMatchObject({ code: 'LAKE_MIXED' })
  })
})

describe('checkEnd()', () => {
  it.each([1, 2, 3, 5, 8, 9, 16])(
    'I14 notices that the record of batch %i is missing before later ones',
    async (lost) => {
      await commitUpTo(17)
      await rm(pathOf(lost))
      for (let end = lost - 1; end < lost; end++) {
        const last = end === 0 ? undefined : await readExistingCommit(reopen(), end)
        await expect(checkEnd(zone, last)).rejects.toMatchObject({
          name: 'ContractError',
          code: 'LAKE_GAP',
          message: expect.stringContaining(commitKey(lost)),
        })
      }
    },
  )

  it('I14 notices that the record of an earlier batch and all later records were lost', async () => {
    await commitUpTo(40)
    for (const lost of [8, 9, 10, 11, 12]) await rm(pathOf(lost))
    const last = await readExistingCommit(zone, 7)
    await expect(checkEnd(zone, last)).rejects.toMatchObject({ code: 'LAKE_GAP' })
  })

  it('throws ConflictError for a batch that another run has committed meanwhile', async () => {
    const records = await commitUpTo(3)
    await expect(checkEnd(zone, records[0])).rejects.toMatchObject({ code: 'BATCH_TAKEN' })
    await checkEnd(zone, records.at(-1))
    await expect(commitBatch(zone, content(), { previous: records[1] })).rejects.toMatchObject({
      code: 'BATCH_TAKEN',
    })
  })

  it('I14 notices that the record before the last one is from another log or missing', async () => {
    const records = await commitUpTo(3)
    const mine = zone
    zone = reopen(String((made += 1)))
    await commitUpTo(3)
    const foreign = await readFile(pathOf(2))
    zone = mine
    await writeFile(pathOf(2), foreign)
    await expect(checkEnd(zone, records[2])).rejects.toMatchObject({ code: 'LAKE_MIXED' })
    await rm(pathOf(2))
    await expect(checkEnd(zone, records[2])).rejects.toMatchObject({ code: 'LAKE_OBJECT_MISSING' })
  })

  it('checkFollows() compares the checksums of two records', async () => {
    const [one, two, three] = await commitUpTo(3)
    if (one === undefined || two === undefined || three === undefined) throw new Error('no record')
    checkFollows(zone, one, two)
    expect(() => checkFollows(zone, one, three)).toThrow(/does not continue/)
  })
})

describe('a record', () => {
  const names = (count: number) => Array.from({ length: count }, (_, index) => `table_${index}`)
  const sizeOf = async (batch: number) => (await readFile(pathOf(batch))).length

  it('grows with what its batch changed, not with the number of tables', async () => {
    const tables = Object.fromEntries(names(500).map((name) => [name, changed(1)]))
    let last = await commitBatch(zone, content(tables), { previous: undefined })
    const sizes: number[] = []
    for (let batch = 2; batch <= 150; batch++) {
      const next = Object.fromEntries(
        Object.entries(last.tables).map(([name, entry]): [string, TableEntry] => {
          return [name, { ...carryOver(entry), held: undefined }]
        }),
      )
      next[`table_${batch}`] = changed(batch, 2)
      last = await commitBatch(zone, content(next), { previous: last })
      sizes.push(await sizeOf(batch))
    }
    expect(sizes.toSorted((a, b) => a - b)[75]).toBeLessThan(2500)
    // If too many entries are in other records, one record holds all of them again.
    expect(sizes.filter((size) => size > 100_000)).toHaveLength(2)
    zone = reopen()
    expect(await readExistingCommit(zone, 150)).toEqual(last)
    expect(asked.length).toBeLessThanOrEqual(67)
  })

  it('carries the list of ignored relations over without repeating it', async () => {
    const listed = { ...content({ thing: changed(1) }), ignored: ['a', 'b'] }
    const one = await commitBatch(zone, listed, { previous: undefined })
    const same = { ...listed, tables: { thing: changed(2) } }
    const two = await commitBatch(zone, same, { previous: one })
    const three = await commitBatch(zone, { ...same, ignored: ['c'] }, { previous: two })
    await commitBatch(zone, { ...same, ignored: ['c'] }, { previous: three })
    expect(await readFile(pathOf(2), 'utf8')).not.toContain('"ignored":["a"')
    zone = reopen()
    const read = await Promise.all([1, 2, 3, 4].map((batch) => readExistingCommit(zone, batch)))
    expect(read.map(({ ignored }) => ignored)).toEqual([['a', 'b'], ['a', 'b'], ['c'], ['c']])
  })

  /** Ways in which a batch leaves a table. */
  const steps = {
    none: (before: TableEntry) => carryOver(before),
    append: (before: TableEntry, batch: number): TableEntry => {
      const next = changed(batch, batch)
      const added = next.changes.map((file) => ({ ...file, role: 'change' as const }))
      return { ...next, state: [...before.state, ...added] }
    },
    checkpoint: (_before: TableEntry, batch: number) => changed(batch, batch),
    look: (before: TableEntry): TableEntry => ({
      ...carryOver(before),
      counts: { ...NO_ROWS, read: 2, unchanged: 2 },
    }),
  }

  it('property: a new process reads for every table the entry that was committed', async () => {
    const step = fc.constantFrom<keyof typeof steps>(
      'none',
      'append',
      'append',
      'checkpoint',
      'look',
    )
    const batchOf = fc.record({
      tables: fc.array(step, { minLength: 6, maxLength: 6 }),
      present: fc.subarray(names(6), { minLength: 5 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(batchOf, { minLength: 1, maxLength: 14 }), async (history) => {
        zone = reopen(String((made += 1)))
        const committed: CommitRecord[] = []
        for (const { tables: taken, present } of history) {
          const last = committed.at(-1)
          const batch = committed.length + 1
          const tables = Object.fromEntries(
            present.map((name, index) => {
              const before = last?.tables[name]
              const next = steps[taken[index] ?? 'none']
              return [name, before === undefined ? changed(batch) : next(before, batch)]
            }),
          )
          committed.push(await commitBatch(zone, content(tables), { previous: last }))
        }
        zone = reopen()
        for (const record of committed) {
          expect(await readExistingCommit(zone, record.batch)).toEqual(record)
        }
      }),
      { numRuns: 100 },
    )
  })

  it('I14 is refused if it refers to a record that is missing or from another lake', async () => {
    const tables = { one: changed(1), two: changed(1) }
    const first = await commitBatch(zone, content(tables), { previous: undefined })
    const second = await commitBatch(
      zone,
      content({ one: changed(2), two: carryOver(changed(1)) }),
      { previous: first },
    )
    await commitBatch(zone, content({ one: carryOver(second.tables['one']), two: changed(3) }), {
      previous: second,
    })
    const own = await readFile(pathOf(2))
    await rm(pathOf(2))
    await expect(readCommit(reopen(), 3)).rejects.toMatchObject({
      code: 'LAKE_OBJECT_MISSING',
      message: expect.stringContaining(commitKey(2)),
    })
    const mine = zone
    zone = reopen(String((made += 1)))
    const other = await commitBatch(zone, content(tables), { previous: undefined })
    await commitBatch(zone, content({ one: changed(2), two: carryOver(changed(1)) }), {
      previous: other,
    })
    const foreign = await readFile(pathOf(2))
    zone = mine
    await writeFile(pathOf(2), foreign)
    const name = zone.store.location.split('/').at(-1)
    await expect(readCommit(reopen(name), 3)).rejects.toMatchObject({ code: 'LAKE_MIXED' })
    await writeFile(pathOf(2), own)
    expect((await readCommit(reopen(name), 3))?.batch).toBe(3)
  })

  describe('in a log that was put back and went on in another way', () => {
    /** Changes one table in each batch, so that the last record refers to the others. */
    async function write(from: CommitRecord | undefined, files: string): Promise<CommitRecord> {
      let last = from
      for (const name of ['one', 'two', 'three'].slice(last?.batch ?? 0)) {
        const batch = (last?.batch ?? 0) + 1
        const before = last?.tables ?? { one: changed(1), two: changed(1), three: changed(1) }
        const next = {
          ...changed(batch),
          state: [{ ...fileAt(`${files}/${batch}`), role: 'base' }],
        }
        const carried = Object.entries(before).map(([table, entry]) => [table, carryOver(entry)])
        const tables = { ...Object.fromEntries(carried), [name]: next } as typeof before
        last = await commitBatch(zone, content(tables), { previous: last })
      }
      if (last === undefined) throw new Error('nothing was written')
      return last
    }
    const fileAt = (key: string): FileRef => ({ key, rows: 1, bytes: 100, sha256: 'a'.repeat(64) })

    /** Removes all batches but the first, and lets another process write other ones. */
    async function goOn(): Promise<CommitRecord> {
      const first = await readExistingCommit(zone, 1)
      await Promise.all([rm(pathOf(2)), rm(pathOf(3))])
      const mine = zone
      zone = reopen()
      try {
        return await write(first, 'other')
      } finally {
        zone = mine
      }
    }

    it('I14 refers to what is there now, as far as this process had read', async () => {
      await write(undefined, 'own')
      await readLastCommit(zone)
      const last = await goOn()
      expect(await readLastCommit(zone)).toEqual(last)
    })

    it('I14 refers to what is there now, although it has outgrown what this process had read', async () => {
      await write(undefined, 'own')
      await readLastCommit(zone)
      const third = await goOn()
      const mine = zone
      zone = reopen()
      const last = await commitBatch(zone, content(third.tables), { previous: third })
      zone = mine
      expect(await readLastCommit(zone)).toEqual(last)
    })

    it('I14 refers to what is there now, if the search begins at a later batch', async () => {
      await write(undefined, 'own')
      await readLastCommit(zone)
      const third = await goOn()
      const mine = zone
      zone = reopen()
      const last = await commitBatch(zone, content(third.tables), { previous: third })
      zone = mine
      expect(await readLastCommit(zone, last.batch)).toEqual(last)
    })

    it('I14 refers to what is there now, if this process had written it', async () => {
      const third = await write(undefined, 'own')
      const fourth = await commitBatch(zone, content(third.tables), { previous: third })
      expect(await readLastCommit(zone)).toEqual(fourth)
      await rm(pathOf(4))
      const last = await goOn()
      expect(await readLastCommit(zone)).toEqual(last)
    })
  })
})
