import fc from 'fast-check'
import type pg from 'pg'
import { expect, it } from 'vitest'
import { asCaptured } from '../../src/platform/deps.ts'
import { readDiff } from '../../src/platform/inspect/diff.ts'
import { readLakeHistory } from '../../src/platform/inspect/lake-history.ts'
import { findFact, isEnd, readHistory, upTo } from '../../src/platform/presentation/history.ts'
import { openWarehouse } from '../../src/platform/warehouse/warehouse.ts'
import { createMirror } from '../support/mirror.ts'
import { FAITHFUL_PAIRS, insertOrders, MOMENT, seedTotesys } from '../support/small-totesys.ts'
import { createSystem, type TestSystem } from '../support/system.ts'

/** What happens in the source in one transaction, and whether a run follows. */
interface Step {
  readonly statements: readonly string[]
  readonly end: 'commit' | 'rollback'
  readonly isRun: boolean
}

/** Histories of `steps` steps, made of these statements. Truncating empties a table now and then. */
function histories(
  statement: fc.Arbitrary<string>,
  { truncate, steps }: { truncate: readonly string[]; steps: number },
): fc.Arbitrary<Step[]> {
  const one = fc.oneof(
    { weight: 30, arbitrary: statement },
    { weight: 1, arbitrary: fc.constantFrom(...truncate) },
  )
  const step = fc.record({
    statements: fc.array(one, { minLength: 1, maxLength: 4 }),
    end: fc.oneof(
      { weight: 5, arbitrary: fc.constant('commit' as const) },
      { weight: 1, arbitrary: fc.constant('rollback' as const) },
    ),
    isRun: fc.boolean(),
  })
  return fc.array(step, { minLength: steps, maxLength: steps })
}

/** A batch, and the source as it was in that very state. */
interface Past<Taken> {
  readonly batch: number
  readonly takenAt: string
  /** A moment after this batch and before the next one. */
  readonly until: string
  readonly copy: Taken
}

/** Lives through a history. Takes a copy of the source for each batch; nobody else writes to it. */
async function live<Taken>(
  system: TestSystem,
  steps: readonly Step[],
  take: (sql: pg.Client) => Promise<Taken>,
): Promise<Past<Taken>[]> {
  const copies: Taken[] = []
  for (const { statements, end, isRun } of [{ ...NO_STEP, isRun: true }, ...steps]) {
    await system.sql.query(['begin', ...statements, end].join(';\n'))
    if (!isRun) continue
    const copy = await take(system.sql)
    const { extracted } = await system.run()
    if (extracted?.record?.batch === copies.length + 1) copies.push(copy)
    // A run without a batch found the source as it was.
    expect(copy).toEqual(copies.at(-1))
  }
  const records = await system.records()
  expect(records).toHaveLength(copies.length)
  return records.map(({ batch, snapshot: { takenAt } }, index) => ({
    batch,
    takenAt,
    until: justBefore(records[index + 1]?.snapshot.takenAt ?? '9999-12-31T00:00:00.000000Z'),
    copy: copies[index]!,
  }))
}

const NO_STEP: Step = { statements: [], end: 'commit', isRun: true }

/** The microsecond before a moment. */
function justBefore(moment: string): string {
  const micros =
    BigInt(Date.parse(`${moment.slice(0, 19)}Z`)) * 1000n + BigInt(moment.slice(20, 26)) - 1n
  const second = new Date(Number(micros / 1000n)).toISOString().slice(0, 19)
  return `${second}.${String(micros % 1_000_000n).padStart(6, '0')}Z`
}

type Row = Readonly<Record<string, string | null>>
/** The rows of each table by key, as Postgres prints them; equal rows are one, with a `row_count`. */
type Copy = Readonly<Record<string, ReadonlyMap<string, Row>>>

const TABLES = {
  single: { key: ['id'], columns: ['id', 't', 'n', 'd'] },
  pair: { key: ['a', 'b'], columns: ['a', 'b', 'v'] },
  bag: { key: [], columns: ['line', 'n'] },
} as const
type Table = keyof typeof TABLES
const NAMES = Object.keys(TABLES) as Table[]

const MIRRORED = `
  create table single (id int primary key, t text, n numeric, d timestamp);
  insert into single values (1, 'first', 1.0, '2024-01-01');
  create table pair (a int, b text, v float8, primary key (a, b));
  create table bag (line text, n int)`

const text = fc.constantFrom(`'a'`, `''`, 'null', `'José, "x"'`, `E'b\\n2'`)
const number = fc.constantFrom('1', '1.0', '2.50', 'null', `'NaN'`)
const id = fc.integer({ min: 1, max: 5 })
const place = fc.constantFrom(`'x'`, `'y,1'`, `'ü"'`)
const line = fc.constantFrom(`'a'`, `'b'`, 'null')

