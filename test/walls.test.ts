import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { totesys } from '../src/totesys/totesys.ts'

const platform = fileURLToPath(new URL('../src/platform', import.meta.url))

it('no Totesys table is named in the platform', () => {
  const names = [
    ...totesys.source.tables.map(({ name }) => name),
    ...totesys.models.map(({ table }) => table),
  ]
  // Words of the domain that are also plain English, only where they are quoted as names.
  const plain = new Set([
    'transaction',
    'design',
    'currency',
    'payment',
    'address',
    'staff',
    'department',
  ])
  const patterns = names.map((name) =>
    plain.has(name) ? new RegExp(`['"\`]${name}['"\`]`) : new RegExp(`\\b${name}\\b`),
  )
  const found: string[] = []
  for (const file of readdirSync(platform, { recursive: true, encoding: 'utf8' })) {
    if (!/\.(ts|sql)$/.test(file) || /\.(test|contract)\.ts$/.test(file)) continue
    const text = readFileSync(join(platform, file), 'utf8')
    for (const pattern of patterns) if (pattern.test(text)) found.push(`${file}: ${pattern.source}`)
  }
  expect(found).toEqual([])
})

it('I3 nothing but the sweep removes an object from a zone', () => {
  const found = readdirSync(platform, { recursive: true, encoding: 'utf8' }).filter(
    (file) =>
      file.endsWith('.ts') &&
      !/\.(test|contract)\.ts$/.test(file) &&
      /\b(?:store|ingestion|processed)\.remove\(/.test(readFileSync(join(platform, file), 'utf8')),
  )
  expect(found).toEqual(['sweep.ts'])
})
