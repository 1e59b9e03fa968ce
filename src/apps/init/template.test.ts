import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { tidemark } from '../../../test/support/command.ts'
import { TOTESYS_PROJECT } from '../../../test/support/totesys-project.ts'
import { loadWritten } from '../../../test/support/written-project.ts'
import { resolveProject } from '../../platform/project/resolve-project.ts'
import { standardProject } from '../../standard-project.ts'
import totesys from '../../totesys/tidemark.config.ts'
import { listSources, readTemplate } from './template.ts'

let folder: string
let place: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-template-'))
  place = join(folder, 'example')
})
afterEach(() => rmSync(folder, { recursive: true }))

const init = (...options: string[]) =>
  tidemark(['init', place, '--template', 'totesys', ...options])

describe('tidemark init --template', () => {
  it('writes a project that declares the same', async () => {
    const { code, err, out } = await init()
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(/✓ Wrote the project totesys to .*example: \d+ files/)
    expect(out).toContain('Next: cd ')
    expect(out).toContain('cp .env.example .env')
    for (const part of standardProject.template?.leftOut ?? []) expect(out).toContain(`– ${part}`)
    const here = (project: unknown, at: string) =>
      JSON.stringify(project).replaceAll(pathToFileURL(at).href, '')
    const same = resolveProject(totesys, pathToFileURL(`${TOTESYS_PROJECT}/`))
    expect(here(await loadWritten(place), place)).toBe(here(same, TOTESYS_PROJECT))
    expect(readFileSync(join(place, '.env.example'), 'utf8')).toContain('USER:PASSWORD@HOST')
  })

  it('writes the connection string if it shall, and says with --json what it wrote', async () => {
    const word = 'told-to-nobody'
    const source = `postgresql://reader:${word}@db.example.org/shop`
    const { code, events } = await init('--write-env', '--source', source, '--json')
    expect(code).toBe(0)
    expect(events).toMatchObject([{ event: 'template_written', name: 'totesys', folder: place }])
    expect(events[0]?.['files']).toContain('tidemark.config.ts')
    expect(readFileSync(join(place, '.env'), 'utf8')).toContain(`TIDEMARK_SOURCE_URL=${source}\n`)
    expect(readFileSync(join(place, '.env.example'), 'utf8')).not.toContain(word)
  })

  it('refuses another name, options for proposals, and a folder that is not free', async () => {
    const other = await tidemark(['init', place, '--template', 'shop'])
    expect([other.code, other.err]).toEqual([
      2,
      '✕ There is no template shop   USAGE\n  Next: tidemark init --template totesys\n',
    ])
    const star = await init('--star', '--name', 'x')
    expect(star.err).toMatch(/--star and --name cannot be used with --template {3}USAGE/)
    expect((await init('--write-env')).err).toMatch(/CONFIG_INCOMPLETE/)
    expect(await init()).toMatchObject({ code: 0 })
    expect((await init()).err).toMatch(/PROJECT_EXISTS/)
    for (const name of readdirSync(place)) {
      if (name !== 'presentation') rmSync(join(place, name), { recursive: true })
    }
    expect((await init()).err).toMatch(/in the way in .*: presentation {3}FOLDER_NOT_FREE/)
    expect(readdirSync(place)).toEqual(['presentation'])
  })
})

it('a template has what the config imports and all SQL, and imports only from the package', () => {
  const files = readTemplate(TOTESYS_PROJECT)
  const paths = files.map(({ path }) => path)
  expect(paths).toEqual(expect.arrayContaining(listSources(TOTESYS_PROJECT)))
  expect(paths).toEqual(
    expect.arrayContaining([
      'presentation/panels/sales.ts',
      'presentation/pages/order_names.sql',
      'presentation/lists/list_payment.sql',
      'models/dim_date.sql',
      'tests/payment_amount_differs_from_order.sql',
      'warehouse/001_star.sql',
    ]),
  )
  expect(paths.some((path) => /test\.ts$|^(living|payments)/.test(path))).toBe(false)
  const from = files.flatMap(({ text }) => [...text.matchAll(/\bfrom '([^']+)'/g)])
  const outside = from.map(([, name = '']) => name).filter((name) => !name.startsWith('./'))
  expect(outside.length).toBeGreaterThan(10)
  expect(outside.filter((name) => !['tidemark', '../columns.ts'].includes(name))).toEqual([])
})
