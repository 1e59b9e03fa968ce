import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createShop, type ShopSystem } from '../../../test/support/shop.ts'
import type { Sums } from '../project/model.ts'

/** A version in the model, in the order of the fact's record ids. */
interface Version {
  readonly id: number
  readonly key: number
  readonly value: number
  readonly operation: 'insert' | 'update' | 'delete'
  readonly batch: number
}

/** One captured table: the rows in its source, and every version that was captured. */
interface TableModel {
  readonly table: 'sale' | 'stock'
  readonly value: 'units' | 'counted'
  /** Values by key: as captured last, and as they are in the source now. */
  captured: ReadonlyMap<number, number>
  readonly live: Map<number, number>
  readonly versions: Version[]
}

interface Change {
  readonly table: 0 | 1
  readonly key: number
  /** The new value; undefined deletes the row. */
  readonly value: number | undefined
}

let shop: ShopSystem
let batch = 0
const tables: readonly TableModel[] = [
  { table: 'sale', value: 'units', captured: new Map(), live: new Map(), versions: [] },
  { table: 'stock', value: 'counted', captured: new Map(), live: new Map(), versions: [] },
]

/** Groups that come and go, because few keys are live at a time. */
const SUMS: Readonly<Record<string, Sums>> = {
  fact_sale: {
    columns: { units: 'units', worth: 'units * price' },
    grains: { item: ['item_id'], units: ['sold_on', 'sold_units'] },
    derived: { sold_units: 'units + 0' },
  },
  fact_stock: {
    columns: { counted: 'counted' },
    grains: { parity: ['is_odd'] },
    derived: { is_odd: 'stock_id % 2 = 1' },
  },
}

beforeAll(async () => {
  shop = await createShop({ sums: SUMS })
  await shop.run()
  batch = 1
  await shop.query(`
    create function never() returns trigger language plpgsql
      as $$ begin raise exception 'a fact was changed'; end $$;
    create trigger never before update or delete or truncate on fact_sale execute function never();
    create trigger never before update or delete or truncate on fact_stock execute function never()`)
})
afterAll(() => shop[Symbol.asyncDispose]())

describe('history', () => {
  it('I7 equals a simple model under random inserts, updates, deletes and returns', async () => {
    const change = fc.record({
      table: fc.constantFrom(0 as const, 1 as const),
      key: fc.integer({ min: 1, max: 3 }),
      value: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }),
    })
    const runs = fc.array(fc.array(change, { maxLength: 5 }), { minLength: 1, maxLength: 5 })
    let offset = 0
    await fc.assert(
      fc.asyncProperty(runs, async (history) => {
        offset += 10
        const firstBatch = batch
        for (const changes of history) {
          for (const each of changes) await make({ ...each, key: offset + each.key })
          capture()
          const { extracted } = await shop.run()
          expect(extracted?.record?.batch).toBe(batch)
        }
        for (const model of tables) await compare(model, firstBatch)
        for (const { table } of tables) await compareSums(`fact_${table}`, firstBatch)
        for (const model of tables) await compareRevisions(model)
      }),
      { numRuns: 8, endOnFailure: true },
    )
    expect(tables.every(({ versions }) => versions.length > 0)).toBe(true)
  })

  it('I7 keeps A → B → A as three versions', async () => {
    const change = { table: 1, key: 1 } as const
    for (const value of [7, 8, 7]) {
      await make({ ...change, value })
      capture()
      await shop.run()
    }
    expect(
      await shop.query(`select version::int, counted, is_current from fact_stock_history
        where stock_id = 1 order by version`),
    ).toEqual([
      { version: 1, counted: 7, is_current: false },
      { version: 2, counted: 8, is_current: false },
      { version: 3, counted: 7, is_current: true },
    ])
  })

  it('shows the planner the fact itself behind the functions of the past', async () => {
    for (const past of [`as_of('infinity')`, 'as_of_batch(1)']) {
      const plan = await shop.query(`explain select * from fact_sale_${past}`)
      const text = plan.map((row) => Object.values(row).join('')).join('\n')
      expect(text).toContain('on fact_sale f')
      expect(text).not.toContain('Function Scan')
    }
  })
})

/** Makes a change in the source and in the model. */
async function make({ table, key, value }: Change): Promise<void> {
  const model = tables[table]
  if (value === undefined) {
    model?.live.delete(key)
    await shop.sql.query(`delete from ${model?.table} where ${model?.table}_id = ${key}`)
    return
  }
  model?.live.set(key, value)
  await shop.sql.query(
    table === 0
      ? `insert into sale values (${key}, 1, ${value}, 2.5, '2024-01-01')
         on conflict (sale_id) do update set units = ${value}`
      : `insert into stock values (${key}, 1, ${value})
         on conflict (stock_id) do update set counted = ${value}`,
  )
}

/** The changes that a run must capture: the difference between then and now, in key order. */
function capture(): void {
  const next = batch + 1
  for (const { captured, live, versions } of tables) {
    const keys = [...new Set([...captured.keys(), ...live.keys()])].toSorted((a, b) => a - b)
    for (const key of keys) {
      const [before, after] = [captured.get(key), live.get(key)]
      if (before === after) continue
      batch = next
      versions.push({
        id: versions.length + 1,
        key,
        value: after ?? before ?? 0,
        operation: before === undefined ? 'insert' : after === undefined ? 'delete' : 'update',
        batch,
      })
    }
  }
  for (const model of tables) model.captured = new Map(model.live)
}

