import { describe, expect, it } from 'vitest'
import { createMirror, runEqual, versionsOf } from '../../support/mirror.ts'

const MOMENTS = ['2024-02-29 10:00:00.120', '0044-03-15 10:00 BC', 'infinity', '2024-01-01']
const FLOATS = ['1', '1.5', '-0', '1e20', 'NaN', '1e-7', '1234567', '0.1', '-Infinity']

/** Types that a column has one after the other, and its values. Each chain ends in text. */
const CHAINS: readonly (readonly [types: string, values: readonly string[]])[] = [
  ['smallint → numeric → text', ['1', '-5']],
  ['int → numeric(14,2) → text', ['1', '0']],
  ['numeric(10,2) → numeric(14,4) → numeric → text', ['1.10', '2.00', '-0.50']],
  ['numeric(10,2) → numeric(14,4) → text', ['1.10', '2.00']],
  ['numeric(10,2) → int → text', ['3.00', '2.00']],
  ['numeric → numeric(10,2) → text', ['1.1', '2.000']],
  ['numeric(2,4) → numeric → text', ['0.0012']],
  ['date → timestamp → text', ['2024-01-01', '0044-03-15 BC', 'infinity']],
  ['date → timestamp → timestamptz → text', ['2024-01-01', '0044-03-15 BC']],
  ['date → text', ['2024-01-01', '0044-03-15 BC', '-infinity', '20000-01-01']],
  ['timestamp → timestamptz → text', MOMENTS],
  ['timestamp → date → text', MOMENTS],
  ['timestamptz → timestamp → text', MOMENTS],
  ['time → interval → text', ['10:00', '10:00:00.5']],
  ['boolean → text', ['true', 'false']],
  ['real → double precision → text', FLOATS],
  ['real → text', FLOATS],
  ['double precision → real → text', FLOATS],
  ['int → double precision → text', ['1', '123456789']],
  ['double precision → numeric → text', ['1', '1e10', '0.1']],
  ['bytea → text', ['\\x00ff', '']],
  ['json → jsonb → text', ['{"b":1,  "a":2}']],
  ['char(5) → char(8) → text', ['ab', '']],
  ['varchar(5) → char(5) → text', ['ab', '']],
  ['inet → text', ['10.0.0.1', '10.0.0.0/8', '::1']],
  ['cidr → inet → text', ['10.0.0.0/8']],
  ['int[] → bigint[] → text', ['{1,2}', '{}']],
  ['date[] → timestamp[] → text', ['{2024-01-01}']],
  ['real[] → double precision[] → text', ['{0.1,NULL}']],
  ['char(3)[] → text[] → text', ['{ab}']],
  ['money → numeric → text', ['5']],
  ['text → int → text', ['1', '7']],
]

const STEPS = 4

describe('a column whose type changes again and again', () => {
  const columns = CHAINS.map(([types], index) => ({ name: `c${index}`, types: types.split(' → ') }))

  it.each([
    ['with a key', 'id int primary key'],
    ['without a key', 'id int'],
  ])('has the same text everywhere in a table %s', async (_, id) => {
    const declared = columns.map(({ name, types }) => `${name} ${types[0]}`)
    await using system = await createMirror(`create table t (${id}, ${declared.join(', ')})`)
    for (let row = 0; row < 10; row++) {
      const values = CHAINS.map(([, own]) => (own[row] === undefined ? 'null' : `'${own[row]}'`))
      await system.sql.query(`insert into t values (${row}, ${values.join(', ')})`)
    }
    await runEqual(system)
    for (let step = 1; step < STEPS; step++) {
      const changes = columns.flatMap(({ name, types }) => {
        const type = types[step]
        return type === undefined ? [] : [`alter ${name} type ${type} using ${name}::${type}`]
      })
      await system.sql.query(`alter table t ${changes.join(', ')}`)
      await runEqual(system)
      // Later versions are captured in the type of their time.
      await system.sql.query(`update t set id = id + 100 where id % 3 = ${step % 3}`)
      await runEqual(system)
    }
    expect((await versionsOf(system, 't', ['id'])).length).toBeGreaterThan(20)
  })

  it('makes a version only of a value that became another', async () => {
    await using system = await createMirror(`
      create table t (id int primary key, day date, real real, price numeric(10,2), n int);
      insert into t values (1, '2024-01-01', 0.5, 2.50, 1), (2, '0044-03-15 BC', '-0', 3.00, 2)`)
    await runEqual(system)
    for (const change of [
      'alter day type text, alter real type double precision',
      'alter real type text, alter n type numeric',
      'alter n type text, alter price type numeric(10,1)',
      'alter price type int using trunc(price)',
      'alter price type text',
    ]) {
      await system.sql.query(`alter table t ${change}`)
      await runEqual(system)
    }
    expect(await versionsOf(system, 't', ['id', 'day', 'real', 'price', 'n'])).toEqual([
      'insert 1,2024-01-01,0.5,2.50,1',
      'insert 2,0044-03-15 BC,-0,3.00,2',
      // From here on the price had no cents, whose text the warehouse had kept.
      'update 1,2024-01-01,0.5,2.00,1',
      'update 1,2024-01-01,0.5,2,1',
      'update 2,0044-03-15 BC,-0,3,2',
    ])
  })
})
