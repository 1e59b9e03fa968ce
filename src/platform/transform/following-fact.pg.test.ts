import fc from 'fast-check'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { folderOf } from '../../../test/support/bare-project.ts'
import { createSystem, type TestSystem } from '../../../test/support/system.ts'
import { run } from '../pipeline.ts'
import { verify } from '../inspect/verify.ts'
import type { Fact } from '../project/model.ts'
import type { Project } from '../project/project.ts'

const SOURCE = `
  create table film (film_id int primary key, title text, rate numeric(6, 2));
  create table inventory (inventory_id int primary key, film_id int, store text);
  create table rental (
    rental_id int primary key, inventory_id int, days int, status text, note text
  );
  insert into film values (1, 'Metropolis', 2.50), (2, 'Nosferatu', 3.00);
  insert into inventory values (10, 1, 'north'), (11, 1, 'south'), (12, 2, 'north');
  insert into rental values
    (100, 10, 2, 'paid', null), (101, 11, 1, 'paid', null), (102, 12, 3, 'draft', null);`

const COLUMNS = `
  r.rental_id, f.title, i.store, r.days, r.days * f.rate as price,
  r._operation, r._captured_at, r._ordinal`

/** Its joins lead from key to key, so the platform makes only the rows that a change reaches. */
const ROUTED = `
  select ${COLUMNS}
  from change_rental as r
  join inventory as i on i.inventory_id = r.inventory_id
  left join film as f on f.film_id = i.film_id
  where r.status <> 'draft'`

/** The same rows from a select that cannot be followed, so every change makes all rows. */
const WHOLE = `
  with r as (from change_rental)
  select ${COLUMNS}
  from r, inventory as i left join film as f on f.film_id = i.film_id
  where r.status <> 'draft' and i.inventory_id = r.inventory_id`

/** What the source says now. */
const ORACLE = `
  select r.rental_id, f.title, i.store, r.days, (r.days * f.rate)::text as price
  from rental as r
  join inventory as i using (inventory_id)
  left join film as f on f.film_id = i.film_id
  where r.status <> 'draft'
  order by 1`

function fact(table: string, sql: string, more: Partial<Fact> = {}): Fact {
  return {
    kind: 'fact',
    table,
    sql,
    key: ['rental_id'],
    from: 'rental',
    follows: ['inventory', 'film'],
    recordId: `${table.slice(5)}_record_id`,
    nullable: ['title', 'price'],
    references: [],
    ...more,
  }
}

function rentals(
  models: readonly Fact[],
  columns?: Project['source']['tables'][number]['columns'],
): Project {
  return {
    name: 'rentals',
    title: 'the rentals',
    source: {
      schema: 'public',
      tables: [
        { name: 'film', key: ['film_id'], ...(columns === undefined ? {} : { columns }) },
        { name: 'inventory', key: ['inventory_id'] },
        { name: 'rental', key: ['rental_id'] },
      ],
    },
    models,
  }
}

async function createRentals(project: Project): Promise<TestSystem> {
  const system = await createSystem({ project, template: 'empty' })
  await system.sql.query(SOURCE)
  return system
}

const BOTH = rentals([fact('fact_rental', ROUTED), fact('fact_whole', WHOLE)])

/** Every version, without the record id's name. */
async function versions(system: TestSystem, table = 'fact_rental'): Promise<string[]> {
  const rows = await system.query<Record<string, unknown>>(`
    select ${table.slice(5)}_record_id as id, rental_id, title, store, days, price::text, record_operation as op, batch_id
    from ${table} order by 1`)
  return rows.map((row) => Object.values(row).join(' '))
}

async function current(system: TestSystem, table = 'fact_rental'): Promise<unknown[]> {
  return await system.query(
    `select rental_id, title, store, days, price::text from ${table}_current order by 1`,
  )
}

/** Loses the processed zone and the warehouse. */
async function forget({ folder, query }: TestSystem): Promise<void> {
  await rm(join(folder, 'processed'), { recursive: true })
  await query('drop schema public cascade')
  await query('create schema public')
}

async function expectExact(system: TestSystem): Promise<void> {
  const { rows } = await system.sql.query(ORACLE)
  expect(await current(system)).toEqual(rows)
  expect(await current(system, 'fact_whole')).toEqual(rows)
  expect(await versions(system, 'fact_whole')).toEqual(await versions(system))
  expect((await verify(system.deps)).tables.flatMap(({ difference }) => difference.keys)).toEqual(
    [],
  )
}

