import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startEmbeddedPostgres } from '../src/apps/local/embedded-postgres.ts'
import { fillTotesys } from '../test/support/totesys-source/fill.ts'
import { prepareDatabases } from '../src/apps/local/prepare-databases.ts'
import { simulatedSource } from '../src/totesys/living/simulated-source.ts'
import type { Place } from './deps.ts'
import { atEnd } from './ending.ts'
import { progress } from './progress.ts'

/** A filled Totesys in one cluster and an empty warehouse in another, with a user's settings. */
export interface BenchSystem extends AsyncDisposable {
  readonly orders: number
  /** Rows of all eleven tables. */
  readonly rows: number
  readonly fillMs: number
  readonly postgresVersion: string
  /** The moment up to which Totesys was filled. */
  readonly until: Date
  /** The postmasters. */
  readonly pids: { readonly source: number; readonly warehouse: number }
  /** The superuser on the source, who changes it. */
  readonly totesys: pg.Client
  /** The superuser on the warehouse, for `checkpoint` between measurements. */
  readonly warehouse: pg.Client
  /** For what contenders leave; removed at the end. */
  readonly folder: string
  /** A place of its own under `name`: a new lake, and the warehouse's schema of that name. */
  placeOf(name: string): Place
}

export async function openBenchSystem(orders: number): Promise<BenchSystem> {
  const folder = mkdtempSync(join(os.tmpdir(), 'tidemark-bench-'))
  // Run by root the servers are another user, who must be able to enter.
  chmodSync(folder, 0o711)
  const ends: (() => Promise<void>)[] = [
    async () => rmSync(folder, { recursive: true, force: true }),
  ]
  let ending: Promise<void> | undefined
  const endAll = async () => {
    for (const end of ends.toReversed()) await end()
  }
  const dispose = async () => {
    ending ??= endAll()
    await ending
    forget()
  }
  const forget = atEnd(dispose)
  const start = async (name: string) => {
    const postgres = await startEmbeddedPostgres({ dataDir: join(folder, name) })
    ends.push(() => postgres.stop())
    const passwordsFile = join(folder, `${name}.json`)
    return {
      postgres,
      databases: await prepareDatabases(postgres, { source: simulatedSource, passwordsFile }),
    }
  }
  const connect = async (url: string): Promise<pg.Client> => {
    const client = new pg.Client(url)
    await client.connect()
    // Stopping ends the server under it.
    client.on('error', () => {})
    ends.push(() => client.end())
    return client
  }
  try {
    const source = await start('source')
    const target = await start('warehouse')
    const totesys = await connect(source.databases.adminUrl)
    const warehouse = await connect(target.postgres.url('warehouse'))
    progress(`filling the source with ${orders.toLocaleString('en-US')} sales orders`)
    const startedAt = performance.now()
    const until = new Date('2026-06-30T16:00:00Z')
    const { rows } = await fillTotesys(totesys, { seed: 1, salesOrders: orders, until })
    const fillMs = performance.now() - startedAt
    // What autovacuum would do at some moment of its own choosing.
    await totesys.query('vacuum (analyze)')
    await totesys.query('checkpoint')
    return {
      orders,
      rows,
      fillMs,
      postgresVersion: source.postgres.version,
      until,
      pids: { source: source.postgres.pid, warehouse: target.postgres.pid },
      folder,
      totesys,
      warehouse,
      placeOf: (name) => ({
        sourceUrl: source.databases.sourceUrl,
        warehouseUrl: target.databases.warehouseUrl,
        readerUrl: target.databases.readerUrl,
        schema: name,
        folder: join(folder, 'lakes', name),
      }),
      [Symbol.asyncDispose]: dispose,
    }
  } catch (error) {
    await dispose()
    throw error
  }
}
