import { expect, it } from 'vitest'
import type { QuarantineEntry } from '../../../../platform/inspect/quarantine.ts'
import { renderQuarantine } from './quarantine.ts'

it('renderQuarantine() shows the beginning of a huge value and where the rest is', async () => {
  const entry: QuarantineEntry = {
    id: 'abc123',
    zone: 'processed',
    table: 'fact_thing',
    key: { code: 'k'.repeat(3_000_000) },
    column: 'code',
    reason: 'key_too_large',
    batch: 7,
    capturedAt: '2026-11-20T10:00:00Z',
    operation: 'insert',
    content: { code: 'k'.repeat(3_000_000), name: 'short' },
  }
  const page = String(
    await renderQuarantine({ held: [], entries: [entry], total: 1, warnings: [], isMirror: false }),
  )
  expect(page.length).toBeLessThan(10_000)
  expect(page).toContain('<code>short</code>')
  expect(page).toContain('3,000,000 characters')
  expect(page).toContain('tidemark quarantine show abc123')
})
