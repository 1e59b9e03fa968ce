import { spawnSync } from 'node:child_process'
import { appendFileSync, cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isBuilt, readInputs, RECORD } from '../../scripts/build-inputs.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A clone with real builds in it. */
describe('npm start', () => {
  let folder: string
  let clone: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-start-'))
    clone = join(folder, 'clone')
    for (const name of [
      'package.json',
      'package-lock.json',
      'tsconfig.json',
      'tsconfig.build.json',
      'tsconfig.types.json',
      'bin',
      'scripts',
      'src',
    ]) {
      cpSync(join(root, name), join(clone, name), { recursive: true })
    }
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const start = (...args: string[]) => {
    const env = {
      PATH: process.env['PATH'],
      npm_config_cache: join(folder, 'cache'),
      npm_config_update_notifier: 'false',
    }
    const options = { cwd: clone, env, encoding: 'utf8' } as const
    const { status, stdout, stderr } = spawnSync('npm', ['-s', 'start', '--', ...args], options)
    return { code: status, out: stdout, err: stderr }
  }

  it('says what to do before the packages are installed', () => {
    expect(start('--help')).toMatchObject({
      code: 2,
      err: '✕ Tidemark is not built yet   NOT_BUILT\n  Next: npm ci && npm run build\n',
    })
  })

  it('builds if there is no build or a file has changed, says so first, and otherwise starts at once', () => {
    symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'))
    const help = { code: 0, out: expect.stringContaining('tidemark up [options]') as string }
    const built = /^ {2}building Tidemark for the first time; .* …\n$/
    expect(start('--help')).toMatchObject({ ...help, err: expect.stringMatching(built) as string })
    expect(start('--help')).toMatchObject({ ...help, err: '' })

    appendFileSync(join(clone, 'src/apps/cli/commands.ts'), '\nexport const broken: number = ""\n')
    const broken = start('--help')
    expect(broken.code).toBe(2)
    expect(broken.err).toContain('building Tidemark because its files have changed')
    expect(broken.out + broken.err).toContain('commands.ts')
    expect(broken.err).toContain('Next: npm run build')
    // A build that failed half way is no build, even if the files are as they were again.
    cpSync(join(root, 'src/apps/cli/commands.ts'), join(clone, 'src/apps/cli/commands.ts'))
    expect(start('--help')).toMatchObject({
      ...help,
      err: expect.stringContaining('building Tidemark') as string,
    })
    expect(start('--help')).toMatchObject({ ...help, err: '' })
  })

  it.each([
    ['a changed script', (at: string) => appendFileSync(join(at, 'scripts/bundle-cli.js'), '\n')],
    [
      'a changed statement',
      (at: string) => appendFileSync(join(at, 'src/totesys/models/dim_staff.sql'), '\n'),
    ],
    ['a new file', (at: string) => writeFileSync(join(at, 'src/apps/new.ts'), '')],
    ['a removed file', (at: string) => rmSync(join(at, 'src/totesys/models/dim_staff.sql'))],
    ['other packages', (at: string) => appendFileSync(join(at, 'package-lock.json'), '\n')],
  ])('isBuilt() notices %s', (_, change) => {
    const copy = join(folder, 'copy')
    cpSync(clone, copy, { recursive: true, filter: (path) => !path.endsWith('node_modules') })
    writeFileSync(join(copy, RECORD), readInputs(copy))
    expect(isBuilt(copy)).toBe(true)
    change(copy)
    expect(isBuilt(copy)).toBe(false)
    rmSync(copy, { recursive: true })
  })

  it('isBuilt() does not care about a test', () => {
    const before = readInputs(clone)
    writeFileSync(join(clone, 'src/apps/new.test.ts'), 'it()')
    expect(readInputs(clone)).toBe(before)
  })
})
