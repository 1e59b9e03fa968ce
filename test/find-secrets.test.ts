import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'

const script = fileURLToPath(new URL('../scripts/find-secrets.js', import.meta.url))
const root = fileURLToPath(new URL('..', import.meta.url))

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(os.tmpdir(), 'tidemark-secrets-'))
  git('init', '--quiet')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function git(...args: string[]): void {
  const identity = ['-c', 'user.name=test', '-c', 'user.email=test@example.org']
  const { status, stderr } = spawnSync('git', [...identity, ...args], {
    cwd: folder,
    encoding: 'utf8',
  })
  expect(status, stderr).toBe(0)
}

function commit(name: string, content: string): void {
  writeFileSync(join(folder, name), `first line\n${content}\n`)
  git('add', '--all')
  git('commit', '--quiet', '--message', name)
}

function search(cwd: string, ...args: string[]): { status: number | null; stderr: string } {
  return spawnSync(process.execPath, [script, ...args], { cwd, encoding: 'utf8' })
}

/** Put together here, so that this file holds none. */
const joined = (...parts: string[]): string => parts.join('')
const SECRETS = {
  'private key': joined('-----BEGIN RSA PRIV', 'ATE KEY-----'),
  'AWS access key': joined('id = AK', 'IAABCDEFGHIJKLMNOP'),
  'AWS secret key': joined('AWS_SECRET_', 'ACCESS_KEY="', 'a1/+'.repeat(10), '"'),
  'GitHub token': joined('gh', 'p_', 'a1'.repeat(18)),
  'npm token': joined('npm', '_', 'a1'.repeat(18)),
  'Slack token or hook': joined('xo', 'xb-1234567890-abc'),
  'JSON web token': joined('ey', 'JhbGciOiJIUzI1.ey', 'JzdWIiOiIxMjM0.', 'a1'.repeat(12)),
  'connection string': joined('postgresql://loader:', 'hunter2x', '@dw.example.org/warehouse'),
}

it.each(Object.entries(SECRETS))('finds in a file: %s; says where, not what', (kind, text) => {
  commit('settings.txt', text)
  const { status, stderr } = search(folder)
  expect(stderr).toContain(`settings.txt:2: ${kind}`)
  expect(stderr).not.toContain(text)
  expect(status).toBe(1)
})

it('finds a secret in the history that was removed since', () => {
  commit('settings.txt', SECRETS['npm token'])
  commit('settings.txt', 'nothing')
  expect(search(folder)).toMatchObject({ status: 0, stderr: '' })
  const { status, stderr } = search(folder, '--history')
  expect(stderr).toMatch(/^[0-9a-f]{12} settings\.txt: npm token$/m)
  expect(status).toBe(1)
})

it('ignores text that is not a secret', () => {
  commit('a.txt', 'postgresql://user:password@host:5432/database')
  commit('d.txt', 'postgresql://USER:PASSWORD@HOST:5432/database')
  commit('b.txt', 'postgresql://someone:top-secret@127.0.0.1:1/totesys')
  commit('c.txt', 'postgresql://reader:…@db.example.org/totesys')
  expect(search(folder, '--history')).toMatchObject({ status: 0, stderr: '' })
})

it('finds none in this project', () => {
  const { stderr } = search(root)
  expect(stderr).toBe('')
})
