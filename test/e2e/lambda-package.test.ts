import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FUNCTIONS } from '../../src/apps/aws/functions.ts'

const scripts = new URL('../../scripts/', import.meta.url)
const errors = fileURLToPath(new URL('../../dist/platform/errors.js', import.meta.url))

interface Outcome {
  readonly faults: readonly string[]
  readonly sizes: Readonly<Record<string, number>>
}

/** Runs a module's text in a separate process that cannot find this checkout. */
async function runModule(
  script: string,
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: os.tmpdir(),
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = new Promise((resolve) => child.once('close', resolve))
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exited])
  return { code, stdout, stderr }
}

async function packageLambda(arch: string, target: string): Promise<void> {
  const options = { arch, target, entries: { errors } }
  const { code, stderr } = await runModule(
    `import { packageLambda } from '${scripts.href}package-lambda.js'
     await packageLambda(${JSON.stringify(options)})`,
    process.env,
  )
  expect(code, stderr).toBe(0)
}

async function checkLambda(arch: string, target: string, limits?: object): Promise<Outcome> {
  const { code, stdout, stderr } = await runModule(
    `import { checkLambda } from '${scripts.href}check-lambda.js'
     console.log(JSON.stringify(await checkLambda(${JSON.stringify({ arch, target, limits })})))`,
    process.env,
  )
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout) as Outcome
}

/** A sum over every file's name and content, native libraries by their name alone. */
async function sumOf(folder: string): Promise<string> {
  const sum = createHash('sha256')
  const names = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile())
  for (const path of files.map((entry) => join(entry.parentPath, entry.name)).toSorted()) {
    sum.update(path.slice(folder.length))
    if (!/\.(so|node)$/.test(path)) sum.update(await readFile(path))
  }
  return sum.digest('hex')
}

