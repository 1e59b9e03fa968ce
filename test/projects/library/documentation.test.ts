import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const here = fileURLToPath(new URL('.', import.meta.url))
const page = readFileSync(join(here, '../../../docs/your-own-project.md'), 'utf8')

it('every excerpt in docs/your-own-project.md is in the library unchanged', () => {
  const files = readdirSync(here, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /^project\.ts$|\.sql$/.test(name),
  )
  const library = files.map((name) => readFileSync(join(here, name), 'utf8'))
  const excerpts = [...page.matchAll(/^```(?:ts|sql)\n(.+?)^```$/gms)].map(([, text = '']) => text)
  expect(excerpts.length).toBeGreaterThan(8)
  const made = excerpts.filter((excerpt) => !library.some((text) => text.includes(excerpt)))
  expect(made).toEqual([])
})
