import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMirror } from '../../../test/support/mirror.ts'
import { createTestReader, type TestReader } from '../../../test/support/reader.ts'
import type { TestSystem } from '../../../test/support/system.ts'
import { asCaptured } from '../deps.ts'
import {
  bindRows,
  countRowsOf,
  MAX_CELL_CHARS,
  MAX_COLUMNS,
  readRows,
  type RowSelection,
  type RowsPlace,
  selectionAsQuestion,
} from './browse-rows.ts'
import { type BrowsedTable, findBrowsedTable } from './browsed-table.ts'
import { openCsv } from './csv.ts'
import { createReader, type Reader } from './reader.ts'
import { type Condition, conditionFault, type Operator } from './row-condition.ts'

const HOSTILE = `x"; drop table "select" --`

let system: TestSystem
let role: TestReader
let reader: Reader
beforeAll(async () => {
  system = await createMirror(`
    create type mood as enum ('low', 'high');
    create table "select" (
      "Aisle" integer, "No." text, "${HOSTILE.replaceAll('"', '""')}" text, "größe" numeric(12, 2),
      at timestamptz, day date, ok boolean, code char(4), ratio real, mood mood, tags text[],
      shape point, id uuid, version integer, doc jsonb,
      primary key ("Aisle", "No.")
    );
    comment on column "select"."größe" is 'In <cm>';
    insert into "select" values
      (1, '', '50 % off', 12.50, '2024-02-29 23:30:00+00', '2024-02-29', true, 'ab', 0.1, 'low', '{a}', '(1,2)',
        '00000000-0000-4000-8000-000000000001', 7, '{"a": 1}'),
      (1, 'a', null, null, null, null, null, null, null, null, null, null, null, null, null),
      (1, 'b', '<b>BJÖRK</b>', 7.25, '2024-03-01 00:00:00+00', '0044-03-15 BC', false, 'abcd', 'NaN', 'high',
        '{"b c"}', null, null, 1, '1'),
      (2, '', 'O''Brien \\ _', -1, 'infinity', 'infinity', true, '', 2, null, '{}', null, null, 2, 'null'),
      (2, ''',"', $$${'long '.repeat(200)}$$, 100, '2024-03-01 12:00:00.123456+00', '2024-03-01', null, null,
        1e10, null, null, null, null, null, null);
    create table log (line text);
    insert into log values ('once'), ('twice'), ('twice');
    create table wide (id integer primary key, ${Array.from({ length: 60 }, (_, i) => `c${i} integer`).join(', ')});
    insert into wide (id, c59) values (1, 59);
    create table many (id bigint primary key, step integer);
    insert into many select n, n % 7 from generate_series(1, 100) as n;
    update many set step = null where id % 10 = 0`)
  await system.run()
  await system.sql.query(`delete from many where id in (4, 5, 6)`)
  await system.run()
  await system.sql.query(`insert into many values (5, 50)`)
  await system.run()
  role = await createTestReader(system)
  reader = createReader(role.warehouse)
})
afterAll(async () => {
  await reader[Symbol.asyncDispose]()
  await role[Symbol.asyncDispose]()
  await system[Symbol.asyncDispose]()
})

async function find(name: string): Promise<BrowsedTable> {
  const { project } = await asCaptured(system.deps)
  const table = await reader.read((session) => findBrowsedTable(session, project, name))
  expect(table).toBeDefined()
  return table as BrowsedTable
}

type Asked = Partial<Omit<RowSelection, 'table'>>

const selectionOf = (table: BrowsedTable, asked: Asked): RowSelection => ({
  table,
  state: 'current',
  search: undefined,
  conditions: [],
  sort: undefined,
  ...asked,
})

const read = (table: BrowsedTable, asked: Asked = {}, place?: RowsPlace, rowCount = 50) =>
  reader.read((session) => readRows(session, { ...selectionOf(table, asked), place, rowCount }))

const condition = (
  table: BrowsedTable,
  name: string,
  operator: Operator,
  value = '',
): Condition => {
  const column = table.columns.find((each) => each.name === name)
  if (column === undefined) throw new Error(`no column ${name}`)
  return { column, operator, value }
}

