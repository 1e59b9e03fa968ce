import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DuckDb, openDuckDb } from '../io/duckdb.ts'
import { createMemory } from '../io/memory.ts'
import type { PendingBatch } from './batch.ts'
import { prepareChanges } from './change-file.ts'
import { planCheckpoint, prepareState } from './checkpoint.ts'
import type { StateFile } from './commit-record.ts'
import { diskStore } from './store/disk-store.ts'
import { type LakeTable, openState } from './table-state.ts'
import type { Zone } from './zone.ts'

function files(role: StateFile['role'], ...rows: number[]): StateFile[] {
  return rows.map((count) => ({ role, rows: count, key: 'k', bytes: 1, sha256: 's' }))
}

describe('planCheckpoint()', () => {
  it.each([
    ['nothing', [], 'none'],
    ['a base alone', files('base', 1_000_000), 'none'],
    [
      'few changes',
      [...files('base', 10), ...files('change', ...Array<number>(16).fill(1))],
      'none',
    ],
    [
      'many changes to a small table',
      [...files('base', 10), ...files('change', ...Array<number>(17).fill(1))],
      'base',
    ],
    [
      'many changes to a large table',
      [...files('base', 1_000_000), ...files('change', ...Array<number>(17).fill(1))],
      'delta',
    ],
    [
      'a delta and few changes',
      [...files('base', 1_000_000), ...files('delta', 17), ...files('change', 1)],
      'none',
    ],
    ['changes of a tenth', [...files('base', 1_000_000), ...files('change', 100_000)], 'none'],
    [
      'changes of more than a tenth',
      [...files('base', 600_000, 400_000), ...files('delta', 60_000), ...files('change', 40_001)],
      'base',
    ],
    [
      'up to ten thousand changes to a small table',
      [...files('base', 10), ...files('change', 10_000)],
      'none',
    ],
    ['more than ten thousand', [...files('base', 10), ...files('change', 10_001)], 'base'],
  ] as const)('after %s writes %s', (_, state, plan) => {
    expect(planCheckpoint(state)).toBe(plan)
  })
})

describe('prepareChanges() and prepareState()', () => {
  let folder: string
  let zone: Zone
  let db: DuckDb
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tidemark-checkpoint-'))
    zone = {
      store: diskStore(join(folder, 'zone')),
      prefix: '',
      cacheDir: folder,
      memory: createMemory(),
    }
    db = await openDuckDb({ scratchDir: folder })
  })
  afterAll(async () => {
    await db[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  const table: LakeTable = {
    name: 'thing',
    key: ['id'],
    columns: [
      { name: 'id', type: 'INTEGER' },
      { name: 'value', type: 'VARCHAR' },
    ],
  }
  let attempt = 0

  /** Adds one batch to a state. The changes map each key to its value; `null` deletes the key. */
  async function apply(
    state: readonly StateFile[],
    {
      number,
      changes,
    }: { number: number; changes: ReadonlyMap<number, { operation: string; value: string }> },
  ): Promise<StateFile[]> {
    const batch: PendingBatch = {
      zone,
      db,
      number,
      attempt: String((attempt += 1)),
      takenAt: '2024-01-01T00:00:00.000000Z',
    }
    const rows = [...changes].map(
      ([id, { operation, value }]) => `(${id}, '${value}', '${operation}')`,
    )
    await db.run(`create or replace temp table changed (id integer, value varchar, _operation varchar);
      ${rows.length === 0 ? '' : `insert into changed values ${rows.join(', ')}`}`)
    const written = await prepareChanges(batch, table, { changes: 'changed', rows: rows.length })
    const role = state.length === 0 ? 'base' : 'change'
    return prepareState(batch, table, {
      state: [...state, ...written.map((file) => ({ ...file, role }) as const)],
    })
  }

  async function read(state: readonly StateFile[]): Promise<[number, string][]> {
    await using found = await openState(db, zone, { table, state })
    const rows = await db.rows<{ id: number; value: string }>(
      `select * from ${found.name} order by id`,
    )
    return rows.map(({ id, value }) => [id, value])
  }

  const batches = fc.array(
    fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.constantFrom('a', 'b', null)), {
      maxLength: 5,
    }),
    { minLength: 1, maxLength: 25 },
  )

  it('I6 any history of inserts, updates and deletes gives the same state as a Map', async () => {
    await fc.assert(
      fc.asyncProperty(batches, async (history) => {
        const model = new Map<number, string>()
        let state: StateFile[] = []
        for (const [index, wanted] of history.entries()) {
          const changes = new Map<number, { operation: string; value: string }>()
          for (const [id, value] of new Map(wanted)) {
            const before = model.get(id)
            if (value === null && before !== undefined) {
              changes.set(id, { operation: 'delete', value: before })
              model.delete(id)
            } else if (value !== null && before !== value) {
              changes.set(id, { operation: before === undefined ? 'insert' : 'update', value })
              model.set(id, value)
            }
          }
          state = await apply(state, { number: index + 1, changes })
          expect(state.length).toBeLessThanOrEqual(18)
        }
        expect(await read(state)).toEqual([...model].toSorted(([a], [b]) => a - b))
      }),
      { numRuns: 12, seed: 20_261_120 },
    )
  })

  it('merges many changes to a large table into a delta, which overrides the base and which later changes override', async () => {
    const all = new Map(
      Array.from(
        { length: 20_000 },
        (_, id) => [id, { operation: 'insert', value: 'old' }] as const,
      ),
    )
    let state = await apply([], { number: 1, changes: all })
    for (let number = 2; number <= 18; number++) {
      const operation = number === 10 ? 'delete' : 'update'
      state = await apply(state, {
        number,
        changes: new Map([[number % 5, { operation, value: `v${number}` }]]),
      })
    }
    expect(state.map(({ role }) => role)).toEqual(['base', 'delta'])
    expect(state[1]?.rows).toBe(5)
    state = await apply(state, {
      number: 19,
      changes: new Map([[3, { operation: 'update', value: 'v19' }]]),
    })
    expect(state.map(({ role }) => role)).toEqual(['base', 'delta', 'change'])
    const rows = await read(state)
    expect(rows).toHaveLength(20_000)
    expect(rows.slice(0, 6).map(([, value]) => value)).toEqual([
      'v15',
      'v16',
      'v17',
      'v19',
      'v14',
      'old',
    ])
  })

  it('writes no file for a table that has become empty', async () => {
    const insert = new Map([[1, { operation: 'insert', value: 'a' }]])
    const state = await apply([], { number: 1, changes: insert })
    const removed = await apply(state, {
      number: 2,
      changes: new Map([[1, { operation: 'delete', value: 'a' }]]),
    })
    const batch = { zone, db, number: 3, attempt: 'forced', takenAt: '2024-01-01T00:00:00.000000Z' }
    expect(await prepareState(batch, table, { state: removed, force: true })).toEqual([])
    expect(await prepareState(batch, table, { state: [], force: true })).toEqual([])
    expect(await read([])).toEqual([])
  })
})
