import { describe, expect, it } from 'vitest'
import type { SourceTable } from '../project/source-contract.ts'
import { findBreach, type FoundTable, holdsAll } from './contract.ts'

describe('holdsAll()', () => {
  it.each([
    ['integer', 'integer'],
    ['bigint', 'integer'],
    ['integer', 'smallint'],
    ['numeric', 'bigint'],
    ['numeric', 'numeric(10,2)'],
    ['numeric(12,2)', 'numeric(10,2)'],
    ['numeric(14,4)', 'numeric(10,2)'],
    ['numeric(10,0)', 'integer'],
    ['integer', 'numeric(9,0)'],
    ['text', 'character varying(3)'],
    ['character varying', 'text'],
    ['character varying(9)', 'character varying(3)'],
    ['text', 'enum'],
    ['double precision', 'real'],
    ['timestamp without time zone', 'timestamp(3) without time zone'],
    ['timestamp(6) without time zone', 'timestamp(3) without time zone'],
    ['time without time zone', 'time(0) without time zone'],
  ])('%s holds every %s', (type, wanted) => {
    expect(holdsAll(type, wanted)).toBe(true)
  })

  it.each([
    ['smallint', 'integer'],
    ['integer', 'bigint'],
    ['integer', 'numeric(10,0)'],
    ['integer', 'numeric(9,2)'],
    ['integer', 'numeric'],
    ['numeric(9,0)', 'integer'],
    ['numeric(10,0)', 'numeric(10,2)'],
    ['numeric(10,4)', 'numeric(10,2)'],
    ['character varying(2)', 'character varying(3)'],
    ['character varying(200)', 'text'],
    ['character varying(200)', 'enum'],
    ['character(3)', 'character varying(3)'],
    ['real', 'double precision'],
    ['double precision', 'integer'],
    ['date', 'text'],
    ['text', 'date'],
    ['boolean', 'integer'],
    ['timestamp(0) without time zone', 'timestamp(3) without time zone'],
    ['timestamp without time zone', 'timestamp(3) with time zone'],
    ['time without time zone', 'timestamp(3) without time zone'],
    ['mood', 'enum'],
    ['jsonb', 'json'],
  ])('%s is not known to hold every %s', (type, wanted) => {
    expect(holdsAll(type, wanted)).toBe(false)
  })

  it('accepts an enum with any name as enum', () => {
    expect(holdsAll('mood', 'enum', true)).toBe(true)
    expect(holdsAll('mood', 'text', true)).toBe(false)
  })
})

describe('findBreach()', () => {
  const table: SourceTable = {
    name: 'thing',
    key: ['id'],
    columns: { id: 'integer', price: { type: 'numeric(10,2)', formerly: ['cost'] } },
  }
  const kept: FoundTable = {
    columns: [
      { name: 'more', baseType: 'json' },
      { name: 'price', baseType: 'numeric(10,2)' },
      { name: 'id', baseType: 'integer' },
    ],
    hidden: ['secret'],
    isEnum: () => false,
    keyIsUnique: true,
    canEnforceKey: true,
  }

  it('accepts columns that were added, moved, or are hidden but not required', () => {
    expect(findBreach(table, kept)).toBeUndefined()
  })

  it.each([
    [{ hidden: ['price'] }, 'permission', 'this user may not read column price'],
    [{ columns: kept.columns.slice(0, 2) }, 'key_missing', 'its key column id is gone'],
    [{ columns: kept.columns.filter(({ name }) => name !== 'price') }, 'column_missing', 'price'],
    [
      {
        columns: [
          { name: 'id', baseType: 'integer' },
          { name: 'price', baseType: 'integer' },
        ],
      },
      'column_narrowed',
      'column price is integer, which does not hold every numeric(10,2)',
    ],
    [
      { columns: [...kept.columns, { name: 'PRICE', baseType: 'text' }] },
      'column_name',
      'column PRICE cannot be named',
    ],
    [
      { columns: [...kept.columns, { name: '_Reason', baseType: 'text' }] },
      'column_name',
      '_Reason',
    ],
    [{ keyIsUnique: false }, 'key_lost', 'no constraint keeps its key (id)'],
  ])('finds that %j is %s', (found, reason, detail) => {
    expect(findBreach(table, { ...kept, ...found })).toEqual({
      reason,
      detail: expect.stringContaining(detail),
    })
  })

  it('needs no constraint if the relation cannot have one, or if the contract says so', () => {
    const unproven = { ...kept, keyIsUnique: false }
    expect(findBreach(table, { ...unproven, canEnforceKey: false })).toBeUndefined()
    expect(findBreach({ ...table, keyIsUnenforced: true }, unproven)).toBeUndefined()
  })

  it('needs only the key of a table without declared columns', () => {
    const { columns: _, ...bare } = table
    expect(
      findBreach(bare, { ...kept, columns: [{ name: 'id', baseType: 'uuid' }] }),
    ).toBeUndefined()
  })
})
