import { describe, expect, it } from 'vitest'
import { type RelationState, diffRelations } from './relation-difference.ts'

function described(name: string, changes: Partial<RelationState> = {}): RelationState {
  return {
    oid: '1',
    name,
    isView: false,
    comment: null,
    columns: [
      { name: 'id', type: 'integer', nullable: false, comment: null },
      { name: 'v', type: 'text', nullable: true, comment: 'a value' },
    ],
    keys: ['PRIMARY KEY (id)'],
    indexes: [],
    ...changes,
  }
}

function mapOf(...relations: readonly RelationState[]): Map<string, RelationState> {
  return new Map(relations.map((relation) => [relation.name, relation]))
}

describe('diffRelations()', () => {
  it('gives nothing for equal relations', () => {
    expect(diffRelations(mapOf(described('t')), mapOf(described('t')))).toEqual([])
  })

  it('names what is created and what is dropped', () => {
    const found = diffRelations(mapOf(described('old')), mapOf(described('young')))
    expect(found).toMatchObject([
      { name: 'old', action: 'drop', dropped: ['id', 'v'] },
      {
        name: 'young',
        action: 'create',
        added: [
          { name: 'id', type: 'integer', nullable: false },
          { name: 'v', type: 'text', nullable: true },
        ],
        addedKeys: ['PRIMARY KEY (id)'],
        comments: 1,
      },
    ])
  })

  it('compares columns, keys, indexes and descriptions', () => {
    const after = described('t', {
      comment: 'the table',
      columns: [
        { name: 'id', type: 'bigint', nullable: true, comment: null },
        { name: 'w', type: 'date', nullable: true, comment: null },
      ],
      keys: ['UNIQUE (id)'],
      indexes: ['t_w_idx'],
    })
    expect(diffRelations(mapOf(described('t')), mapOf(after))).toEqual([
      {
        name: 't',
        isView: false,
        action: 'change',
        added: [{ name: 'w', type: 'date', nullable: true }],
        dropped: ['v'],
        retyped: [{ name: 'id', from: 'integer', to: 'bigint' }],
        required: [],
        optional: ['id'],
        addedKeys: ['UNIQUE (id)'],
        droppedKeys: ['PRIMARY KEY (id)'],
        addedIndexes: ['t_w_idx'],
        droppedIndexes: [],
        comments: 1,
      },
    ])
  })

  it('tells a table that is made anew from one that changes, and takes a view for the same', () => {
    const anew = { oid: '2' }
    expect(diffRelations(mapOf(described('t')), mapOf(described('t', anew)))).toMatchObject([
      { action: 'anew', added: [{ name: 'id' }, { name: 'v' }] },
    ])
    const view = { isView: true }
    expect(
      diffRelations(mapOf(described('t', view)), mapOf(described('t', { ...view, ...anew }))),
    ).toEqual([])
  })
})