const mirroredStatement = fc.oneof(
  fc.tuple(id, text, number).map(
    ([key, t, n]) => `insert into single values (${key}, ${t}, ${n}, '2024-02-03 04:05:06.789')
        on conflict (id) do update set t = excluded.t, n = excluded.n`,
  ),
  id.map((key) => `delete from single where id = ${key}`),
  fc
    .tuple(id, id)
    .map(
      ([from, to]) =>
        `update single set id = ${to} where id = ${from} and not exists (select from single where id = ${to})`,
    ),
  fc
    .tuple(id, place, number)
    .map(
      ([a, b, v]) =>
        `insert into pair values (${a}, ${b}, ${v}) on conflict (a, b) do update set v = excluded.v`,
    ),
  fc.tuple(id, place).map(([a, b]) => `delete from pair where a = ${a} and b = ${b}`),
  fc.tuple(id, place, place).map(
    ([a, from, to]) =>
      `update pair set b = ${to} where a = ${a} and b = ${from}
           and not exists (select from pair where a = ${a} and b = ${to})`,
  ),
  fc.tuple(line, id).map(([value, n]) => `insert into bag values (${value}, ${n % 3})`),
  line.map(
    (value) =>
      `delete from bag where ctid in (select ctid from bag where line is not distinct from ${value} limit 1)`,
  ),
  line.map((value) => `update bag set n = null where line is not distinct from ${value}`),
)

/** A relation with the columns of a table as a copy. `count` is the number of equal rows, as SQL. */
function copyOf(table: Table, relation: string, count: string): string {
  const { columns } = TABLES[table]
  const values = columns.map((column) => `${column}::text as ${column}`).join(', ')
  return table === 'bag'
    ? `select line, n, sum(${count})::text as row_count from (select ${values}, ${count} from ${relation}) as b group by 1, 2`
    : `select ${values} from ${relation}`
}

function keyOf(table: Table, row: Row): string {
  const names = table === 'bag' ? TABLES.bag.columns : TABLES[table].key
  return JSON.stringify(names.map((name) => row[name]))
}

function byKey(table: Table, rows: readonly Row[]): ReadonlyMap<string, Row> {
  return new Map(rows.map((row) => [keyOf(table, row), row]))
}

async function takeCopy(sql: pg.Client): Promise<Copy> {
  const copy: Record<string, ReadonlyMap<string, Row>> = {}
  for (const table of NAMES) {
    const relation = table === 'bag' ? '(select *, 1 as one from bag) as s' : table
    copy[table] = byKey(table, (await sql.query<Row>(copyOf(table, relation, 'one'))).rows)
  }
  return copy
}

/** How two copies differ, table by table and key by key. */
function differenceOf(before: Copy | undefined, after: Copy): string[] {
  return NAMES.flatMap((table) => {
    const [one, other] = [before?.[table] ?? new Map<string, Row>(), after[table] ?? new Map()]
    return [...new Set([...one.keys(), ...other.keys()])].flatMap((key) => {
      const [was, is] = [one.get(key), other.get(key)] as [Row | undefined, Row | undefined]
      if (was === undefined) return [`insert ${table} ${key}`]
      if (is === undefined) return [`delete ${table} ${key}`]
      const columns = Object.keys(is).filter((column) => is[column] !== was[column])
      return columns.length === 0 ? [] : [`update ${table} ${key} ${columns.join()}`]
    })
  }).toSorted()
}

/** The same as the lake tells it. */
async function toldDifference(system: TestSystem, from: number, to: number): Promise<string[]> {
  const options = { from: String(from), to: String(to), table: undefined, limit: 1000 }
  const { tables } = await readDiff(await asCaptured(system.deps), options)
  return tables
    .flatMap(({ table, keys }) =>
      keys.map(({ change, key, row, columns }) =>
        [change, table, JSON.stringify(Object.values(row ?? key)), columns.join()]
          .filter((part) => part !== '')
          .join(' '),
      ),
    )
    .toSorted()
}

