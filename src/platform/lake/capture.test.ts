import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DuckDb, openDuckDb } from '../duckdb.ts'
import type { TidemarkError } from '../errors.ts'
import {
  checkKeys,
  compareKeys,
  compareRows,
  type ConvertedRows,
  convertRows,
  incomingRelation,
  type PendingBatch,
} from './capture.ts'
import { diskStore } from './disk-store.ts'
import type { LakeTable } from './table-state.ts'

let folder: string
let db: DuckDb
let batch: PendingBatch
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-capture-'))
  db = await openDuckDb({ scratchDir: folder })
  const zone = { store: diskStore(join(folder, 'zone')), prefix: '', cacheDir: folder }
  batch = { zone, db, number: 3, attempt: 'a', takenAt: '2024-01-01T00:00:00.000000Z' }
})
afterAll(async () => {
  await db[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

let made = 0
async function convert(table: LakeTable, text: string, rows: number): Promise<ConvertedRows> {
  const path = join(folder, `${(made += 1)}.copied`)
  await writeFile(path, text)
  return convertRows(batch, table, { copied: { path, rows }, firstOrdinal: 11 })
}

function read({ path }: { path: string }): Promise<Record<string, string | null>[]> {
  return db.rows(`select columns(*)::varchar from read_parquet('${path}') order by _ordinal`)
}

function tableOf(type: string): LakeTable {
  return {
    name: 'thing',
    key: ['id'],
    columns: [
      { name: 'id', type: 'INTEGER' },
      { name: 'the value', type },
    ],
  }
}

describe('convertRows()', () => {
  it('keeps order, numbers rows on and stamps them', async () => {
    const converted = await convert(tableOf('VARCHAR'), '\t2\tb\n\t1\t\n\t3\t\\N\n', 3)
    expect(converted).toMatchObject({ rows: 3, refused: undefined })
    expect(await read(converted)).toEqual([
      { id: '2', 'the value': 'b', ...stamp, _ordinal: '11' },
      { id: '1', 'the value': '', ...stamp, _ordinal: '12' },
      { id: '3', 'the value': null, ...stamp, _ordinal: '13' },
    ])
  })
  it('I6 undoes every escape of COPY, and nothing else', async () => {
    const escaped = String.raw`\\ \b\t\n\v\f\r \\n \\\\ \\N "quoted", 'so' \\.`
    const value = '\\ \b\t\n\v\f\r \\n \\\\ \\N "quoted", \'so\' \\.'
    const { path } = await convert(tableOf('VARCHAR'), `\t1\t${escaped}\n`, 1)
    const rows = await db.rows(`select "the value" as value from read_parquet('${path}')`)
    expect(rows).toEqual([{ value }])
  })

  const stamp = { _operation: 'insert', _batch: '3', _captured_at: '2024-01-01 00:00:00+00' }

  it.each([
    ['DATE', 'not a date'],
    ['INTEGER', '12.5x'],
    ['DECIMAL(10,2)', 'NaN'],
    ['TIMESTAMP', '294277-01-01 00:00:00'],
    ['SMALLINT', '99999'],
  ])('I6 refuses the row of a value that is no %s, as the text it was', async (type, value) => {
    const text = `\t1\t${value}\n\t2\t\\N\n`
    const { rows, refused, ...accepted } = await convert(tableOf(type), text, 2)
    expect(rows).toBe(1)
    expect(await read(accepted)).toEqual([{ id: '2', 'the value': null, ...stamp, _ordinal: '12' }])
    expect(refused?.rows).toBe(1)
    expect(await read({ path: refused?.path ?? '' })).toEqual([
      {
        id: '1',
        'the value': value,
        ...stamp,
        _ordinal: '11',
        _reason: 'value_not_exact',
        _column: 'the value',
      },
    ])
  })

  it('I6 gives the other values of a refused row as they were, escapes undone', async () => {
    const table: LakeTable = {
      ...tableOf('DECIMAL(10,2)'),
      columns: [
        ...tableOf('DECIMAL(10,2)').columns,
        { name: 'b', type: 'BLOB' },
        { name: 't', type: 'VARCHAR' },
      ],
    }
    const { refused } = await convert(table, '\t1\tNaN\t\\\\x00ff\ta\\tb\\\\\n', 1)
    expect(await read({ path: refused?.path ?? '' })).toMatchObject([
      { id: '1', 'the value': 'NaN', b: '\\x00ff', t: 'a\tb\\' },
    ])
  })

  it.each([
    ['in escape format', 'abc'],
    ['in escape format, beginning like hexadecimal', '\\\\134x00'],
    ['that are no hexadecimal', '\\\\xa secret'],
    ['cut off', '\\\\'],
  ])('I6 I15 refuses bytes %s, alone, and never reads them as none', async (_, text) => {
    const found = await convert(tableOf('BLOB'), `\t1\t\\\\x\n\t2\t${text}\n\t3\t\\N\n`, 3)
    expect(await read(found)).toMatchObject([
      { id: '1', 'the value': '' },
      { id: '3', 'the value': null },
    ])
    expect(await read({ path: found.refused?.path ?? '' })).toMatchObject([
      { id: '2', _reason: 'value_not_exact', _column: 'the value' },
    ])
  })

  it('I6 refuses a table of which a key has no exact form', async () => {
    const table: LakeTable = { ...tableOf('DECIMAL(10,2)'), key: ['id', 'the value'] }
    const error: unknown = await convert(table, '\t1\tNaN\n', 1).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ name: 'ContractError', code: 'KEY_NOT_EXACT' })
    expect((error as TidemarkError).message).not.toContain('NaN')
  })

  it('I6 refuses a file of fewer rows than Postgres sent', async () => {
    await expect(convert(tableOf('VARCHAR'), '\t1\ta\n', 2)).rejects.toMatchObject({
      code: 'CAPTURE_INCOMPLETE',
      message: 'Table thing: Postgres sent 2 rows, 1 could be read back',
    })
  })

  it('refuses a row that is too long', async () => {
    const text = `\t1\t${'x'.repeat(17 * 1024 * 1024)}\n`
    await expect(convert(tableOf('VARCHAR'), text, 1)).rejects.toMatchObject({
      code: 'ROW_TOO_LARGE',
    })
  })

  it.each([
    ['cut in the middle', 'INTEGER', '\t1'],
    ['of too many columns', 'INTEGER', '\t1\t2\ta secret\n'],
  ])('I13 refuses a row %s, without its text', async (_, type, text) => {
    const error: unknown = await convert(tableOf(type), text, 1).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ name: 'ContractError', code: 'CAPTURE_INCOMPLETE' })
    expect((error as TidemarkError).cause).toBeUndefined()
    expect((error as TidemarkError).message).not.toContain('secret')
  })
})

