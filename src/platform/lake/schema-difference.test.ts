import { describe, expect, it } from 'vitest'
import { diffSchemas, isEmptyDifference } from './schema-difference.ts'
import type { ArchivedColumn } from './schema.ts'

function column(name: string, more: Partial<ArchivedColumn> = {}): ArchivedColumn {
  const type = more.type ?? 'text'
  return { name, type, baseType: type, nullable: true, ...more }
}

function table(...columns: ArchivedColumn[]): { key: string[]; columns: ArchivedColumn[] } {
  return { key: ['id'], columns }
}

const KNOWN = { default: null, generated: false, labels: null }

describe('diffSchemas()', () => {
  it('of two equal schemas is empty', () => {
    const difference = diffSchemas(table(column('a'), column('b')), table(column('a'), column('b')))
    expect(difference).toEqual({
      added: [],
      removed: [],
      changed: [],
      reordered: false,
      key: undefined,
    })
    expect(isEmptyDifference(difference)).toBe(true)
  })

  it('lists added and removed columns; a renamed column is both', () => {
    const difference = diffSchemas(table(column('a'), column('b')), table(column('a'), column('c')))
    expect(difference).toMatchObject({ added: [{ name: 'c' }], removed: [{ name: 'b' }] })
    expect(difference.reordered).toBe(false)
    expect(isEmptyDifference(difference)).toBe(false)
  })

  it('sees a new order of the remaining columns, whatever was added and removed between them', () => {
    const before = table(column('a'), column('x'), column('b'))
    expect(diffSchemas(before, table(column('b'), column('a'))).reordered).toBe(true)
    expect(diffSchemas(before, table(column('a'), column('y'), column('b'))).reordered).toBe(false)
  })

  it('sees a changed key', () => {
    const { key } = diffSchemas(table(column('a')), { key: ['a'], columns: [column('a')] })
    expect(key).toEqual({ before: ['id'], after: ['a'] })
  })

  it.each<[string, Partial<ArchivedColumn>, Partial<ArchivedColumn>, object]>([
    [
      'a type',
      { type: 'integer' },
      { type: 'bigint' },
      { type: { before: 'integer', after: 'bigint' } },
    ],
    [
      'the type behind a domain',
      { type: 'price', baseType: 'numeric(8,2)' },
      { type: 'price', baseType: 'numeric(10,2)' },
      { type: { before: 'numeric(8,2)', after: 'numeric(10,2)' } },
    ],
    ['nullability', {}, { nullable: false }, { nullable: { before: true, after: false } }],
    ['a default', KNOWN, { ...KNOWN, default: '1' }, { default: { before: null, after: '1' } }],
    [
      'a column that became generated',
      KNOWN,
      { ...KNOWN, default: '(a)', generated: true },
      { generated: { before: false, after: true }, default: { before: null, after: '(a)' } },
    ],
    [
      'labels',
      { labels: ['a', 'b', 'c'] },
      { labels: ['c', 'a', 'd'] },
      { labels: { added: ['d'], removed: ['b'], reordered: true } },
    ],
  ])('sees a change of %s', (_, before, after, expected) => {
    const { changed } = diffSchemas(table(column('a', before)), table(column('a', after)))
    expect(changed).toEqual([{ column: 'a', ...expected }])
  })

  it('compares neither properties that an older Tidemark did not archive, nor the labels of a type that was not an enum', () => {
    const labelled = { default: '1', generated: true, labels: ['a'] }
    expect(diffSchemas(table(column('a')), table(column('a', labelled))).changed).toEqual([])
    expect(diffSchemas(table(column('a', labelled)), table(column('a'))).changed).toEqual([])
    const { changed } = diffSchemas(
      table(column('a', KNOWN)),
      table(column('a', { ...KNOWN, type: 'mood', labels: ['a'] })),
    )
    expect(changed).toEqual([{ column: 'a', type: { before: 'text', after: 'mood' } }])
  })
})
