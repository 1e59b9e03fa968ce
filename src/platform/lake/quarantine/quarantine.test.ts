import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DuckDb, openDuckDb } from '../../io/duckdb.ts'
import { createMemory } from '../../io/memory.ts'
import type { LogEntry } from '../../log.ts'
import type { PendingBatch } from '../batch.ts'
import type { FileRef } from '../commit-record.ts'
import { diskStore } from '../store/disk-store.ts'
import { openFiles } from '../zone.ts'
import {
  logRefused,
  prepareOpen,
  prepareQuarantine,
  readRefused,
  rowText,
  selectRefused,
} from './quarantine.ts'

const TABLE = { name: 'thing' }

const COLUMNS = [
  { name: 'id', type: 'INTEGER' },
  { name: 'the "value"', type: 'VARCHAR' },
]

let folder: string
let db: DuckDb

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-quarantine-'))
  db = await openDuckDb({ scratchDir: folder })
})

afterAll(async () => {
  await db[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

function batchOf(number: number): PendingBatch {
  const zone = {
    store: diskStore(join(folder, 'zone')),
    prefix: '',
    cacheDir: folder,
    memory: createMemory(),
  }
  return { zone, db, number, attempt: String(attempts++), takenAt: '2024-01-01T00:00:00.000000Z' }
}

let attempts = 0

interface Refused {
  readonly id: number | null
  readonly value: string
  readonly reason?: string
  readonly column?: string | null
  readonly operation?: string
}

/** The quarantine files of a batch that refused these rows. */
async function refuse(batch: PendingBatch, rows: readonly Refused[]): Promise<FileRef[]> {
  if (rows.length === 0) return []
  const values = rows.map(
    ({ id, value, reason = 'not_null', column = 'value', operation = 'insert' }, index) =>
      `(${id}, '${value}', '${operation}', ${index + 1}, '${reason}', ${column === null ? 'null' : `'${column}'`})`,
  )
  const relation = `(
    select *, ${batch.number} as _batch, now() as _captured_at
    from (values ${values.join(', ')}) t (id, "the ""value""", _operation, _ordinal, _reason, _column))`
  const key = rowText(COLUMNS.slice(0, 1))
  return prepareQuarantine(batch, TABLE, {
    refused: selectRefused(relation, { key, columns: COLUMNS }),
  })
}

/** Batches in order: the rows that each refuses, and the ids that it releases from quarantine. */
async function follow(
  steps: readonly { refused?: readonly Refused[]; released?: readonly number[] }[],
): Promise<Awaited<ReturnType<typeof prepareOpen>>[]> {
  const found: Awaited<ReturnType<typeof prepareOpen>>[] = []
  for (const [index, { refused = [], released = [] }] of steps.entries()) {
    const batch = batchOf(index + 1)
    const ids = released.map((id) => `json_object('id', '${id}')::varchar`).join(', ')
    found.push(
      await prepareOpen(batch, TABLE, {
        before: found.at(-1)?.open ?? [],
        refused: await refuse(batch, refused),
        released: `(select unnest([${ids}]::varchar[]) as _key)`,
      }),
    )
  }
  return found
}

async function entries(open: readonly FileRef[]): Promise<unknown[]> {
  const paths = await openFiles(batchOf(0).zone, open)
  return db.rows(
    `select _batch::int as batch, _key as key, _content as content from ${readRefused(paths)} order by all`,
  )
}

describe('rowText()', () => {
  it('I6 holds every value as text from which it can be restored exactly', async () => {
    const values: readonly (readonly [string, string, string | null])[] = [
      ['VARCHAR', `'a"b' || chr(10) || '\\x'`, 'a"b\n\\x'],
      ['VARCHAR', 'null', null],
      ['BLOB', `'\\x00\\xAB'::blob`, '\\x00ab'],
      ['FLOAT', '0.1::float', '0.1'],
      ['DOUBLE', '0.1 + 0.2', '0.3'],
      ['DOUBLE', '0.1::double + 0.2::double', '0.30000000000000004'],
      ['DOUBLE', `'-0'::double`, '-0'],
      ['TIMESTAMP', `timestamp '2024-02-29 23:59:59.999999'`, '2024-02-29 23:59:59.999999'],
      ['TIMESTAMP', `timestamp '0044-03-15 (BC) 10:00:00'`, '0044-03-15 10:00:00 BC'],
      ['TIMESTAMPTZ', `timestamptz '2024-01-01 01:00:00+01'`, '2024-01-01 00:00:00+00'],
      ['DATE', `date '0044-03-15 (BC)'`, '0044-03-15 BC'],
      ['DATE', `'infinity'::date`, 'infinity'],
      ['BOOLEAN', 'true', 'true'],
    ]
    for (const [type, value, expected] of values) {
      const [row] = await db.rows<{ text: string }>(
        `select ${rowText([{ name: `it's`, type }])} as text from (select ${value} as "it's")`,
      )
      expect(JSON.parse(row?.text ?? ''), type).toEqual({ [`it's`]: expected })
    }
  })
})

describe('prepareQuarantine()', () => {
  it('writes the same columns for every table, and no file without rows', async () => {
    const batch = batchOf(7)
    const [file] = await refuse(batch, [{ id: 1, value: 'x' }])
    expect(file).toMatchObject({
      rows: 1,
      key: `quarantine/thing/tidemark_date=2024-01-01/000000000007-${batch.attempt}-0.parquet`,
    })
    const source = readRefused(await openFiles(batch.zone, file === undefined ? [] : [file]))
    expect(
      await db.rows(`select column_name || ' ' || column_type as c from (describe from ${source})`),
    ).toEqual(
      [
        '_batch BIGINT',
        '_captured_at TIMESTAMP WITH TIME ZONE',
        '_ordinal BIGINT',
        '_operation VARCHAR',
        '_key VARCHAR',
        '_column VARCHAR',
        '_reason VARCHAR',
        '_content VARCHAR',
      ].map((c) => ({ c })),
    )
    expect(await db.rows(`select _key, _content from ${source}`)).toEqual([
      { _key: '{"id":"1"}', _content: '{"id":"1","the \\"value\\"":"x"}' },
    ])
    const none = selectRefused(`(from ${source} select 1 as id, * where false)`, {
      key: '_key',
      columns: [],
    })
    expect(await prepareQuarantine(batch, TABLE, { refused: none })).toEqual([])
  })
})

describe('prepareOpen()', () => {
  it('keeps the last refused version of each key until the key leaves quarantine', async () => {
    const [first, second, third, fourth] = await follow([
      {
        refused: [
          { id: 1, value: 'a' },
          { id: 2, value: 'b' },
        ],
      },
      { refused: [{ id: 1, value: 'aa' }] },
      { refused: [{ id: 3, value: 'c' }], released: [1] },
      { released: [2, 3] },
    ])
    const entry = (batch: number, id: number, value: string) => ({
      batch,
      key: `{"id":"${id}"}`,
      content: JSON.stringify({ id: String(id), 'the "value"': value }),
    })
    expect(await entries(first?.open ?? [])).toEqual([entry(1, 1, 'a'), entry(1, 2, 'b')])
    expect(await entries(second?.open ?? [])).toEqual([entry(1, 2, 'b'), entry(2, 1, 'aa')])
    expect(await entries(third?.open ?? [])).toEqual([entry(1, 2, 'b'), entry(3, 3, 'c')])
    expect(fourth?.open).toEqual([])
  })

  it('releases a key that was refused in the same batch, and keeps rows without a key', async () => {
    const [only] = await follow([
      {
        refused: [
          { id: 1, value: 'a', operation: 'delete' },
          { id: null, value: 'b' },
        ],
        released: [1],
      },
    ])
    expect(await entries(only?.open ?? [])).toMatchObject([{ key: '{"id":null}' }])
  })

  it('returns the same files while nothing changes, and none while quarantine is empty', async () => {
    const [nothing, first, second] = await follow([
      { released: [1] },
      { refused: [{ id: 1, value: 'a' }] },
      { released: [2, 3] },
    ])
    expect(nothing).toEqual({ open: [], reasons: [] })
    expect(second).toEqual({ open: first?.open, reasons: [] })
  })

  it('alerts once for each reason and column, and again after its rows left quarantine', async () => {
    const steps = await follow([
      {
        refused: [
          { id: 1, value: 'a' },
          { id: 2, value: 'a' },
          { id: 3, value: 'a', column: null },
        ],
      },
      { refused: [{ id: 4, value: 'a' }] },
      { refused: [{ id: 5, value: 'a', column: null }] },
      {
        refused: [
          { id: 6, value: 'a' },
          { id: 6, value: 'a', column: 'other' },
        ],
      },
      { released: [1, 2, 4, 6] },
      { refused: [{ id: 1, value: 'a' }] },
      {},
    ])
    expect(steps[0]?.reasons).toEqual([
      { reason: 'not_null', column: 'value', rows: 2, isNew: true },
      { reason: 'not_null', column: null, rows: 1, isNew: true },
    ])
    const logged: LogEntry[] = []
    for (const [index, { reasons }] of steps.entries()) {
      logRefused((entry) => logged.push(entry), { batch: index + 1, table: 'thing', reasons })
    }
    const said = { event: 'rows_quarantined', table: 'thing' }
    expect(logged).toEqual([
      { ...said, batch: 1, level: 'alert', rows: 3, reasons: ['not_null value', 'not_null'] },
      { ...said, batch: 2, level: 'warn', rows: 1, reasons: ['not_null value'] },
      { ...said, batch: 3, level: 'warn', rows: 1, reasons: ['not_null'] },
      {
        ...said,
        batch: 4,
        level: 'alert',
        rows: 2,
        reasons: ['not_null other', 'not_null value'],
      },
      { ...said, batch: 6, level: 'alert', rows: 1, reasons: ['not_null value'] },
    ])
  })
})