/** The keys of the rows that meet conditions. */
async function keysOf(
  name: string,
  ...wanted: (readonly [column: string, operator: Operator, value?: string])[]
): Promise<string[]> {
  const table = await find(name)
  const conditions = wanted.map(([column, operator, value]) =>
    condition(table, column, operator, value),
  )
  expect(conditions.map(conditionFault)).toEqual(conditions.map(() => undefined))
  const { rows } = await read(table, { conditions })
  return rows.map(({ key }) => key.join('|'))
}

describe('findBrowsedTable()', () => {
  it('tells the columns of the table from those of its history', async () => {
    const { model, columns, isByContent } = await find('select')
    expect(isByContent).toBe(false)
    expect(columns.map(({ name }) => name)).toEqual([
      'Aisle', 'No.', HOSTILE, 'größe', 'at', 'day', 'ok', 'code', 'ratio', 'mood', 'tags', 'shape', 'id',
      'version', 'doc',
    ]) // prettier-ignore
    expect(model.kind === 'fact' && model.history).toEqual({ version: 'tidemark_version' })
    const about = Object.fromEntries(columns.map((column) => [column.name, column]))
    expect(about['größe']).toMatchObject({
      type: 'numeric(12,2)',
      plain: 'numeric',
      kind: 'number',
      isOrdered: true,
      description: 'In <cm>',
    })
    expect(about['code']).toMatchObject({ type: 'character(4)', plain: 'bpchar', kind: 'text' })
    expect(about['shape']).toMatchObject({ kind: 'other', isOrdered: false })
    expect(about['tags']).toMatchObject({ kind: 'other', isOrdered: true })
  })

  it('knows a table by content, and no table of another name', async () => {
    expect((await find('log')).isByContent).toBe(true)
    const { project } = await asCaptured(system.deps)
    for (const name of ['pg_authid', 'tidemark_ledger', 'log_current', '', HOSTILE]) {
      const found = await reader.read((session) => findBrowsedTable(session, project, name))
      expect(found, name).toBeUndefined()
    }
  })
})

