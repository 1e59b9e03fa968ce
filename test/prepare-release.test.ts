import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeEach, expect, it } from 'vitest'

const root = new URL('..', import.meta.url)
const script = fileURLToPath(new URL('scripts/prepare-release.js', root))
const folder = mkdtempSync(join(tmpdir(), 'tidemark-release-'))
afterAll(() => rmSync(folder, { recursive: true }))

const manifest = { name: 'tidemark', version: '1.2.0', private: true, license: 'Apache-2.0' }
beforeEach(() => {
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
  writeFileSync(
    join(folder, 'CHANGELOG.md'),
    '# Changelog\n\n## Unreleased\n\n- Later\n\n## 1.2.0 - 2026-12-01\n\n- A door\n\n## 1.1.0 - 2026-11-01\n\n- A wall\n',
  )
})

function prepare(name: string, tag: string) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], {
    cwd: folder,
    encoding: 'utf8',
    env: { RELEASE_NAME: name, RELEASE_TAG: tag },
  })
  const left: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  return { status, stdout, stderr, left }
}

it('makes the manifest one that can be published, and says what is new', () => {
  const { private: _, ...published } = { ...manifest, name: '@someone/tidemark' }
  expect(prepare('@someone/tidemark', 'v1.2.0')).toEqual({
    status: 0,
    stdout: '## 1.2.0 - 2026-12-01\n\n- A door\n\n',
    stderr: '',
    left: published,
  })
})

it.each([
  ['no name', '', 'v1.2.0', 'No name is set'],
  ['another tag', 'tidemark', 'v1.3.0', 'The tag v1.3.0 is not v1.2.0'],
  ['no tag', 'tidemark', '', 'The tag of the release is not v1.2.0'],
])('refuses %s, and changes nothing', (_, name, tag, message) => {
  const { status, stderr, left } = prepare(name, tag)
  expect(stderr).toContain(message)
  expect(status).toBe(1)
  expect(left).toEqual(manifest)
})

it('refuses a version that the changelog does not describe', () => {
  writeFileSync(join(folder, 'CHANGELOG.md'), '# Changelog\n\n## Unreleased\n\n- 1.2.0 is near\n')
  const { status, stderr, left } = prepare('tidemark', 'v1.2.0')
  expect(stderr).toContain('CHANGELOG.md does not describe 1.2.0')
  expect(status).toBe(1)
  expect(left).toEqual(manifest)
})

it('npm refuses to publish the package as it is here', () => {
  const { private: isPrivate } = JSON.parse(
    readFileSync(new URL('package.json', root), 'utf8'),
  ) as { private?: boolean }
  expect(isPrivate).toBe(true)
})
