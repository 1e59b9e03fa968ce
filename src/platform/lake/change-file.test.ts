import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TidemarkError } from '../errors.ts'
import { openDrainingFile } from '../io/draining-file.ts'
import { type DuckDb, openDuckDb } from '../io/duckdb.ts'
import { createMemory } from '../io/memory.ts'
import type { PendingBatch } from './batch.ts'
import { incomingRelation, prepareChanges } from './change-file.ts'
import { checkKeys, compareKeys, compareRows } from './compare.ts'
import { type ConvertedRows, convertRows } from './convert.ts'
import { MAX_ROW_BYTES } from './copy-text.ts'
import { readParquet } from './parquet.ts'
import { diskStore } from './store/disk-store.ts'
import type { LakeTable } from './table-state.ts'
import { openFiles } from './zone.ts'

let folder: string
let db: DuckDb
let batch: PendingBatch

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-capture-'))
  db = await openDuckDb({ scratchDir: folder })
  const zone = {
    store: diskStore(join(folder, 'zone')),
    prefix: '',
    cacheDir: folder,
    memory: createMemory(),
  }
  batch = { zone, db, number: 3, attempt: 'a', takenAt: '2024-01-01T00:00:00.000000Z' }
})

afterAll(async () => {
  await db[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

let made = 0

async function convert(
  table: LakeTable,
  text: string | Buffer,
  rows: number,
): Promise<ConvertedRows> {
  const path = join(folder, `${(made += 1)}.copied`)
  await using file = await openDrainingFile(path)
  await pipeline(inPieces(Buffer.from(text)), file.sink)
  return await convertRows(batch, table, {
    copied: { ...file.check(), path, rows },
    firstOrdinal: 11,
  })
}

/** Text in pieces, as it comes from a socket. */
function* inPieces(text: Buffer): Generator<Buffer> {
  for (let from = 0; from < text.length; from += 65_536) yield text.subarray(from, from + 65_536)
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
  it('keeps the order of rows, continues their numbers, and stamps them', async () => {
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
  ])('I6 refuses a row whose value is not a %s, and keeps its text', async (type, value) => {
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

  it('I6 keeps the other values of a refused row, unescaped', async () => {
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
    ['that are not hexadecimal', '\\\\xa secret'],
    ['cut off', '\\\\'],
  ])(
    'I6 I15 refuses only the row with bytes %s, and never reads them as empty',
    async (_, text) => {
      const found = await convert(tableOf('BLOB'), `\t1\t\\\\x\n\t2\t${text}\n\t3\t\\N\n`, 3)
      expect(await read(found)).toMatchObject([
        { id: '1', 'the value': '' },
        { id: '3', 'the value': null },
      ])
      expect(await read({ path: found.refused?.path ?? '' })).toMatchObject([
        { id: '2', _reason: 'value_not_exact', _column: 'the value' },
      ])
    },
  )

  it('I6 refuses a table if a key has no exact form', async () => {
    const table: LakeTable = { ...tableOf('DECIMAL(10,2)'), key: ['id', 'the value'] }
    const error: unknown = await convert(table, '\t1\tNaN\n', 1).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ name: 'ContractError', code: 'KEY_NOT_EXACT' })
    expect((error as TidemarkError).message).not.toContain('NaN')
  })

  it('I6 refuses a file with fewer rows than Postgres sent', async () => {
    await expect(convert(tableOf('VARCHAR'), '\t1\ta\n', 2)).rejects.toMatchObject({
      code: 'CAPTURE_INCOMPLETE',
      message: 'Table thing: Postgres sent 2 rows, but 1 could be read back',
    })
  })

  it.each([17, 33, 70])('I15 refuses only the row of %i MB', async (sizeMb) => {
    const large = 'x'.repeat(sizeMb * 1024 * 1024)
    const { path, rows, refused } = await convert(
      tableOf('VARCHAR'),
      `\t1\ta\n\t2\t${large}\n\t3\tc\n`,
      3,
    )
    expect(rows).toBe(2)
    expect(await read({ path })).toMatchObject([
      { id: '1', 'the value': 'a', _ordinal: '11' },
      { id: '3', 'the value': 'c', _ordinal: '13' },
    ])
    const sha256 = createHash('sha256').update(large).digest('hex')
    expect(await read({ path: refused?.path ?? '' })).toMatchObject([
      {
        id: '2',
        'the value': `[${large.length} bytes, sha256 ${sha256}]`,
        _reason: 'row_too_large',
        _column: 'the value',
        _ordinal: '12',
      },
    ])
  })

  it('I6 takes a row of exactly the largest size, also beside a refused row', async () => {
    const lead = '\t2\t'
    const largest = `${lead}${'x'.repeat(MAX_ROW_BYTES - lead.length - 1)}\n`
    const tooLarge = `\t3\t${'x'.repeat(MAX_ROW_BYTES)}\n`
    const alone = await convert(tableOf('VARCHAR'), `\t1\ta\n${largest}`, 2)
    expect(alone).toMatchObject({ rows: 2, refused: undefined })
    const both = await convert(tableOf('VARCHAR'), `\t1\ta\n${largest}${tooLarge}`, 3)
    expect(both).toMatchObject({ rows: 2, refused: { rows: 1 } })
  })

  it('I15 refuses only the row that is not UTF-8, and keeps its bytes', async () => {
    const text = Buffer.concat([
      Buffer.from('\t1\ta\tb\n\t2\t'),
      Buffer.from([0xfc, 0x41]),
      Buffer.from('\\t\tgut\\\\ so\n\t3\t\\N\tü\n'),
    ])
    const table: LakeTable = {
      ...tableOf('VARCHAR'),
      columns: [...tableOf('VARCHAR').columns, { name: 'note', type: 'VARCHAR' }],
    }
    const { path, refused } = await convert(table, text, 3)
    expect(await read({ path })).toMatchObject([
      { id: '1', note: 'b' },
      { id: '3', 'the value': null, note: 'ü' },
    ])
    expect(await read({ path: refused?.path ?? '' })).toMatchObject([
      {
        id: '2',
        'the value': '\\xfc4109',
        note: 'gut\\ so',
        _reason: 'not_utf8',
        _column: 'the value',
      },
    ])
  })

  it('I15 refuses rows for different reasons side by side, each under its own ordinal', async () => {
    const table = tableOf('DECIMAL(10,2)')
    const text = Buffer.concat([
      Buffer.from('\t1\tNaN\n\t2\t'),
      Buffer.from([0xff]),
      Buffer.from(`\n\t3\t3.00\n\t4\t${'9'.repeat(17 << 20)}\n\t5\tNaN\n`),
    ])
    const { path, refused } = await convert(table, text, 5)
    expect(await read({ path })).toMatchObject([{ id: '3', _ordinal: '13' }])
    const rows = await read({ path: refused?.path ?? '' })
    expect(rows.map(({ id, _ordinal, _reason }) => [id, _ordinal, _reason])).toEqual([
      ['1', '11', 'value_not_exact'],
      ['2', '12', 'not_utf8'],
      ['4', '14', 'row_too_large'],
      ['5', '15', 'value_not_exact'],
    ])
  })

  it.each([
    ['is not UTF-8', Buffer.from([0xfc])],
    ['ends in the middle of a character', Buffer.from([0x61, 0xe2, 0x82])],
    ['is too large', Buffer.alloc(17 << 20, 'x')],
  ])('I15 refuses a table with a key that %s', async (_, key) => {
    const table: LakeTable = { ...tableOf('VARCHAR'), key: ['the value'] }
    const text = Buffer.concat([Buffer.from('\t1\t'), key, Buffer.from('\n')])
    await expect(convert(table, text, 1)).rejects.toMatchObject({ code: 'KEY_NOT_EXACT' })
  })

  it.each([
    ['cut in the middle', 'INTEGER', '\t1'],
    ['with too many columns', 'INTEGER', '\t1\t2\ta secret\n'],
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
    await using state = await db.view(
      `select id::integer as id, "the value"::${type} as "the value" from ${relation(...before)}`,
    )
    const incoming = `(select id::integer as id, "the value"::${type} as "the value" from ${relation(...now)})`
    const table = tableOf(type)
    await using found = await compareRows(db, table, { incoming, state: state.name })
    const { inserted, updated, changes } = found
    const keys = await compareKeys(db, table, { keys: incoming, state: state.name, changes })
    return {
      read: found.read,
      inserted,
      updated,
      unchanged: found.read - inserted - updated,
      ...keys,
    }
  }

  it('tell new, changed, unchanged and deleted rows apart', async () => {
    expect(
      await run('VARCHAR', {
        before: [`(1, 'a')`, `(2, 'b')`, '(3, null)', `(4, 'd')`],
        now: [`(1, 'a')`, `(2, null)`, `(3, '')`, `(5, 'e')`],
      }),
    ).toEqual({ read: 4, inserted: 1, updated: 2, unchanged: 1, gone: 1, unknown: 0 })
  })

  it('tell minus zero from zero, and find NaN equal to itself', async () => {
    expect(
      await run('DOUBLE', {
        before: [`(1, '0')`, `(2, 'nan')`, `(3, null)`],
        now: [`(1, '-0')`, `(2, 'nan')`, `(3, 'nan')`],
      }),
    ).toMatchObject({ updated: 2, unchanged: 1 })
  })

  it('compare a table with only key columns', async () => {
    const table: LakeTable = { name: 'k', key: ['id'], columns: [{ name: 'id', type: 'INTEGER' }] }
    await using state = await db.view('select 1 as id')
    const incoming = '(select unnest([1, 2]) as id)'
    await using found = await compareRows(db, table, { incoming, state: state.name })
    expect(found).toMatchObject({ read: 2, inserted: 1, updated: 0 })
  })
})

describe('prepareChanges()', () => {
  const table: LakeTable = { name: 'k', key: ['id'], columns: [{ name: 'id', type: 'BIGINT' }] }

  it('writes a file for each million changes, in the order of the key', async () => {
    const rows = 1_000_002
    await using changes = await db.table(
      `select ${rows} - range as id, 'insert' as _operation from range(${rows})`,
    )
    const files = await prepareChanges(batch, table, { changes: changes.name, rows })
    expect(files.map((file) => file.rows)).toEqual([1_000_000, 2])
    const paths = await openFiles(batch.zone, files)
    const found = await db.row(`
      select count(*)::integer as rows, bool_and(id = _ordinal) as "inOrder"
      from ${readParquet(paths)}`)
    expect(found).toEqual({ rows, inOrder: true })
  })

  it('writes nothing if there are no changes', async () => {
    expect(await prepareChanges(batch, table, { changes: 'nothing', rows: 0 })).toEqual([])
  })
})

describe('checkKeys()', () => {
  it.each([
    ['twice', '(1), (1), (2)', /1 keys occur more than once, 0 rows have no key/],
    ['null', '(1), (null)', /0 keys occur more than once, 1 rows have no key/],
  ])('refuses a key that is %s', async (_, rows, message) => {
    const checked = checkKeys(db, tableOf('VARCHAR'), `(values ${rows}) as t (id)`)
    await expect(checked).rejects.toMatchObject({
      code: 'KEY_NOT_UNIQUE',
      message: expect.stringMatching(message),
    })
  })

  it('accepts unique keys', async () => {
    await expect(
      checkKeys(db, tableOf('VARCHAR'), '(values (1), (2)) as t (id)'),
    ).resolves.toBeUndefined()
  })
})

it('incomingRelation() without files is the empty table', async () => {
  expect(await db.rows(`select * from ${incomingRelation(tableOf('DATE'), [])}`)).toEqual([])
})
