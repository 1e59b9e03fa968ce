import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findFact, readHistory } from '../../../src/platform/presentation/history.ts'
import { run } from '../../../src/platform/pipeline.ts'
import { identifier, qualified } from '../../../src/platform/io/sql.ts'
import { verify } from '../../../src/platform/inspect/verify.ts'
import { openWarehouse } from '../../../src/platform/warehouse/warehouse.ts'
import type { TestSystem } from '../../support/system.ts'
import { createLibrary, HISTORY } from './library-system.ts'
import { library } from './project.ts'

/** Occurs in every hostile value, so that a value that leaks is found. */
const MARK = 'zq7'
const HOSTILE = [
  `'`,
  `''); drop table lending.loan; --`,
  `"; drop table fact_loan; --`,
  `$$; drop schema public cascade; $$`,
  `$1 %s {0} \${key} {fact} $& $'`,
  `\\N`,
  `\\.`,
  `\\\\ \\t \\x41`,
  `tab\tline\r\nnext\n\\.\n`,
  ` ,;|  `,
  `NULL`,
  `☠️ 🏴‍☠️ e\u0301 \u202e`,
  `/../../date=2024-01-01/`,
].map((text) => `${text}${MARK}`)
const BARE = [`\\N`, `\\.`, `'`, `NULL`, ``, ` `, `$$`, `\u0001`]
const VALUES = [...HOSTILE, ...BARE]

let system: TestSystem
beforeAll(async () => {
  system = await createLibrary()
  await system.sql.query(
    `insert into lending.category values (1, null, $1), (2, 1, '"; drop table dim_category; --')`,
    [HOSTILE[1]],
  )
  for (const [index, text] of VALUES.entries()) {
    await system.sql.query('insert into lending.book values ($1, $1, 2)', [text])
    await system.sql.query('insert into lending.copy values ($1, 1, $1)', [text])
    await system.sql.query('insert into lending.member values ($1, $2, $2)', [index, text])
    await system.sql.query(
      `insert into lending.loan values ($1, 1, '2024-05-01Z', $2, '2024-05-02')`,
      [text, index],
    )
    await system.sql.query(
      `insert into lending."Order Line" values ($1, 1, $2, $1, '2024-05-01', 1, 1, $2, $2)`,
      [index, text],
    )
  }
  await system.run()
})
afterAll(() => system[Symbol.asyncDispose]())

describe('hostile names and values', () => {
  it('I6 arrive unchanged, keys included', async () => {
    const sorted = VALUES.toSorted()
    const columns = {
      dim_book: 'title',
      dim_copy: 'shelf',
      dim_member: 'full_name',
      fact_loan_current: 'isbn',
      'fact_Order Line_current': 'größe_µm',
    }
    for (const [table, column] of Object.entries(columns)) {
      const rows = await system.query<{ text: string }>(
        `select "${column}" as text from "${table}"`,
      )
      expect(rows.map(({ text }) => text).toSorted(), table).toEqual(sorted)
    }
    expect((await verify(system.deps)).isEqual).toBe(true)
  })

  it('I6 arrive when rows change and go, whatever columns the source is given', async () => {
    const hostile = `"); drop table lending.loan; -- ' $$ {key}`
    await system.sql.query(`
      alter table lending."Order Line" add column "${hostile.replaceAll('"', '""')}" text default '\\N';
      update lending.loan set returned_on = '2024-05-03' where isbn <> '';
      delete from lending."Order Line" where "Order" % 2 = 1`)
    await system.run()
    expect((await verify(system.deps)).isEqual).toBe(true)
    const [left] = await system.query(`
      select
        (select count(*)::int from fact_loan_history where version = 2) as updated,
        (select count(*)::int from "fact_Order Line_history" where record_operation = 'delete') as deleted`)
    expect(left).toEqual({ updated: VALUES.length - 1, deleted: Math.floor(VALUES.length / 2) })
  })

  it('find their history by a hostile key, and nothing by one that is only SQL', async () => {
    await using warehouse = await openWarehouse(system.deps.warehouse)
    const fact = findFact(library, 'loan')
    for (const isbn of HOSTILE) {
      const found = await readHistory(warehouse, fact, [isbn, '1', '2024-05-01T00:00:00Z'])
      expect(
        found.versions.map(({ operation }) => operation),
        isbn,
      ).toEqual(['insert', 'update'])
    }
    const none = await readHistory(warehouse, fact, [`' or true --`, '1', '2024-05-01T00:00:00Z'])
    expect(none.versions).toEqual([])
    await expect(
      readHistory(warehouse, fact, ['x', `1 or true`, '2024-05-01T00:00:00Z']),
    ).rejects.toMatchObject({ code: 'BAD_KEY' })
  })

  it('leak into no log entry, object key or commit record, quarantined rows included', async () => {
    await system.sql.query(
      `insert into lending."Order Line" values (900, 1, null, null, $1, 1, 1, $1, $1)`,
      [HOSTILE[2]],
    )
    const report = await system.run()
    expect(report.transformed?.quarantined).toBe(1)
    expect(JSON.stringify(system.entries)).not.toContain(MARK)
    const names = await readdir(system.folder, { recursive: true })
    const told = [...names]
    for (const name of names.filter((path) => path.endsWith('.json'))) {
      told.push(await readFile(join(system.folder, name), 'utf8'))
    }
    expect(told.length).toBeGreaterThan(names.length)
    expect(told.filter((text) => text.includes(MARK))).toEqual([])
  })
})

it('a warehouse schema and a reader with hostile names work like any other', async () => {
  await using own = await createLibrary()
  const schema = `Ware "house"; drop schema public; -- $$'`
  const role = `${own.warehouse.name} "reader" $$`
  const reader = identifier(role)
  await own.query(`create role ${reader}`)
  try {
    const deps = { ...own.deps, warehouse: { ...own.deps.warehouse, schema, readerRole: role } }
    await own.sql.query(HISTORY.join(';'))
    expect((await run(deps)).failures).toEqual([])
    expect((await verify(deps)).isEqual).toBe(true)
    await own.query(`set role ${reader}`)
    for (const relation of ['fact_loan_current', 'fact_Order Line_history', 'dim_copy']) {
      const [count] = await own.query(
        `select count(*)::int as rows from ${qualified(schema, relation)}`,
      )
      expect(count?.['rows'], relation).toBeGreaterThan(1)
    }
    await expect(own.query(`delete from ${qualified(schema, 'fact_loan')}`)).rejects.toThrow(
      'permission denied',
    )
  } finally {
    await own.query('reset role')
    await own.query(`drop owned by ${reader}; drop role ${reader}`)
  }
})
