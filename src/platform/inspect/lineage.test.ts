import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { openDuckDb } from '../io/duckdb.ts'
import { createMemory } from '../io/memory.ts'
import type { Model } from '../project/model.ts'
import type { Project } from '../project/project.ts'
import { type ModelLineage, readLineage } from './lineage.ts'

const folder = mkdtempSync(join(tmpdir(), 'tidemark-lineage-'))

const known = new Map([
  ['item', ['id', 'name', 'Kind_ID', 'price']],
  ['kind', ['kind_id', 'label', 'spec']],
])

/** The sources of the columns of models. The source table `unseen` was never captured. */
async function lineageOf(models: readonly Model[]): Promise<ModelLineage[]> {
  const project: Project = {
    name: 'test',
    title: 'the test',
    source: {
      schema: 'public',
      tables: ['item', 'kind', 'unseen'].map((name) => ({ name, key: ['id'] })),
    },
    models,
    warehouse: { migrations: pathToFileURL(`${folder}/`) },
  }
  await using db = await openDuckDb({ scratchDir: folder })
  return await readLineage({ db, memory: createMemory() }, project, known)
}

let files = 0

function sqlFile(sql: string): URL {
  const path = join(folder, `${(files += 1)}.sql`)
  writeFileSync(path, sql)
  return pathToFileURL(path)
}

function dimension(sql: string): Model {
  return { kind: 'dimension', table: 'dim', key: ['a'], sql: sqlFile(sql) }
}

/** `column: sources` of a dimension. If only tables are known, they are in brackets. */
async function feeds(sql: string): Promise<Record<string, string>> {
  const [found] = await lineageOf([dimension(sql)])
  return summary(found)
}

function summary(lineage: ModelLineage | undefined): Record<string, string> {
  return Object.fromEntries(
    (lineage?.columns ?? []).map(({ column, from }) => [
      column,
      from.exact
        ? from.columns.map((each) => `${each.table}.${each.column}`).join(' ')
        : `[${from.tables.join(' ')}]`,
    ]),
  )
}

