import { describe, expect, it } from 'vitest'
import { ConfigError } from '../errors.ts'
import type { Warehouse } from '../warehouse/warehouse.ts'
import { checkFacts, fixPermission } from './examine-warehouse.ts'

const warehouse: Warehouse = { title: 'the warehouse', code: 'WAREHOUSE', url: '', schema: 'stars' }

const facts = {
  version: '18.4',
  encoding: 'UTF8',
  user: 'loa"der',
  database: 'd',
  isStandby: false,
  idleLimitMs: 0,
}

const fix = (message: string, code = '42501') =>
  fixPermission(new ConfigError('no', { code: 'WAREHOUSE_PERMISSION', cause: { code, message } }), {
    ...facts,
    schema: 'stars',
  })

describe('fixPermission()', () => {
  it.each([
    ['permission denied for schema stars', 'grant usage, create on schema "stars" to "loa""der";'],
    ['permission denied for database d', 'create schema "stars" authorization "loa""der";'],
    ['must be owner of table fact_a', 'alter table "stars"."fact_a" owner to "loa""der";'],
    ['permission denied for relation fact_a', 'alter table "stars"."fact_a" owner to "loa""der";'],
    ['permission denied for view v', 'alter view "stars"."v" owner to "loa""der";'],
    ['must be owner of function f', 'alter function "stars"."f" owner to "loa""der";'],
  ])('answers %j with a statement', (message, statement) => {
    expect(fix(message)).toBe(statement)
  })

  it('knows no statement for any other error', () => {
    expect(fix('permission denied for tablespace t')).toBeUndefined()
    // A load makes no temporary tables.
    expect(fix('permission denied to create temporary tables in database "d"')).toBeUndefined()
    expect(fix('permission denied for schema stars', '23505')).toBeUndefined()
    expect(fixPermission(new Error('no cause'), { ...facts, schema: 's' })).toBeUndefined()
  })
})

describe('checkFacts()', () => {
  it('accepts a suitable database, and refuses a standby and another encoding', () => {
    expect(() => checkFacts(warehouse, facts)).not.toThrow()
    expect(() => checkFacts(warehouse, { ...facts, isStandby: true })).toThrow(/standby/)
    expect(() => checkFacts(warehouse, { ...facts, encoding: 'LATIN1' })).toThrow(/LATIN1/)
    expect(() => checkFacts(warehouse, { ...facts, idleLimitMs: 5000 })).toThrow(/idle for 5 s/)
    expect(() => checkFacts(warehouse, { ...facts, idleLimitMs: 600_000 })).not.toThrow()
  })
})
