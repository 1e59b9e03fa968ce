import { expect, it } from 'vitest'
import type { CatalogTable } from '../../../../platform/inspect/catalog.ts'
import type { ArchivedColumn } from '../../../../platform/lake/schema.ts'
import { diffSchemas } from '../../../../platform/lake/schema-difference.ts'
import { renderTableCatalogue } from './catalogue.ts'

function column(name: string, more: Partial<ArchivedColumn> = {}): ArchivedColumn {
  const type = more.type ?? 'text'
  return { name, type, baseType: type, nullable: true, ...more }
}

type Shape = { key: readonly string[]; columns: readonly ArchivedColumn[] }

/** A table that was captured with these schemas, one in each batch. */
function table(...shapes: readonly Shape[]): CatalogTable {
  return {
    table: 'thing',
    key: ['id'],
    rows: 3,
    hold: undefined,
    versions: shapes.map((shape, index) => {
      const before = shapes[index - 1]
      return {
        fingerprint: `f${index}`,
        firstBatch: index + 1,
        takenAt: '2026-11-20T10:41:05.000000Z',
        columns: shape.columns,
        difference: before && diffSchemas(before, shape),
      }
    }),
  }
}

async function said(given: CatalogTable, contract = {}): Promise<string> {
  const html = String(await renderTableCatalogue({ tables: [given], models: [] }, given, contract))
  return html.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ')
}

const plain = column('id', { type: 'integer', nullable: false })

it('says how each schema differs from the one before', async () => {
  const text = await said(
    table(
      { key: ['id'], columns: [plain, column('a'), column('mood', { labels: ['ok'] })] },
      { key: ['id'], columns: [plain, column('a'), column('mood', { labels: ['ok', 'so'] })] },
      {
        key: ['id', 'a'],
        columns: [column('a', { type: 'varchar', nullable: false }), { ...plain, nullable: true }],
      },
      {
        key: ['id', 'a'],
        columns: [column('a', { type: 'varchar', nullable: false }), { ...plain, nullable: true }],
      },
    ),
  )
  expect(text).toContain('first captured, 3 columns')
  expect(text).toContain('mood: labels +1 −0')
  expect(text).toContain(
    'removed mood · a: text → varchar not null · id: may be null · columns in a different order · key id, a',
  )
  expect(text).toContain('created again with the same schema')
})

it('shows the contract, generated columns, and what was never captured', async () => {
  const contract = { id: 'integer', twice: { type: 'integer', formerly: ['double'] } }
  const shape = { key: ['id'], columns: [plain, column('twice', { generated: true }), column('c')] }
  const text = await said(table(shape), contract)
  expect(text).toMatch(/id key integer no integer/)
  expect(text).toMatch(/twice text, generated yes integer/)
  expect(await said(table())).toContain('It has not been captured yet. Next: tidemark run')
})

it('shows what the source says of its columns, if it says anything', async () => {
  const salary = column('salary', { description: 'Per year, in euro.' })
  const described = await said(table({ key: ['id'], columns: [plain, salary] }))
  expect(described).toMatch(/Goes to Description .* salary text yes .*Per year, in euro\./)
  expect(await said(table({ key: ['id'], columns: [plain] }))).not.toContain('Description')
})
