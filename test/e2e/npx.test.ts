import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** What people type in a clone: npx, for real, with a cache of its own and no registry. */
describe('npx tidemark in a clone', () => {
  let folder: string
  let clone: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-npx-'))
    clone = join(folder, 'clone')
    for (const name of ['package.json', 'bin']) {
      cpSync(join(root, name), join(clone, name), { recursive: true })
    }
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const npx = (...args: string[]) => {
    const env = {
      PATH: process.env['PATH'],
      npm_config_cache: join(folder, 'cache'),
      npm_config_update_notifier: 'false',
    }
    const options = { cwd: clone, env, encoding: 'utf8' } as const
    const { status, stdout, stderr } = spawnSync('npx', ['--offline', 'tidemark', ...args], options)
    return { code: status, out: stdout, err: stderr }
  }

  it('says before the first build how to build, and runs right after it', () => {
    const unbuilt = (next: string) => ({
      code: 2,
      out: '',
      err: `✕ Tidemark is not built yet   NOT_BUILT\n  Next: ${next}\n`,
    })
    expect(npx('--version')).toEqual(unbuilt('npm ci && npm run build'))
    symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'))
    expect(npx('--version')).toEqual(unbuilt('npm run build'))
    symlinkSync(join(root, 'dist'), join(clone, 'dist'))
    expect(npx('--version')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    })
    const refused = npx('quarantine', 'show', 'nope', '--home', join(folder, 'home'))
    expect(refused.code).toBe(2)
    expect(refused.err).toContain('Next: npx tidemark quarantine list\n')
  })
})
