import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import type { ProjectConfig } from '../../platform/project/project-config.ts'
import { memberPath, printConfig } from './print-config.ts'

const folder = mkdtempSync(join(tmpdir(), 'tidemark-print-'))
afterAll(() => rmSync(folder, { recursive: true }))

const STRANGE = [
  `a'b`,
  `a"b`,
  `a'b"c`,
  'back\\slash\\',
  'line\nbreak\u2028\u2029',
  '${x} `y`',
  '*/ // <!--',
  '__proto__',
  'constructor',
  'a-b',
  '1',
  '',
  'ü',
  '\u0000\u001b',
]

const CONFIG: ProjectConfig = {
  name: 'shop',
  title: `The "shop" of 'all'`,
  source: {
    tables: {
      ...Object.fromEntries(STRANGE.map((name) => [name, { key: name, exclude: STRANGE }])),
      short: { key: ['a', 'b'], columns: { a: 'integer', b: 'text' }, keyIsUnenforced: true },
      long: { key: 'a', columns: { ['x'.repeat(40)]: 'text', ['y'.repeat(40)]: 'text' } },
    },
  },
  models: {},
}

const COMMENTS = new Map([
  [memberPath('title'), [`word `.repeat(40)]],
  [memberPath('source', 'tables', 'short', 'columns'), ['One\nline', 'Another']],
])

async function load(text: string, name: string): Promise<ProjectConfig> {
  const file = join(folder, name)
  writeFileSync(
    file,
    text.replace(
      "import { defineProject } from 'tidemark'",
      'const defineProject = (config) => config',
    ),
  )
  return ((await import(file)) as { default: ProjectConfig }).default
}

it('printConfig() writes a module that gives the same project, whatever its names', async () => {
  const text = printConfig(CONFIG, { head: ['Head'], comments: COMMENTS })
  const found = await load(text, 'same.mjs')
  expect(found).toEqual(CONFIG)
  const tables = found.source?.tables ?? {}
  expect(Object.keys(tables).toSorted()).toEqual(
    Object.keys(CONFIG.source?.tables ?? {}).toSorted(),
  )
  expect(Object.getPrototypeOf(tables)).toBe(Object.prototype)
})

it('printConfig() writes it as the formatter does', () => {
  const file = join(folder, 'tidemark.config.ts')
  const text = printConfig(CONFIG, { head: ['Head'], comments: COMMENTS })
  writeFileSync(file, text)
  writeFileSync(
    join(folder, '.oxfmtrc.json'),
    JSON.stringify({ printWidth: 100, semi: false, singleQuote: true }),
  )
  const { status, stderr, stdout } = spawnSync(
    join(process.cwd(), 'node_modules/.bin/oxfmt'),
    ['--check', file],
    { encoding: 'utf8', cwd: folder },
  )
  expect([status, stderr, stdout]).toEqual([0, '', expect.stringContaining('All matched files')])
})

it('printConfig() puts comments above their members, wrapped', () => {
  const text = printConfig(
    { name: 'x', mirror: { select: ['a'], exclude: ['b', 'c'] } },
    { head: ['Head.'], comments: new Map([[memberPath('mirror', 'exclude', '1'), ['Why c.']]]) },
  )
  expect(text).toBe(`import { defineProject } from 'tidemark'

// Head.
export default defineProject({
  name: 'x',
  mirror: {
    select: ['a'],
    exclude: [
      'b',
      // Why c.
      'c',
    ],
  },
})
`)
  const long = printConfig({ name: 'x' }, { head: [`word `.repeat(60)], comments: new Map() })
  expect(Math.max(...long.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100)
  expect(printConfig({}, { head: [], comments: new Map() })).toContain('defineProject({})')
})
