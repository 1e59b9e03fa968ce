import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const here = fileURLToPath(new URL('.', import.meta.url))
const text = readFileSync(join(here, '../../../docs/your-own-project.md'), 'utf8')
// What comes before is a tutorial, which test/e2e/tutorial.pg.test.ts runs.
const [, page = ''] = text.split('\n## The parts\n')

it('every excerpt in the parts of docs/your-own-project.md is in the library unchanged', () => {
  const files = readdirSync(here, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /^tidemark\.config\.ts$|\.sql$/.test(name),
  )
  const library = files.map((name) => readFileSync(join(here, name), 'utf8'))
  const excerpts = [...page.matchAll(/^```(?:ts|sql)\n(.+?)^```$/gms)].map(
    ([, excerpt = '']) => excerpt,
  )
  expect(excerpts.length).toBeGreaterThan(8)
  const made = excerpts.filter((excerpt) => !library.some((file) => file.includes(excerpt)))
  expect(made).toEqual([])
})
