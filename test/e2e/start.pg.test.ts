import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seedTotesys } from '../support/small-totesys.ts'
import { createSystem, type TestSystem } from '../support/system.ts'
import { TOTESYS_PROJECT } from '../support/totesys-project.ts'

const program = fileURLToPath(new URL('../../bin/tidemark.js', import.meta.url))

/** Writes the address of every module that a process loads, and at its end every native library. */
const WATCH = `
import { appendFileSync } from 'node:fs'
import { register } from 'node:module'
const write = "import { appendFileSync } from 'node:fs'; " +
  "export const load = (url, context, next) => { " +
  "appendFileSync(process.env.LOADED, url + '\\\\n'); return next(url, context) }"
register('data:text/javascript,' + encodeURIComponent(write))
process.on('exit', () => {
  for (const path of process.report.getReport().sharedObjects) {
    appendFileSync(process.env.LOADED, 'library:' + path + '\\n')
  }
})`

interface Loaded {
  readonly code: number
  readonly out: string
  readonly err: string
  /** How many files of JavaScript were loaded, without Node's own. */
  readonly files: number
  /** The packages that are in those files. */
  readonly packages: readonly string[]
  /** Our modules in those files, as paths from `src/`. */
  readonly modules: readonly string[]
  readonly libraries: readonly string[]
}

/** Runs the built program as a process of its own, and says what it loaded. */
async function load(
  argv: readonly string[],
  { folder, env = {} }: { folder: string; env?: Readonly<Record<string, string>> },
): Promise<Loaded> {
  const place = await mkdtemp(join(folder, 'loaded-'))
  const list = join(place, 'list')
  const watch = `data:text/javascript,${encodeURIComponent(WATCH)}`
  const options = { cwd: place, env: { PATH: process.env['PATH'], LOADED: list, ...env } }
  const ended = await new Promise<Pick<Loaded, 'code' | 'out' | 'err'>>((resolve) => {
    execFile(process.execPath, ['--import', watch, program, ...argv], options, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    )
  })
  const lines = (await readFile(list, 'utf8')).trimEnd().split('\n')
  await rm(place, { recursive: true })
  const files = lines.filter((line) => line.startsWith('file:'))
  const sources = files.filter((file) => file !== `file://${program}`).flatMap(readSources)
  return {
    ...ended,
    files: files.length,
    packages: distinct(sources, /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//),
    modules: distinct(sources, /^(?:\.\.\/)+src\/(.*)$/),
    libraries: lines.filter((line) => /^library:.*\.node$/.test(line)),
  }
}

/** The modules that a file was made from, as its source map says. */
function readSources(file: string): readonly string[] {
  const map = JSON.parse(readFileSync(fileURLToPath(`${file}.map`), 'utf8')) as {
    sources: readonly string[]
  }
  return map.sources
}

function distinct(texts: readonly string[], pattern: RegExp): string[] {
  const found = texts.flatMap((text) => pattern.exec(text)?.[1] ?? [])
  return [...new Set(found)].toSorted()
}

describe('the built program', () => {
  let system: TestSystem
  beforeAll(async () => {
    system = await createSystem()
    await seedTotesys(system.sql)
    await system.run()
  })
  afterAll(() => system[Symbol.asyncDispose]())

  it.each([
    ['the version', ['--version'], { code: 0, out: /^\d+\.\d+\.\d+\n$/, err: /^$/ }],
    ['the help', ['--help'], { code: 0, out: /Usage: npx tidemark/, err: /^$/ }],
    [
      'the help of a command',
      ['run', '--help'],
      { code: 0, out: /Usage: npx tidemark run/, err: /^$/ },
    ],
    ['a mistyped command', ['statsu'], { code: 2, out: /^$/, err: /Did you mean status/ }],
    ['a mistyped option', ['run', '--evry'], { code: 2, out: /^$/, err: /Did you mean --every/ }],
  ])('loads for %s the parser alone, in a few files', async (_, argv, said) => {
    const loaded = await load(argv, system)
    expect(loaded.code).toBe(said.code)
    expect(loaded.out).toMatch(said.out)
    expect(loaded.err).toMatch(said.err)
    expect(loaded.packages).toEqual(['commander'])
    expect(loaded.modules.filter((path) => !path.startsWith('apps/cli/'))).toEqual([
      'apps/format.ts',
      'apps/log.ts',
      'apps/moment.ts',
      'apps/version.ts',
      'platform/errors.ts',
      'platform/log.ts',
      // The options that the project adds to `up`.
      'standard-project.ts',
      'totesys/options.ts',
    ])
    // Commands and the entry of the package share some of them.
    expect(loaded.files).toBeLessThan(12)
    expect(loaded.libraries).toEqual([])
  })

  it('loads for a completion script the names of tables, and nothing that reads settings', async () => {
    const loaded = await load(['completion', 'bash'], system)
    expect(loaded.code).toBe(0)
    expect(loaded.out).toContain('fact_sales_order')
    expect(loaded.packages).toEqual(['commander'])
    expect(loaded.libraries).toEqual([])
  })

  it('loads for the status neither DuckDB nor a server nor an S3 client nor the embedded Postgres', async () => {
    const loaded = await load(['status'], {
      folder: system.folder,
      env: {
        TIDEMARK_PROJECT: TOTESYS_PROJECT,
        TIDEMARK_SOURCE_URL: system.source.readerUrl,
        TIDEMARK_WAREHOUSE_URL: system.warehouse.url,
        TIDEMARK_HOME: system.folder,
      },
    })
    expect(loaded.err).toBe('')
    expect(loaded.out).toContain('1 captured · 1 transformed · 1 loaded')
    expect(loaded.packages).toContain('pg')
    expect(loaded.packages.filter((name) => /^(hono|@hono|jose|@aws|@smithy)/.test(name))).toEqual(
      [],
    )
    expect(loaded.libraries).toEqual([])
    expect(loaded.modules).not.toContain('apps/local/local-system.ts')
  })
})