describe('compareRows() and compareKeys()', () => {
  const relation = (...rows: string[]) => `(values ${rows.join(', ')}) as t (id, "the value")`
  const run = async (type: string, { before, now }: { before: string[]; now: string[] }) => {
    await db.run(`create or replace temp view "state" as select id::integer as id, "the value"::${type} as "the value"
      from ${relation(...before)}`)
    const incoming = `(select id::integer as id, "the value"::${type} as "the value" from ${relation(...now)})`
    const table = tableOf(type)
    const found = await compareRows(db, table, { incoming, state: 'state', changes: 'changes' })
    return {
      ...found,
      ...(await compareKeys(db, table, { keys: incoming, state: 'state', changes: 'changes' })),
    }
  }

  it('tell new, changed, same and gone apart', async () => {
    expect(
      await run('VARCHAR', {
        before: [`(1, 'a')`, `(2, 'b')`, '(3, null)', `(4, 'd')`],
        now: [`(1, 'a')`, `(2, null)`, `(3, '')`, `(5, 'e')`],
      }),
    ).toEqual({ read: 4, inserted: 1, updated: 2, unchanged: 1, gone: 1, unknown: 0 })
  })

  it('know minus zero from zero, and NaN from nothing else', async () => {
    expect(
      await run('DOUBLE', {
        before: [`(1, '0')`, `(2, 'nan')`, `(3, null)`],
        now: [`(1, '-0')`, `(2, 'nan')`, `(3, 'nan')`],
      }),
    ).toMatchObject({ updated: 2, unchanged: 1 })
  })

  it('compare a table of nothing but its key', async () => {
    const table: LakeTable = { name: 'k', key: ['id'], columns: [{ name: 'id', type: 'INTEGER' }] }
    await db.run('create or replace temp view "state" as select 1 as id')
    const incoming = '(select unnest([1, 2]) as id)'
    expect(await compareRows(db, table, { incoming, state: 'state', changes: 'changes' })).toEqual({
      read: 2,
      inserted: 1,
      updated: 0,
      unchanged: 1,
    })
  })
})

describe('checkKeys()', () => {
  it.each([
    ['twice', '(1), (1), (2)', /1 keys occur twice, 0 rows have none/],
    ['null', '(1), (null)', /0 keys occur twice, 1 rows have none/],
  ])('refuses a key that is %s', async (_, rows, message) => {
    const checked = checkKeys(db, tableOf('VARCHAR'), `(values ${rows}) as t (id)`)
    await expect(checked).rejects.toMatchObject({
      code: 'KEY_NOT_UNIQUE',
      message: expect.stringMatching(message),
    })
  })

  it('passes keys that are unique', async () => {
    await expect(
      checkKeys(db, tableOf('VARCHAR'), '(values (1), (2)) as t (id)'),
    ).resolves.toBeUndefined()
  })
})

it('incomingRelation() of nothing is the empty table', async () => {
  expect(await db.rows(`select * from ${incomingRelation(tableOf('DATE'), [])}`)).toEqual([])
})