describe('a fact that follows other tables', () => {
  it('I1 makes a version when a followed table changes, and only if a column differs', async () => {
    await using system = await createRentals(BOTH)
    await system.run()
    await system.sql.query(`update film set title = 'METROPOLIS' where film_id = 1`)
    await system.run()
    await system.sql.query(`update rental set note = 'not a column of the fact'`)
    await system.run()
    await system.sql.query(`update inventory set film_id = 2 where inventory_id = 11`)
    await system.run()
    expect(await versions(system)).toEqual([
      '1 100 Metropolis north 2 5.00 insert 1',
      '2 101 Metropolis south 1 2.50 insert 1',
      '3 100 METROPOLIS north 2 5.00 update 2',
      '4 101 METROPOLIS south 1 2.50 update 2',
      '5 101 Nosferatu south 1 3.00 update 4',
    ])
    await expectExact(system)
    // A change to one film makes its one rental again, and every rental of the other fact.
    await system.sql.query(`update film set rate = 9 where film_id = 1`)
    await system.run()
    const [last] = (await system.records('processed')).slice(-1)
    expect(last?.tables['fact_rental']?.counts).toMatchObject({ read: 1, updated: 1 })
    expect(last?.tables['fact_whole']?.counts).toMatchObject({ read: 2, updated: 1, unchanged: 1 })
  })

  it('I7 tells a row that leaves from a row that is deleted, and inserts it when it returns', async () => {
    await using system = await createRentals(BOTH)
    await system.run()
    await system.sql.query(`update rental set status = 'draft' where rental_id = 100`)
    await system.run()
    await system.sql.query(`update rental set status = 'paid' where rental_id in (100, 102)`)
    await system.run()
    await system.sql.query(`delete from inventory where inventory_id = 10`)
    await system.run()
    await system.sql.query(
      `delete from rental where rental_id = 101; delete from film where film_id = 2`,
    )
    await system.run()
    await system.sql.query(`delete from rental where rental_id = 100`)
    await system.run()
    expect((await versions(system)).slice(2)).toEqual([
      '3 100 Metropolis north 2 5.00 leave 2',
      '4 100 Metropolis north 2 5.00 insert 3',
      '5 102 Nosferatu north 3 9.00 insert 3',
      '6 100 Metropolis north 2 5.00 leave 4',
      '7 101 Metropolis south 1 2.50 delete 5',
      '8 102  north 3  update 5',
    ])
    await expectExact(system)
    const told = await system.query(`
      select version::int, record_operation as operation, is_current
      from fact_rental_history where rental_id = 100 order by 1`)
    expect(told).toEqual([
      { version: 1, operation: 'insert', is_current: false },
      { version: 2, operation: 'leave', is_current: false },
      { version: 3, operation: 'insert', is_current: false },
      { version: 4, operation: 'leave', is_current: false },
    ])
    const asOf = await system.query(`select rental_id from fact_rental_as_of_batch(4) order by 1`)
    expect(asOf).toEqual([{ rental_id: 101 }, { rental_id: 102 }])
  })

  it('I8 gives the same versions and ids when it is rebuilt, and when all rows are made', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(change, { minLength: 1, maxLength: 4 }), { minLength: 3, maxLength: 7 }),
        async (batches) => {
          await using system = await createRentals(BOTH)
          await system.run()
          for (const changes of batches) {
            for (const sql of changes) await system.sql.query(sql)
            await system.run()
          }
          await expectExact(system)
          const before = await versions(system)
          await forget(system)
          await run(system.deps)
          expect(await versions(system)).toEqual(before)
        },
      ),
      { numRuns: 8 },
    )
  }, 300_000)

  it('I6 sends a row that breaks a rule to quarantine, and keeps its last version current', async () => {
    const strict = { nullable: ['price'], columns: undefined }
    const project = rentals([fact('fact_rental', ROUTED, { nullable: strict.nullable })])
    await using system = await createRentals(project)
    await system.run()
    await system.sql.query(`update film set title = null where film_id = 1`)
    const report = await system.run()
    expect(report.quarantined).toBe(2)
    expect(await current(system)).toHaveLength(2)
    await system.sql.query(`update film set title = 'Found' where film_id = 1`)
    await system.run()
    expect((await versions(system)).slice(2)).toEqual([
      '3 100 Found north 2 5.00 update 3',
      '4 101 Found south 1 2.50 update 3',
    ])
    const [last] = (await system.records('processed')).slice(-1)
    expect(last?.tables['fact_rental']?.open).toEqual([])
  })

  it('I6 keeps rows that a hidden row of a followed table would make leave, until it is fixed', async () => {
    const inner = ROUTED.replace('left join film', 'join film').replace('i.film_id', 'i.film_id')
    const project = rentals([fact('fact_rental', inner)], {
      film_id: 'integer',
      title: 'text',
      rate: 'numeric(6,2)',
    })
    await using system = await createRentals(project)
    await system.sql.query(`alter table film alter rate type numeric`)
    await system.run()
    expect(await current(system)).toHaveLength(2)
    await system.sql.query(`
      update film set rate = 1234567.891 where film_id = 1;
      update rental set status = 'draft' where rental_id = 101`)
    await system.run()
    expect(await current(system)).toHaveLength(2)
    expect((await verify(system.deps)).tables.flatMap((each) => each.difference.keys)).toEqual([])
    await system.sql.query(`update film set rate = 4 where film_id = 1`)
    await system.run()
    expect((await versions(system)).slice(2)).toEqual([
      '3 100 Metropolis north 2 8.00 update 3',
      '4 101 Metropolis south 1 2.50 leave 3',
    ])
  })

  it('stands still while too many of its rows break a rule, and then catches up', async () => {
    const project = rentals([fact('fact_rental', ROUTED, { nullable: ['price'] })])
    await using system = await createRentals(project)
    const deps = {
      ...system.deps,
      limits: { ...system.deps.limits, quarantineShare: 0.4, quarantineRows: 1 },
    }
    await run(deps)
    await system.sql.query(`update film set title = null; delete from rental where rental_id = 101`)
    const report = await run(deps)
    expect(report.held.map(({ table }) => table)).toEqual(['fact_rental'])
    expect(await current(system)).toHaveLength(2)
    await system.sql.query(`update film set title = 'Found' where film_id = 1`)
    expect((await run(deps)).held).toEqual([])
    expect((await versions(system)).slice(2)).toEqual([
      '3 100 Found north 2 5.00 update 3',
      '4 101 Metropolis south 1 2.50 delete 3',
    ])
    expect((await verify(deps)).tables.flatMap(({ difference }) => difference.keys)).toEqual([])
  })

  it('refuses a model that makes two rows for one, or changes the key, and publishes nothing', async () => {
    const twice = ROUTED.replace('on i.inventory_id = r.inventory_id', 'on true')
    await using system = await createRentals(rentals([fact('fact_rental', twice)]))
    await expect(system.run()).rejects.toMatchObject({
      code: 'MODEL_ROWS',
      message: expect.stringContaining('rows too many'),
    })
    const moved = ROUTED.replace('r.rental_id,', 'r.rental_id + 1 as rental_id,')
    await using other = await createRentals(rentals([fact('fact_rental', moved)]))
    await expect(other.run()).rejects.toMatchObject({
      code: 'MODEL_ROWS',
      message: expect.stringContaining('another key'),
    })
    expect(await other.records('processed')).toEqual([])
  })

  it('I13 refuses a fact that reads a table without following it, or follows one it does not read', async () => {
    await using silent = await createRentals(
      rentals([fact('fact_rental', ROUTED, { follows: ['inventory'] })]),
    )
    await expect(silent.run()).rejects.toMatchObject({
      code: 'PROJECT_INVALID',
      hint: expect.stringContaining(`follows: ['film']`),
    })
    const alone = `select r.rental_id, _operation, _captured_at, _ordinal from change_rental as r`
    await using idle = await createRentals(rentals([fact('fact_rental', alone)]))
    await expect(idle.run()).rejects.toMatchObject({
      message: expect.stringContaining('follows inventory, which its SQL does not read'),
    })
  })

  it.each(['derived', 'made by hand'])(
    'lets a table that is %s and was made before hold rows that leave',
    async (way) => {
      const plain = `
        select r.rental_id, r.days, r._operation, r._captured_at, r._ordinal from change_rental as r`
      const { follows: _, ...first } = fact('fact_rental', plain)
      const migrations = folderOf({
        '001.sql': `create table fact_rental (
          rental_record_id bigint primary key, rental_id int not null, days int not null)`,
      })
      const own = way === 'derived' ? {} : { warehouse: { migrations } }
      await using system = await createRentals({ ...rentals([first]), ...own })
      await system.run()
      const models = [fact('fact_rental', `${plain} where r.status <> 'draft'`, { follows: [] })]
      const deps = { ...system.deps, project: { ...rentals(models), ...own } }
      await system.sql.query(`update rental set status = 'draft' where rental_id = 100`)
      expect((await run(deps)).failures).toEqual([])
      const left = await system.query(
        `select rental_id, record_operation as op from fact_rental order by rental_record_id`,
      )
      expect(left).toEqual([
        { rental_id: 100, op: 'insert' },
        { rental_id: 101, op: 'insert' },
        { rental_id: 100, op: 'leave' },
      ])
      expect(await system.query('select rental_id from fact_rental_as_of(now())')).toEqual([
        { rental_id: 101 },
      ])
    },
  )
})

const film = fc.integer({ min: 1, max: 3 })
const inventory = fc.integer({ min: 10, max: 13 })
const rental = fc.integer({ min: 100, max: 105 })

/** One statement that changes the source. */
const change = fc.oneof(
  fc.tuple(film, fc.constantFrom('A', 'B', null)).map(
    ([
      id,
      title,
    ]) => `insert into film values (${id}, ${title === null ? 'null' : `'${title}'`}, ${id})
      on conflict (film_id) do update set title = excluded.title`,
  ),
  film.map((id) => `delete from film where film_id = ${id}`),
  fc.tuple(inventory, film).map(
    ([id, of]) => `insert into inventory values (${id}, ${of}, 'east')
      on conflict (inventory_id) do update set film_id = excluded.film_id`,
  ),
  inventory.map((id) => `delete from inventory where inventory_id = ${id}`),
  fc.tuple(rental, inventory, fc.constantFrom('paid', 'draft')).map(
    ([id, of, status]) => `insert into rental values (${id}, ${of}, 1, '${status}')
      on conflict (rental_id) do update set inventory_id = excluded.inventory_id, status = excluded.status`,
  ),
  rental.map((id) => `delete from rental where rental_id = ${id}`),
)
