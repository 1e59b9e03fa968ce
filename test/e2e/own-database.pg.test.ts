import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { tidemark } from '../support/command.ts'
import { createDatabase, type TestDatabase } from '../support/database.ts'

describe('a database that nobody tuned for', () => {
  let source: TestDatabase
  let warehouse: TestDatabase
  let folder: string
  let before: string

  beforeEach(async () => {
    source = await createDatabase({ template: 'empty' })
    warehouse = await createDatabase({ template: 'empty' })
    const schema = await readFile(new URL('../init/shop.sql', import.meta.url), 'utf8')
    const client = await source.client()
    await client.query(schema)
    await client.query(`
      grant usage on schema sales, "Stock Room" to public;
      grant select on all tables in schema sales, "Stock Room" to public`)
    folder = await mkdtemp(join(tmpdir(), 'tidemark-own-'))
    before = process.cwd()
    process.chdir(folder)
  })
  afterEach(async () => {
    process.chdir(before)
    await source[Symbol.asyncDispose]()
    await warehouse[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  })

  const command = (line: string) =>
    tidemark(line.split(' '), {
      env: {
        TIDEMARK_SOURCE_URL: source.readerUrl,
        TIDEMARK_WAREHOUSE_URL: warehouse.url,
      },
    })

  it('becomes a star schema: init, run, verify', async () => {
    const init = await command('init shop --star --yes')
    console.log(init.out, init.err)
    expect(init.code).toBe(0)
    expect(existsSync(join(folder, 'shop', 'tidemark.config.ts'))).toBe(true)
    const run = await command('run --project shop')
    console.log(run.out, run.err)
    expect(run.code).toBe(0)
    const verify = await command('verify --project shop')
    console.log(verify.out, verify.err)
    expect(verify.code).toBe(0)
  })

  it('becomes a mirror: init, run, verify', async () => {
    const init = await command('init shop --yes')
    expect(init.code).toBe(0)
    const run = await command('run --project shop')
    console.log(run.out, run.err)
    expect(run.code).toBe(0)
    const verify = await command('verify --project shop')
    console.log(verify.out, verify.err)
    expect(verify.code).toBe(0)
  })
})
