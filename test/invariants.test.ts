import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

it('every invariant has a test that bears its number, and a line in docs/history.md', () => {
  const held = new Set<string>()
  for (const folder of ['src', 'test']) {
    for (const file of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (!/\.(test|contract)\.ts$/.test(file)) continue
      const text = readFileSync(join(root, folder, file), 'utf8')
      for (const [, number] of text.matchAll(/['"`](I\d+) \w/g)) held.add(number ?? '')
    }
  }
  const wanted = Array.from({ length: 15 }, (_, index) => `I${index + 1}`)
  expect(wanted.filter((number) => !held.has(number))).toEqual([])
  const page = readFileSync(join(root, 'docs/history.md'), 'utf8')
  expect(wanted.filter((number) => !page.includes(`**${number} `))).toEqual([])
})