/** Compares each version of every key, from both places, with the copies of its time. */
async function compareVersions(system: TestSystem, past: readonly Past<Copy>[]): Promise<void> {
  const deps = await asCaptured(system.deps)
  await using warehouse = await openWarehouse(deps.warehouse)
  for (const table of NAMES) {
    const fact = findFact(deps.project, table)
    const keys = await system.query<{ key: string[] }>(
      `select distinct array[${fact.key.map((name) => `${name}::text`).join(', ')}] as key from ${table}`,
    )
    const seen = new Set<string>()
    for (const { key } of keys) {
      const stored = await readHistory(warehouse, fact, key)
      const inLake = await readLakeHistory(deps, fact, key)
      expect(inLake.versions).toEqual(stored.versions)
      for (const { batch, until, takenAt, copy } of past) {
        const then = upTo(stored, until).versions
        expect(upTo(stored, takenAt).versions).toEqual(then)
        const last = then.at(-1)
        const first = stored.versions[0]?.values ?? {}
        const at = keyOf(table, texts(last?.values ?? first))
        seen.add(at)
        const row = last === undefined || isEnd(last) ? undefined : texts(last.values)
        const expected = copy[table]?.get(at)
        expect(row && { ...row, row_hash: undefined }, `${table} ${at} batch ${batch}`).toEqual(
          expected && { ...expected, row_hash: undefined },
        )
      }
    }
    for (const { copy } of past) {
      expect([...(copy[table]?.keys() ?? [])].filter((key) => !seen.has(key))).toEqual([])
    }
  }
}

function texts(values: Readonly<Record<string, string | undefined>>): Row {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value ?? null]))
}

it('I7 every past batch of a mirror equals a copy of the source from then', async () => {
  const history = histories(mirroredStatement, {
    truncate: NAMES.map((table) => `truncate ${table}`),
    steps: 40,
  })
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      await using system = await createMirror(MIRRORED)
      const past = await live(system, steps, takeCopy)
      for (const [index, { batch, takenAt, until, copy }] of past.entries()) {
        for (const table of NAMES) {
          const wanted = copy[table]
          for (const state of [
            `${table}_as_of_batch(${batch})`,
            `${table}_as_of('${takenAt}')`,
            `${table}_as_of('${until}')`,
          ]) {
            const rows = await system.query<Row>(copyOf(table, state, 'row_count'))
            expect(byKey(table, rows), state).toEqual(wanted)
          }
        }
        const earlier = [undefined, past[index - 1], past[Math.floor(index / 2)]]
        for (const other of earlier) {
          const told = await toldDifference(system, other?.batch ?? 0, batch)
          expect(told, `diff ${other?.batch ?? 0} ${batch}`).toEqual(
            differenceOf(other?.copy, copy),
          )
        }
      }
      await compareVersions(system, past)
    }),
    { numRuns: 1, endOnFailure: true },
  )
})

const order = fc.integer({ min: 4, max: 8 })
const units = fc.integer({ min: 1, max: 3 })

const totesysStatement = fc.oneof(
  fc
    .tuple(order, units)
    .map(
      (row) =>
        `${insertOrders([row])} on conflict (sales_order_id) do update set units_sold = ${row[1]}`,
    ),
  order.map((key) => `delete from sales_order where sales_order_id = ${key}`),
  fc.tuple(order, order).map(
    ([from, to]) => `update sales_order set sales_order_id = ${to} where sales_order_id = ${from}
        and not exists (select from sales_order where sales_order_id = ${to})`,
  ),
  fc.tuple(order, units).map(
    ([key, quantity]) => `insert into purchase_order
        values (${key}, ${MOMENT}, ${MOMENT}, 1, 1, 'ABC1234', ${quantity}, 9.99, 1, '2024-02-01', '2024-02-02', 1)
        on conflict (purchase_order_id) do update set item_quantity = excluded.item_quantity`,
  ),
  order.map((key) => `delete from purchase_order where purchase_order_id = ${key}`),
  units.map((amount) => `update payment set payment_amount = ${amount}, paid = not paid`),
)

it('I7 every past batch of Totesys equals what its facts are made from, as it was then', async () => {
  const history = histories(totesysStatement, {
    truncate: ['truncate sales_order cascade', 'truncate payment'],
    steps: 25,
  })
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      await using system = await createSystem()
      await seedTotesys(system.sql)
      const past = await live(system, steps, async (sql) => {
        const facts: unknown[][] = []
        for (const [ofSource] of FAITHFUL_PAIRS) facts.push((await sql.query(ofSource)).rows)
        return facts
      })
      for (const { batch, takenAt, until, copy } of past) {
        for (const state of [
          `_as_of_batch(${batch})`,
          `_as_of('${takenAt}')`,
          `_as_of('${until}')`,
        ]) {
          const found: unknown[][] = []
          for (const [, ofWarehouse] of FAITHFUL_PAIRS) {
            found.push(await system.query(ofWarehouse.replace('_current', () => state)))
          }
          expect(found, state).toEqual(copy)
        }
      }
    }),
    { numRuns: 1, endOnFailure: true },
  )
})
