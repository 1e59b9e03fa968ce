import { tmpdir } from 'node:os'
import { expect, it } from 'vitest'
import { openDuckDb } from '../../platform/io/duckdb.ts'
import { commentLine, createNamer, modelName, selectList } from './model-sql.ts'

it('modelName() puts names in quotes that DuckDB would not take as they are', async () => {
  expect(['orders', '_x1', 'Orders', 'a b', 'größe', '1st', 'a"b', ''].map(modelName)).toEqual([
    'orders',
    '_x1',
    '"Orders"',
    '"a b"',
    '"größe"',
    '"1st"',
    '"a""b"',
    '""',
  ])
  await using db = await openDuckDb({ scratchDir: tmpdir() })
  const words = await db.rows<{ word: string; category: string }>(
    'select keyword_name as word, keyword_category as category from duckdb_keywords()',
  )
  const isQuoted = (word: string): boolean => modelName(word) !== word
  const needed = words.filter(({ category }) => /^(reserved|type_function)$/.test(category))
  expect(needed.length).toBeGreaterThan(70)
  expect(needed.filter(({ word }) => !isQuoted(word))).toEqual([])
  const free = words.filter(({ category }) => category === 'unreserved')
  expect(free.filter(({ word }) => isQuoted(word))).toEqual([])
})

it('selectList() names a column again only if it has another name', () => {
  expect(
    selectList([
      { name: 'a', sql: 'change.a' },
      { name: 'A', sql: 'change."A"' },
      { name: 'ba', sql: 'change.a' },
      { name: 'a b', sql: 'case\n    end' },
    ]),
  ).toBe('    change.a,\n    change."A",\n    change.a as ba,\n    case\n    end as "a b"')
})

it('commentLine() keeps a name from ending the comment', () => {
  expect(commentLine('a\nb\r\u2028c\u0000 \u001b[31m d ')).toBe('-- a b c [31m d')
})

it('createNamer() gives each name once, whatever its capitals, and none that Postgres cuts', () => {
  const namer = createNamer(['Taken', 'a_2'])
  expect(['taken', 'a', 'A', 'a', 'b'].map(namer)).toEqual(['taken_2', 'a', 'A_3', 'a_4', 'b'])
  const long = 'ü'.repeat(40)
  const names = [long, long].map(namer)
  expect(new Set(names).size).toBe(2)
  expect(Math.max(...names.map((name) => Buffer.byteLength(name)))).toBeLessThanOrEqual(63)
})