describe('the package for Lambda', () => {
  let home: string
  const x64 = (): string => join(home, 'x64')
  const arm64 = (): string => join(home, 'arm64')

  beforeAll(async () => {
    home = await mkdtemp(join(os.tmpdir(), 'tidemark-lambda-'))
    await Promise.all([packageLambda('x64', x64()), packageLambda('arm64', arm64())])
  })
  afterAll(() => rm(home, { recursive: true, force: true }))

  it.each(['x64', 'arm64'])('holds what it must and nothing else for %s', async (arch) => {
    const { faults, sizes } = await checkLambda(arch, join(home, arch))
    expect(faults).toEqual([])
    expect(sizes['total']).toBeLessThanOrEqual(80e6)
    expect(sizes['zipped']).toBeLessThanOrEqual(50e6)
  })

  it('has the same bytes every time', async () => {
    const again = join(home, 'again')
    await packageLambda('x64', again)
    expect(await sumOf(again)).toBe(await sumOf(x64()))
  })

  it.runIf(process.platform === 'linux' && process.arch === 'x64').each(Object.entries(FUNCTIONS))(
    '%s starts from the package alone, as Lambda starts it',
    async (_name, { handler }) => {
      // Lambda cuts at the first dot and looks up the rest as properties.
      const [module = '', ...path] = handler.split('.')
      const { code, stderr } = await runModule(
        `const module = await import('${x64()}/${module}.mjs')
         const found = ${JSON.stringify(path)}.reduce((value, key) => value[key], module)
         process.exit(typeof found === 'function' ? 0 : 1)`,
      )
      expect(code, stderr).toBe(0)
    },
  )

  it.runIf(process.platform === 'linux' && process.arch === 'x64')(
    'keeps the names of our errors, by which the state machine retries',
    async () => {
      const { stdout, stderr } = await runModule(
        `import * as errors from '${x64()}/errors.mjs'
         const made = Object.entries(errors).map(([key, Class]) => [key, new Class('', { code: 'X' }).name])
         console.log(JSON.stringify(Object.fromEntries(made)))`,
      )
      const names = JSON.parse(stdout) as Record<string, string>
      expect(Object.keys(names), stderr).toEqual(
        expect.arrayContaining([
          'TransientError',
          'ConflictError',
          'ConfigError',
          'ContractError',
          'InterruptedError',
        ]),
      )
      for (const [key, name] of Object.entries(names)) expect(name).toBe(key)
    },
  )

  it.runIf(process.platform === 'linux' && process.arch === 'x64')(
    'a function that lacks its settings fails by the name of our error',
    async () => {
      const [module = '', ...path] = FUNCTIONS.extract.handler.split('.')
      const { stdout } = await runModule(
        `const module = await import('${x64()}/${module}.mjs')
         const handler = ${JSON.stringify(path)}.reduce((value, key) => value[key], module)
         const context = { awsRequestId: '1', memoryLimitInMB: '1769', getRemainingTimeInMillis: () => 9e5 }
         const error = await handler({}, context).catch((error) => error)
         console.log('name=' + error.name)`,
      )
      expect(stdout).toContain('"message":"stage_started"')
      expect(stdout).toContain('name=ConfigError')
    },
  )

  it('the check finds what is wrong with a package', async () => {
    const bad = join(home, 'bad')
    await cp(arm64(), bad, { recursive: true })
    const [module = ''] = FUNCTIONS.load.handler.split('.')
    await rm(join(bad, `${module}.mjs`))
    const library = 'node_modules/@duckdb/node-bindings-linux-arm64/duckdb.node'
    await cp(join(x64(), library.replace('arm64', 'x64')), join(bad, library))
    await mkdir(join(bad, 'node_modules/@duckdb/node-bindings-linux-x64'))
    await writeFile(join(bad, 'left.test.ts'), '')
    await writeFile(join(bad, 'dist/key.sql'), `-- AKIA${'A'.repeat(16)}`)
    await writeFile(join(bad, 'dist/path.sql'), `-- ${fileURLToPath(new URL('..', scripts))}`)
    await chmod(join(bad, 'package.json'), 0o600)
    const { faults } = await checkLambda('arm64', bad, { sizeBytes: 60e6, zipBytes: 20e6 })
    const found = (...words: string[]): void => {
      expect(faults.filter((fault) => words.every((word) => fault.includes(word)))).toHaveLength(1)
    }
    found(`${module}.mjs is missing`)
    found('duckdb.node', 'is 62')
    found('from DuckDB, but needs')
    found('left.test.ts')
    found('key.sql', 'secret')
    found('path.sql', 'path of this machine')
    found('package.json', 'everybody')
    found('unzipped')
    found('zipped it is', '20.0 MB')
  })

  it('refuses a library that is not what the lock file says', async () => {
    const lockFile = join(home, 'package-lock.json')
    const lock = await readFile(new URL('../package-lock.json', scripts), 'utf8')
    const name = 'node_modules/@duckdb/node-bindings-linux-arm64'
    const { integrity } = (
      JSON.parse(lock) as { packages: Record<string, { integrity: string } | undefined> }
    ).packages[name] ?? { integrity: '' }
    await writeFile(lockFile, lock.replace(integrity, `sha512-${'A'.repeat(86)}==`))
    const { stderr } = await runModule(
      `import { packageLambda } from '${scripts.href}package-lambda.js'
       await packageLambda({ arch: 'arm64', target: '${home}/forged', lockFile: '${lockFile}' })
         .catch((error) => console.error(error.message))`,
      process.env,
    )
    expect(stderr).toContain('is not what package-lock.json says it is')
    expect((await readdir(home)).filter((entry) => entry.startsWith('forged'))).toEqual([])
  })

  it('says what to do if nothing was built', async () => {
    const { stderr } = await runModule(
      `import { packageLambda } from '${scripts.href}package-lambda.js'
       await packageLambda({ arch: 'x64', target: '${home}/none', dist: '${home}/nothing' })
         .catch((error) => console.error(error.message))`,
      process.env,
    )
    expect(stderr).toContain('hint: npm run build')
    expect(await readdir(home)).not.toContain('none')
  })
})
