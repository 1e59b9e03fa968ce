import { describe, expect, it } from 'vitest'
import { createSystem, type TestSystem } from '../../../test/support/system.ts'
import { verify } from '../inspect/verify.ts'
import { checkProject } from '../project/check-project.ts'
import type { Fact } from '../project/model.ts'
import type { Project } from '../project/project.ts'

const SOURCE = `
  create table film (film_id int primary key, title text);
  create table rental (rental_id int primary key, film_id int, days int, before_id int);
  insert into film values (1, 'Metropolis'), (2, 'Nosferatu');
  insert into rental values (100, 1, 2, null), (101, 1, 1, 100), (102, 2, 3, 101);`

const PASSED = 'r._operation, r._captured_at, r._ordinal'

/** A fact of rentals, each with one value of its own. */
function rentals(select: string, follows: readonly string[] = ['film']): Project {
  const fact: Fact = {
    kind: 'fact',
    table: 'fact_rental',
    sql: select,
    key: ['rental_id'],
    from: 'rental',
    follows,
    recordId: 'record_id',
    nullable: ['value'],
    references: [],
  }
  const tables = ['film', 'rental'].map((name) => ({ name, key: [`${name}_id`] }))
  return {
    name: 'rentals',
    title: 'the rentals',
    source: { schema: 'public', tables },
    models: [fact],
  }
}

async function createRentals(project: Project): Promise<TestSystem> {
  checkProject(project)
  const system = await createSystem({ project, template: 'empty' })
  await system.sql.query(SOURCE)
  return system
}

async function values({ query }: TestSystem): Promise<string[]> {
  const rows = await query<{ row: string }>(
    `select concat_ws(' ', rental_id, value) as row from fact_rental_current order by rental_id`,
  )
  return rows.map(({ row }) => row)
}

async function differences({ deps }: TestSystem): Promise<unknown[]> {
  const { tables, faults } = await verify(deps)
  return [...tables.flatMap(({ difference }) => difference.keys), ...faults]
}

describe('the select of a fact that follows tables', () => {
  it.each([
    [
      'a window',
      `select r.rental_id, count(*) over (partition by film_id) as value, ${PASSED}
      from change_rental as r join film as f using (film_id)`,
    ],
    [
      'a subquery',
      `select r.rental_id, (select count(*) from change_rental as o
      where o.film_id = r.film_id) as value, ${PASSED}
      from change_rental as r join film as f using (film_id)`,
    ],
  ])('I1 may make a row from other rows of its own table, by %s', async (_by, select) => {
    await using system = await createRentals(rentals(select))
    await system.run()
    await system.sql.query('insert into rental values (103, 2, 1, null)')
    await system.run()
    expect(await values(system)).toEqual(['100 2', '101 2', '102 2', '103 2'])
    await system.sql.query('delete from rental where rental_id = 100')
    await system.run()
    expect(await values(system)).toEqual(['101 1', '102 2', '103 2'])
    expect(await differences(system)).toEqual([])
  })

  it.each([
    ['by its key', 'left join rental as b on b.rental_id = r.before_id'],
    ['as a whole', 'left join (from rental) as b on b.rental_id = r.before_id'],
  ])('I1 may join its own table as it stands, %s', async (_how, join) => {
    const select = `select r.rental_id, g.title || b.days as value, ${PASSED}
      from change_rental as r ${join} left join film as g on g.film_id = b.film_id`
    await using system = await createRentals(rentals(select))
    await system.run()
    expect(await values(system)).toEqual(['100', '101 Metropolis2', '102 Metropolis1'])
    await system.sql.query('update rental set days = 9 where rental_id = 100')
    await system.run()
    await system.sql.query(`update film set title = 'M' where film_id = 1`)
    await system.run()
    expect(await values(system)).toEqual(['100', '101 M9', '102 M1'])
    await system.sql.query('delete from rental where rental_id = 101')
    await system.run()
    expect(await values(system)).toEqual(['100', '102'])
    expect(await differences(system)).toEqual([])
  })

  it.each([
    ['_captured_at', 'r._captured_at as value', ''],
    ['_operation', '1 as value', `where r._operation <> 'delete'`],
    ['_batch', 'r._batch', ''],
  ])('may pass %s on, but make nothing from it', async (name, value, where) => {
    const select = `select r.rental_id, ${value}, ${PASSED} from change_rental as r ${where}`
    await using system = await createRentals(rentals(select, []))
    await expect(system.run()).rejects.toMatchObject({
      code: 'PROJECT_INVALID',
      message: `Fact fact_rental follows tables, so it may only pass ${name} on, not use it`,
    })
    expect(await system.records('processed')).toEqual([])
  })

  it.each([
    ['rental', 'declare follows: []'],
    ['change_film', `add follows: ['film']`],
  ])('says what to declare for %s', async (table, hint) => {
    const select = `select r.rental_id, 1 as value, ${PASSED}
      from change_rental as r left join ${table} as o on o.film_id = r.film_id`
    const { models, ...project } = rentals(select, [])
    const facts = models.map((model) => ({ ...model }) as Fact)
    const plain = facts.map((fact) => {
      const { follows: _, ...rest } = fact
      return rest
    })
    const tests = [{ name: 'changed', sql: 'select * from change_film' }]
    await using system = await createRentals({ ...project, tests, models: plain })
    await expect(system.run()).rejects.toMatchObject({ hint: expect.stringContaining(hint) })
  })
})