describe('readLineage()', () => {
  it.each<[string, string, Record<string, string>]>([
    ['a cast and a new name', 'select item.id::bigint as a from item', { a: 'item.id' }],
    ['no name of its own', 'select id, i.name from item i', { id: 'item.id', name: 'item.name' }],
    [
      'an expression',
      `select case when price between 1 and 2 then lower(name) else coalesce(name, 'x') end as a, 1 as b,
          price is null and not (id = 1 or id in (2, 3)) as c from item`,
      { a: 'item.price item.name', b: '', c: 'item.price item.id' },
    ],
    [
      'another case',
      'select ITEM.kind_id as a, "LABEL" as b from Item join KIND on item.kind_id = kind.kind_id',
      { a: 'item.Kind_ID', b: 'kind.label' },
    ],
    [
      'a star through a CTE',
      'with c as (select *, price * 2 as twice from item) select c.twice as a, c.name as b from c',
      { a: 'item.price', b: 'item.name' },
    ],
    [
      'a star with exceptions',
      'select * exclude (id, price) from item',
      { name: 'item.name', Kind_ID: 'item.Kind_ID' },
    ],
    [
      'CTEs with column names, over each other',
      `with n (k, v) as (values (1, 'one')), c (x, y) as (select id, name from item)
       select c.x as a, n.v as b from c left join n on n.k = c.x`,
      { a: 'item.id', b: '' },
    ],
    [
      'a subquery in from',
      'select s.m as a from (select max(price) as m from item group by name) as s',
      { a: 'item.price' },
    ],
    [
      'a union',
      'select id as a, name as b from item union all select kind_id, label from kind',
      { a: 'item.id kind.kind_id', b: 'item.name kind.label' },
    ],
    [
      'a column that using merges',
      'select kind_id as a, name as b, label as c from item join kind using (kind_id)',
      { a: 'item.Kind_ID kind.kind_id', b: 'item.name', c: 'kind.label' },
    ],
    [
      'a semi join, which brings no columns',
      'select * exclude (id, price) from item semi join kind using (kind_id)',
      { name: 'item.name', Kind_ID: 'item.Kind_ID' },
    ],
    [
      'a window',
      'select sum(price) over (partition by name order by id) as a from item',
      { a: 'item.price item.name item.id' },
    ],
    [
      'an alias used again',
      'select id + 1 as a, a * 2 as b from item',
      { a: 'item.id', b: 'item.id' },
    ],
    [
      'a field',
      'select spec.weight as a, k.spec.x as b from kind k',
      { a: 'kind.spec', b: 'kind.spec' },
    ],
  ])('follows %s', async (_, sql, expected) => {
    expect(await feeds(sql)).toEqual(expected)
  })

  it.each<[string, string, Record<string, string>]>([
    ['count(*)', 'select count(*) as a from item', { a: '[item]' }],
    ['a row number', 'select row_number() over () as a from item', { a: '[item]' }],
    [
      'a scalar subquery',
      'select id as a, (select max(label) from kind) as b from item',
      { a: 'item.id', b: '[item kind]' },
    ],
    ['a lambda', 'select list_transform([id], lambda e: e + 1) as a from item', { a: '[item]' }],
    [
      'an unknown name',
      'select item.missing as a, gone as b from item',
      { a: '[item]', b: '[item]' },
    ],
    ['a table never captured', 'select u.id as a from unseen as u', { a: '[unseen]' }],
    [
      'an unqualified name beside such a table',
      'select name as a, item.name as b from item join unseen on true',
      { a: '[item unseen]', b: 'item.name' },
    ],
    [
      'a table function',
      'select i as a, item.id as b from item, range(3) as r (i)',
      { a: '[item]', b: 'item.id' },
    ],
    [
      'a recursive CTE',
      `with recursive r as (select id as a from item union all select a + 1 from r where a < 3)
       select r.a as a from r`,
      { a: '[item]' },
    ],
    ['a union by name', 'select id as a from item union by name select label as b from kind', {}],
    ['text that is not a select', 'no sql at all', {}],
    [
      'a star that replaces',
      'select *  replace (1 as id), name as a from item',
      { a: 'item.name' },
    ],
  ])('claims no columns for %s', async (_, sql, expected) => {
    expect(await feeds(sql)).toEqual(expected)
  })

  it('lists every table that a model reads, including tables that only join or filter', async () => {
    const [found] = await lineageOf([
      dimension(
        'select id as a from item where exists (from kind where kind.kind_id = item.kind_id)',
      ),
    ])
    expect(found?.reads).toEqual(['item', 'kind'])
    const [union] = await lineageOf([
      dimension('select id as a from item union by name select label from kind'),
    ])
    expect(union).toMatchObject({ reads: ['item', 'kind'], columns: [] })
  })

  it('follows facts to their changes, and the calendar to the facts that name its days', async () => {
    const [day, fact] = await lineageOf([
      {
        kind: 'calendar',
        table: 'dim_day',
        key: ['date_id'],
        sql: sqlFile('select date_id, year(date_id) as year from named_date'),
      },
      {
        kind: 'fact',
        table: 'fact_item',
        key: ['id'],
        from: 'item',
        recordId: 'item_record_id',
        references: [
          { columns: ['day'], dimension: 'dim_day' },
          { columns: ['lost'], dimension: 'dim_day' },
        ],
        sql: sqlFile(
          `select id, name::date as day, _batch + price as p, _operation, _captured_at, _ordinal from change_item`,
        ),
      },
    ])
    expect(summary(fact)).toEqual({ id: 'item.id', day: 'item.name', p: 'item.price' })
    expect(day?.reads).toEqual(['item'])
    // One of the days cannot be traced, so no source is claimed.
    expect(summary(day)).toEqual({ date_id: '[item]', year: '[item]' })
  })
})