/** Compares everything that the warehouse says about a fact with the model. */
async function compare(model: TableModel, firstBatch: number): Promise<void> {
  const { table, value, versions } = model
  const fact = `fact_${table}`
  const columns = `${table}_record_id::int as id, ${table}_id as key, ${value} as value,
    record_operation as operation, batch_id::int as batch`
  const rows = (relation: string, order = 1) =>
    shop.query<Version>(`select ${columns} from ${relation} order by ${order}`)
  expect(await rows(fact)).toEqual(versions)
  expect(await rows(`${fact}_current`)).toEqual(asOf(versions, batch))

  const takenAt = new Map(
    (await shop.records()).map((record) => [record.batch, record.snapshot.takenAt]),
  )
  const history = await shop.query(`
    select
      ${columns}, version::int, is_current,
      to_char(valid_from, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as valid_from,
      to_char(valid_to, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as valid_to
    from ${fact}_history order by 1`)
  expect(history).toEqual(
    versions.map((version) => {
      const ofKey = versions.filter(({ key }) => key === version.key)
      const place = ofKey.indexOf(version)
      const next = ofKey[place + 1]
      return {
        ...version,
        version: place + 1,
        is_current: next === undefined && version.operation !== 'delete',
        valid_from: takenAt.get(version.batch),
        valid_to: next === undefined ? null : takenAt.get(next.batch),
      }
    }),
  )
  for (let number = firstBatch; number <= batch; number++) {
    const expected = asOf(versions, number)
    const moment = `timestamptz '${takenAt.get(number)}'`
    expect(await rows(`${fact}_as_of_batch(${number})`), `batch ${number}`).toEqual(expected)
    expect(await rows(`${fact}_as_of(${moment})`), `batch ${number}`).toEqual(expected)
    const before = `${fact}_as_of(${moment} - interval '1 microsecond')`
    expect(await rows(before), `before batch ${number}`).toEqual(asOf(versions, number - 1))
  }
  expect(await rows(`${fact}_as_of_batch(0)`)).toEqual([])
  expect(await rows(`${fact}_as_of('-infinity')`)).toEqual([])
  expect(await rows(`${fact}_as_of('infinity')`)).toEqual(asOf(versions, batch))
}

/** Compares a fact's sums, now and as of each batch, with the rows that they should sum. */
async function compareSums(fact: string, firstBatch: number): Promise<void> {
  const { columns, grains, derived = {} } = SUMS[fact] ?? { columns: {}, grains: {} }
  const expectSums = async (from: string, rows: string): Promise<void> => {
    for (const [grain, by] of Object.entries(grains)) {
      const names = [...by, 'row_count', ...Object.keys(columns)].join(', ')
      const keys = by.map((name) => derived[name] ?? name)
      const added = Object.values(columns).map((sql) => `coalesce(sum(${sql}), 0)`)
      const expected = `select ${[...keys, 'count(*)', ...added].join(', ')} from ${rows}
        group by ${keys.map((_, index) => index + 1).join(', ')}`
      const found = `select ${names} from ${from} where grain = '${grain}'`
      const difference = `(${found} except all ${expected}) union all (${expected} except all ${found})`
      expect(await shop.query(difference), `${from} by ${grain}`).toEqual([])
    }
    const single = `select count(*)::int as rows from ${from} where grain = 'row'`
    expect(await shop.query(single)).toEqual(
      await shop.query(`select count(*)::int as rows from ${rows}`),
    )
  }
  await expectSums(`${fact}_sums_current`, `${fact}_current`)
  for (const { batch: number, snapshot } of await shop.records()) {
    if (number < firstBatch) continue
    const moment = `timestamptz '${snapshot.takenAt}'`
    await expectSums(`${fact}_sums_as_of(${moment})`, `${fact}_as_of_batch(${number})`)
  }
  await expectSums(`${fact}_sums_as_of('-infinity')`, `${fact}_as_of_batch(0)`)
}

/** Compares a fact's revisions with the versions that follow another of their key. */
async function compareRevisions({ table, value, versions }: TableModel): Promise<void> {
  const found = await shop.query(`
    select
      ${table}_record_id::int as id, ${table}_id as key, ${value} as value,
      record_operation as operation, batch_id::int as batch,
      before_${table}_record_id::int as before_id, before_${value} as before_value,
      before_record_operation as before_operation
    from fact_${table}_revisions order by 1`)
  expect(found).toEqual(
    versions.flatMap((version) => {
      const before = versions.findLast(({ id, key }) => key === version.key && id < version.id)
      if (before === undefined) return []
      return [
        {
          ...version,
          before_id: before.id,
          before_value: before.value,
          before_operation: before.operation,
        },
      ]
    }),
  )
}

/** The last version of each key up to a batch, without deleted keys. */
function asOf(versions: readonly Version[], number: number): Version[] {
  const latest = new Map(
    versions.filter((version) => version.batch <= number).map((version) => [version.key, version]),
  )
  return [...latest.values()]
    .filter(({ operation }) => operation !== 'delete')
    .toSorted((a, b) => a.id - b.id)
}
