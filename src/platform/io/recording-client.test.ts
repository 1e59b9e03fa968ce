import { describe, expect, it } from 'vitest'
import type { Client } from './postgres.ts'
import { recordStatements } from './recording-client.ts'

/** A client that answers each query with its text. */
function answering(): { client: Client; asked: unknown[][] } {
  const asked: unknown[][] = []
  const client = {
    query: (...given: unknown[]) => {
      asked.push(given)
      return Promise.resolve({ rows: [] })
    },
    getTransactionStatus: () => 'T',
  }
  return { client: client as unknown as Client, asked }
}

describe('recordStatements()', () => {
  it('notes statements that change something, and asks the client all of them', async () => {
    const { client, asked } = answering()
    const recorded = recordStatements(client)
    for (const text of [
      'select 1',
      '  -- Creates it.\n  create table t ()',
      'set local lock_timeout = 1; lock table t',
      'with n as (select 1) select * from n',
      'with n as (select 1) insert into t select * from n;',
      'savepoint here',
      '',
    ]) {
      await recorded.client.query(text)
    }
    expect(recorded.statements).toEqual([
      '-- Creates it.\n  create table t ();',
      'with n as (select 1) insert into t select * from n;',
    ])
    expect(asked).toHaveLength(7)
    expect(recorded.client.getTransactionStatus()).toBe('T')
  })

  it('puts the values of parameters in place, safely', async () => {
    const { client } = answering()
    const recorded = recordStatements(client)
    await recorded.client.query('-- Adds $1.\ninsert into t values ($1, $2, $3, $4, $10)', [
      `it's`,
      null,
      ['a', 'ü'],
      { a: 1 },
      5,
      6,
      7,
      8,
      9,
      'ten',
    ])
    expect(recorded.statements).toEqual([
      `insert into t values (E'it\\u0027s', null, array[E'a', E'\\u00fc']::text[], '{"a":1}', 'ten');`,
    ])
  })

  it('takes away the indentation of the code', async () => {
    const { client } = answering()
    const recorded = recordStatements(client)
    await recorded.client.query('\n    create view v as\n      select 1;\n\n    drop view w')
    await recorded.client.query('alter table t\n          drop column a')
    expect(recorded.statements).toEqual([
      'create view v as\n  select 1;\n\ndrop view w;',
      'alter table t\n    drop column a;',
    ])
  })

  it('keeps a parameter of a function, which is not one of the statement', async () => {
    const { client } = answering()
    const recorded = recordStatements(client)
    await recorded.client.query(
      'create function f (bigint) returns bigint begin atomic select $1; end',
    )
    expect(recorded.statements).toEqual([
      'create function f (bigint) returns bigint begin atomic select $1; end;',
    ])
  })
})
