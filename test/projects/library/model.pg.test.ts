import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { verify } from '../../../src/platform/inspect/verify.ts'
import type { TestSystem } from '../../support/system.ts'
import { createLibrary } from './library-system.ts'

/** A loan as its key and the day it was returned. */
interface LoanChange {
  readonly kind: 'loan'
  readonly key: readonly [isbn: string, copyNumber: number, day: number]
  /** The copy to which it moves, or the day of return, or neither to delete it. */
  readonly moveTo?: number | undefined
  readonly returned?: number | undefined
}

interface CategoryChange {
  readonly kind: 'category'
  readonly id: number
  /** Its name and the category above it, or neither to delete it. */
  readonly to: { readonly name: string; readonly parent: number | undefined } | undefined
}

interface Category {
  readonly name: string
  readonly parent: number | undefined
}

/** Everything the model knows: what the source holds, and what was captured of it. */
const live = { loans: new Map<string, string>(), categories: new Map<number, Category>() }
let captured = new Map<string, string>()
const versions = new Map<string, string[]>()
const published = new Map<number, string>()

let system: TestSystem
let offset = 0
beforeAll(async () => {
  system = await createLibrary()
  await system.sql.query(`
    insert into lending.book values ('a', 'A'), ('b', 'B');
    insert into lending.copy select isbn, n from lending.book, generate_series(1, 3) as n;
    insert into lending.member values (1, 'Ada')`)
  await system.run()
})
afterAll(() => system[Symbol.asyncDispose]())

it('I7 compound keys and a table under itself equal a simple model under random changes', async () => {
  const copy = fc.integer({ min: 1, max: 3 })
  const day = fc.integer({ min: 1, max: 2 })
  const id = fc.integer({ min: 1, max: 5 })
  const loan = fc.record({
    kind: fc.constant('loan' as const),
    key: fc.tuple(fc.constantFrom('a', 'b'), copy, day),
    moveTo: fc.option(copy, { freq: 1, nil: undefined }),
    returned: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
  })
  const category = fc.record({
    kind: fc.constant('category' as const),
    id,
    to: fc.option(
      fc.record({
        name: fc.constantFrom('x', 'y', "o'"),
        parent: fc.option(id, { nil: undefined }),
      }),
      { nil: undefined },
    ),
  })
  const runs = fc.array(fc.array(fc.oneof(loan, category), { minLength: 4, maxLength: 14 }), {
    minLength: 1,
    maxLength: 4,
  })
  await fc.assert(
    fc.asyncProperty(runs, async (history) => {
      offset += 10
      for (const changes of history) {
        for (const change of changes) {
          await (change.kind === 'loan' ? changeLoan(change) : changeCategory(change))
        }
        capture()
        await system.run()
      }
      await compare()
    }),
    { numRuns: 8, endOnFailure: true },
  )
  expect(versions.size).toBeGreaterThan(0)
  expect(published.size).toBeGreaterThan(0)
  expect((await verify(system.deps)).isEqual).toBe(true)
})

async function changeLoan({ key, moveTo, returned }: LoanChange): Promise<void> {
  const [isbn, copyNumber, day] = key
  const from = [isbn, copyNumber, offset + day].join(' ')
  const params = [isbn, copyNumber, offset + day]
  const where = `isbn = $1 and copy_number = $2 and lent_at = timestamptz 'epoch' + $3 * interval '1 day'`
  if (moveTo !== undefined) {
    const to = [isbn, moveTo, offset + day].join(' ')
    const value = live.loans.get(from)
    if (value === undefined || live.loans.has(to)) return
    live.loans.delete(from)
    live.loans.set(to, value)
    await system.sql.query(`update lending.loan set copy_number = ${moveTo} where ${where}`, params)
  } else if (returned === undefined) {
    live.loans.delete(from)
    await system.sql.query(`delete from lending.loan where ${where}`, params)
  } else {
    live.loans.set(from, `1970-02-0${returned}`)
    await system.sql.query(
      `insert into lending.loan (isbn, copy_number, lent_at, member_id, due_on, returned_on)
       values ($1, $2, timestamptz 'epoch' + $3 * interval '1 day', 1, '1970-01-31', $4)
       on conflict (isbn, copy_number, lent_at) do update set returned_on = excluded.returned_on`,
      [...params, `1970-02-0${returned}`],
    )
  }
}

async function changeCategory({ id, to }: CategoryChange): Promise<void> {
  if (to === undefined) {
    live.categories.delete(id)
    for (const [child, { name, parent }] of live.categories) {
      if (parent === id) live.categories.set(child, { name, parent: undefined })
    }
    await system.sql.query('delete from lending.category where category_id = $1', [id])
    return
  }
  const parent = to.parent === id || live.categories.has(to.parent ?? 0) ? to.parent : undefined
  live.categories.set(id, { name: to.name, parent })
  await system.sql.query(
    `insert into lending.category values ($1, $2, $3) on conflict (category_id)
     do update set parent_id = excluded.parent_id, category_name = excluded.category_name`,
    [id, parent ?? null, to.name],
  )
}

/** What a run must capture: the difference between then and now. */
function capture(): void {
  for (const key of new Set([...captured.keys(), ...live.loans.keys()])) {
    const [before, after] = [captured.get(key), live.loans.get(key)]
    if (before === after) continue
    const operation = before === undefined ? 'insert' : after === undefined ? 'delete' : 'update'
    versions.set(key, [...(versions.get(key) ?? []), `${operation} ${after ?? before ?? ''}`])
  }
  captured = new Map(live.loans)
  for (const [id, category] of live.categories) published.set(id, way(id, category))
}

/** A category with its path from the top. A circle ends where it would begin again. */
function way(id: number, { name, parent }: Category): string {
  const names = [name]
  const seen = new Set([id])
  for (let above = parent; above !== undefined && !seen.has(above);) {
    const category = live.categories.get(above)
    if (category === undefined) break
    seen.add(above)
    names.unshift(category.name)
    above = category.parent
  }
  return `${parent ?? 'top'}: ${names.join(' / ')} (${names.length})`
}

/** Compares the warehouse with the model: all versions, the current ones, and the categories. */
async function compare(): Promise<void> {
  const loan = `isbn || ' ' || copy_number || ' ' || lent_on - date '1970-01-01' as key`
  const history = await system.query<{ key: string; versions: string[] }>(`
    select key, array_agg(record_operation || ' ' || returned_on order by version) as versions
    from (select *, ${loan} from fact_loan_history) as history group by key`)
  expect(new Map(history.map((row) => [row.key, row.versions]))).toEqual(versions)
  const current = await system.query<{ key: string; returned: string }>(
    `select ${loan}, returned_on::text as returned from fact_loan_current`,
  )
  expect(new Map(current.map((row) => [row.key, row.returned]))).toEqual(captured)
  const [ids] = await system.query(`
    select count(*)::int as rows, coalesce(max(loan_record_id), 0)::int as last from fact_loan`)
  expect(ids).toEqual({ rows: [...versions.values()].flat().length, last: ids?.['rows'] })
  const categories = await system.query<{ id: number; way: string }>(`
    select
      category_id as id,
      coalesce(parent_id::text, 'top') || ': ' || path || ' (' || depth || ')' as way
    from dim_category`)
  expect(new Map(categories.map((row) => [row.id, row.way]))).toEqual(published)
}
