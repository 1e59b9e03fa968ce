import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDatabase, type TestDatabase } from './database.ts'

/** A source, a warehouse and an empty working directory, as a person has them who begins. */
export interface Workplace extends AsyncDisposable {
  readonly source: TestDatabase
  readonly warehouse: TestDatabase
}

/** Makes both databases, and makes an empty folder the working directory until it is disposed of. */
export async function createWorkplace(): Promise<Workplace> {
  const source = await createDatabase({ template: 'empty' })
  const warehouse = await createDatabase({ template: 'empty' })
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-workplace-'))
  const before = process.cwd()
  process.chdir(folder)
  return {
    source,
    warehouse,
    async [Symbol.asyncDispose]() {
      process.chdir(before)
      await source[Symbol.asyncDispose]()
      await warehouse[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
}

/** Fills a source with the shop that nobody tuned for. Every user may read it. */
export async function fillShop(source: TestDatabase): Promise<void> {
  const client = await source.client()
  await client.query(await readFile(new URL('../init/shop.sql', import.meta.url), 'utf8'))
  await client.query(`
    grant usage on schema sales, "Stock Room" to public;
    grant select on all tables in schema sales, "Stock Room" to public`)
}
