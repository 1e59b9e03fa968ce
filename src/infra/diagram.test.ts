import { readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { drawDiagram } from './diagram.ts'
import { templatesOf } from './template-facts.ts'

const page = new URL('../../docs/aws.md', import.meta.url)
const PLACE = /(?<=<!-- diagram: made from the templates -->\n```mermaid\n)[\s\S]*?(?=\n```)/

it('the diagram in docs/aws.md is drawn from the templates', () => {
  const drawn = drawDiagram(templatesOf({ alertEmail: 'alerts@example.org' }))
  const text = readFileSync(page, 'utf8')
  if (process.env['UPDATE_DIAGRAM'] === '1') {
    writeFileSync(
      page,
      text.replace(PLACE, () => drawn),
    )
    return
  }
  expect(
    PLACE.exec(text)?.[0],
    'stale: UPDATE_DIAGRAM=1 npx vitest run src/infra/diagram.test.ts',
  ).toBe(drawn)
})

it('shows what each function may do in the lake', () => {
  const arrows = drawDiagram(templatesOf({ alertEmail: 'alerts@example.org' }))
    .split('\n')
    .map((line) => line.replaceAll(/(Function)?[0-9A-F]{8}\b/g, '').trim())
    .filter((line) => /creates|reads/.test(line) && line.includes('--'))
  expect(arrows).toEqual([
    'Api -- reads --> Ingestion',
    'Api -- reads --> Processed',
    'Api -- reads --> secret_tidemark_warehouse_reader',
    'Extract -- creates --> Ingestion',
    'Extract -- reads --> Ingestion',
    'Extract -- reads --> Processed',
    'Extract -- reads --> secret_tidemark_source',
    'Load -- reads --> Ingestion',
    'Load -- reads --> Processed',
    'Load -- reads --> secret_tidemark_warehouse',
    'Transform -- creates --> Processed',
    'Transform -- reads --> Ingestion',
    'Transform -- reads --> Processed',
  ])
})