describe('readRows()', () => {
  it('reads the values as Postgres prints them, cuts long texts, and keeps the order of the key', async () => {
    const { rows, next, back } = await read(await find('select'))
    expect(rows.map(({ key }) => key)).toEqual([
      ['1', ''],
      ['1', 'a'],
      ['1', 'b'],
      ['2', ''],
      ['2', `',"`],
    ])
    expect([next, back]).toEqual([undefined, undefined])
    expect(rows[0]?.cells.slice(0, 9)).toEqual([
      '1', '', '50 % off', '12.50', '2024-02-29 23:30:00+00', '2024-02-29', 'true', 'ab', '0.1',
    ]) // prettier-ignore
    expect(rows[1]?.cells.slice(2)).toEqual(Array.from({ length: 13 }, () => null))
    expect(rows[4]?.cells[2]).toHaveLength(MAX_CELL_CHARS + 1)
    expect(rows[0]?.recordedAt).toMatch(/^\d{4}-\d\d-\d\d /)
  })

  it.each([
    ['größe', 'equals', '12.5', ['1|']],
    ['größe', 'from', '7.25', ['1|', '1|b', `2|',"`]],
    ['größe', 'to', '-0.5', ['2|']],
    ['größe', 'contains', '2.5', ['1|']],
    ['größe', 'empty', '', ['1|a']],
    ['Aisle', 'equals', '99999999999999999999', []],
    ['Aisle', 'from', '1.5', ['2|', `2|',"`]],
    ['No.', 'equals', `',"`, [`2|',"`]],
    [HOSTILE, 'contains', '%', ['1|']],
    [HOSTILE, 'contains', 'björk', ['1|b']],
    [HOSTILE, 'contains', `'brien \\ _`, ['2|']],
    [HOSTILE, 'equals', `'); delete from "select"; --`, []],
    ['at', 'equals', '2024-03-01', ['1|b', `2|',"`]],
    ['at', 'to', '2024-02-29', ['1|']],
    ['at', 'from', '2024-03-01 12:00', ['2|', `2|',"`]],
    ['at', 'equals', '2024-03-01T12:00:00.123456Z', [`2|',"`]],
    ['day', 'to', '0001-01-01', ['1|b']],
    ['ok', 'equals', 'true', ['1|', '2|']],
    ['code', 'equals', 'ab', ['1|']],
    ['code', 'equals', 'abcde', []],
    ['ratio', 'equals', '0.1', ['1|']],
    ['mood', 'equals', 'high', ['1|b']],
    ['tags', 'contains', 'B C', ['1|b']],
    ['shape', 'filled', '', ['1|']],
    ['shape', 'equals', '(1,2)', ['1|']],
    ['id', 'equals', '00000000-0000-4000-8000-000000000001', ['1|']],
    ['doc', 'contains', '"A": 1', ['1|']],
  ] as const)('finds the rows whose %s %s %s', async (column, operator, value, keys) => {
    expect(await keysOf('select', [column, operator, value])).toEqual(keys)
  })

  it('takes conditions together, and a search beside them', async () => {
    expect(await keysOf('select', ['größe', 'from', '0'], ['größe', 'to', '50'])).toEqual([
      '1|',
      '1|b',
    ])
    const table = await find('select')
    const found = async (search: string, conditions: Condition[] = []) =>
      (await read(table, { search, conditions })).rows.map(({ key }) => key.join('|'))
    expect(await found('BJöRK')).toEqual(['1|b'])
    expect(await found('o', [condition(table, 'Aisle', 'equals', '2')])).toEqual(['2|', `2|',"`])
    expect(await found(`' or true --`)).toEqual([])
    const many = await find('many')
    const keys = await read(many, { search: '42' })
    expect(keys.rows.map(({ key }) => key)).toEqual([['42']])
  })

  it.each([
    [undefined, undefined],
    ['step', false],
    ['step', true],
    ['id', true],
  ] as const)(
    'gives every row once, page by page, by %s descending %s',
    async (column, isDescending) => {
      const table = await find('many')
      const sort =
        column === undefined ? undefined : { column, isDescending: isDescending ?? false }
      const whole = (await read(table, { sort }, undefined, 200)).rows.map(({ key }) => key[0])
      expect(whole).toHaveLength(98)
      const steps = await system.query<{ id: string }>(
        `select m.id::text from many_current as m
       order by m.${column ?? 'id'} ${sort?.isDescending === true ? 'desc' : ''} nulls last, m.id`,
      )
      expect(whole).toEqual(steps.map(({ id }) => id))
      const forth: (string | undefined)[][] = []
      let place: RowsPlace | undefined
      for (;;) {
        const page = await read(table, { sort }, place, 9)
        forth.push(page.rows.map(({ key }) => key[0]))
        place = page.next
        if (place === undefined) break
      }
      expect(forth.flat()).toEqual(whole)
      let back = (await read(table, { sort }, undefined, 98)).next
      expect(back).toBeUndefined()
      const last = await read(
        table,
        { sort },
        { isBefore: false, ...placeOf(whole, await valuesOf()) },
        9,
      )
      back = last.back
      const behind: (string | undefined)[][] = []
      while (back !== undefined) {
        const page = await read(table, { sort }, back, 9)
        behind.unshift(page.rows.map(({ key }) => key[0]))
        expect(page.next).toBeDefined()
        back = page.back
      }
      expect([...behind.flat(), ...last.rows.map(({ key }) => key[0])]).toEqual(whole)

      async function valuesOf(): Promise<Map<string, string | null>> {
        const rows = await system.query<{ id: string; value: string | null }>(
          `select id::text, ${column ?? 'id'}::text as value from many_current`,
        )
        return new Map(rows.map(({ id, value }) => [id, value]))
      }
      function placeOf(all: readonly (string | undefined)[], values: Map<string, string | null>) {
        const key = all.at(-3) ?? ''
        return { key: [key], ...(sort === undefined ? {} : { value: values.get(key) ?? null }) }
      }
    },
  )

  it('goes on behind a row with an empty key, and refuses a place of another type', async () => {
    const table = await find('select')
    const { rows } = await read(table, {}, { isBefore: false, key: ['2', ''] })
    expect(rows.map(({ key }) => key)).toEqual([['2', `',"`]])
    await expect(read(table, {}, { isBefore: false, key: ['x', ''] })).rejects.toMatchObject({
      code: 'BAD_FILTER',
    })
  })

  it('reads deleted rows as they last were, without those that came back', async () => {
    const table = await find('many')
    const { rows } = await read(table, { state: 'deleted' })
    expect(rows.map(({ key, cells }) => [key[0], cells[1]])).toEqual([
      ['4', '4'],
      ['6', '6'],
    ])
  })

  it('shows the first columns of a wide table; the file has all', async () => {
    const table = await find('wide')
    const page = await read(table)
    expect(page.columns).toHaveLength(MAX_COLUMNS)
    const { question, filters } = selectionAsQuestion(selectionOf(table, {}))
    const { body } = await openCsv(reader, question, { filters })
    expect(await new Response(body).text()).toMatch(/c59\r\n1,,.*,59\r\n$/)
  })
})

