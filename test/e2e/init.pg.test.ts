import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../support/database.ts'

const PROGRAM = fileURLToPath(new URL('../../bin/tidemark.js', import.meta.url))

let test: TestDatabase
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-init-'))
  test = await createDatabase({ template: 'empty' })
  await test.query('create table customer as select 1 as id, 2 as n')
})
afterAll(async () => {
  await test.drop()
  rmSync(folder, { recursive: true })
})

/** Runs the built program in the folder, as a shell does. */
async function start(...argv: string[]): Promise<{ code: number; out: string }> {
  const env = { PATH: process.env['PATH'], TIDEMARK_SOURCE_URL: test.readerUrl }
  return await new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, ...argv], { cwd: folder, env }, (error, out) =>
      resolve({ code: error === null ? 0 : Number(error.code), out }),
    )
  })
}

it('tidemark init makes the folder that it is started in a project that runs', async () => {
  const made = await start('init')
  expect(made.code).toBe(0)
  expect(made.out).toContain('README.md to .\n')
  expect(made.out).toContain('Next: cp .env.example .env')
  expect(readdirSync(folder).toSorted()).toEqual([
    '.env.example',
    '.gitignore',
    'README.md',
    'tidemark.config.ts',
  ])
  const ran = await start('run')
  expect([ran.code, ran.out]).toEqual([0, expect.stringContaining('✓  1 new')])
  expect(readdirSync(folder)).toContain('.tidemark')
  const before = readFileSync(join(folder, 'tidemark.config.ts'), 'utf8')
  expect((await start('init', '--star')).code).toBe(2)
  expect(readFileSync(join(folder, 'tidemark.config.ts'), 'utf8')).toBe(before)
})