describe('selectionAsQuestion()', () => {
  it('gives the rows of the page as a file, in its order, with a name in plain letters', async () => {
    const table = await find('select')
    const conditions = [condition(table, HOSTILE, 'filled'), condition(table, 'größe', 'from', '0')]
    const selection = selectionOf(table, {
      conditions,
      search: 'o',
      sort: { column: 'größe', isDescending: true },
    })
    const { question, filters } = selectionAsQuestion(selection)
    const { fileName, body } = await openCsv(reader, question, { filters })
    expect(fileName).toMatch(/^select_[\w-]+\.csv$/)
    const [header, ...lines] = (await new Response(body).text()).split('\r\n')
    expect(header).toContain(`"${HOSTILE.replaceAll('"', '""')}",größe`)
    expect(lines.map((line) => line.slice(0, 8))).toEqual([`2,"',""",`.slice(0, 8), '1,"",50 ', ''])
    const other = selectionOf({ ...table, model: { ...table.model, table: 'таблица' } }, {})
    expect(selectionAsQuestion(other).question.name).toBe('table')
  })
})

describe('countRowsOf()', () => {
  it('counts the rows as they are now', async () => {
    const table = await find('many')
    expect(await reader.read((session) => countRowsOf(session, table))).toBe(98)
  })
})

describe('bindRows()', () => {
  it('has no value in its text', async () => {
    const table = await find('select')
    const { text, values } = bindRows({
      ...selectionOf(table, {
        search: 'SECRET1',
        conditions: [condition(table, HOSTILE, 'equals', 'SECRET2')],
        sort: { column: HOSTILE, isDescending: false },
      }),
      place: { isBefore: true, value: 'SECRET3', key: ['4', 'SECRET4'] },
      rowCount: 5,
    })
    expect(text).not.toContain('SECRET')
    expect(new Set(values)).toEqual(new Set(['=4', '=SECRET1', '=SECRET2', '=SECRET3', '=SECRET4']))
  })
})

describe('conditionFault()', () => {
  it.each([
    ['größe', 'equals', 'much', /number/],
    ['größe', 'from', '1e5', /number/],
    ['day', 'from', '2024-02-30', /date/],
    ['at', 'to', 'tomorrow', /moment/],
    ['at', 'equals', '2024-01-01 25:00', /moment/],
    ['ok', 'equals', 'yes', /true or false/],
    ['id', 'equals', '1', /UUID/],
    ['tags', 'from', 'a', /no range/],
    [HOSTILE, 'equals', 'a\0b', /characters/],
    [HOSTILE, 'contains', 'a'.repeat(500), /characters/],
  ] as const)('says what is wrong with %s %s %s', async (column, operator, value, why) => {
    expect(conditionFault(condition(await find('select'), column, operator, value))).toMatch(why)
  })
})
