import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fillTotesys } from '../support/totesys-source/fill.ts'
import type { RowCounts } from '../../src/platform/lake/commit-record.ts'
import { commitKey } from '../../src/platform/lake/zone.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts'
import { listKeys } from '../support/lake.ts'
import { isS3Missing, type S3Server, startS3Server } from '../support/s3-server.ts'
import { expectFaithful, insertOrders, seedTotesys } from '../support/small-totesys.ts'
import { createSystemOnS3 } from '../support/s3-system.ts'
import { createSystem } from '../support/system.ts'
import { TOTESYS_PROJECT } from '../support/totesys-project.ts'

const program = fileURLToPath(new URL('../../bin/tidemark.js', import.meta.url))

describe.skipIf(isS3Missing)('both zones on S3', () => {
  let server: S3Server
  let proxy: FaultyProxy
  beforeAll(async () => {
    server = await startS3Server()
    proxy = await startFaultyProxy(server.endpoint)
  })
  afterAll(async () => {
    await proxy?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
  })

  it('I6 a small Totesys ends up as it does on disk, batch by batch, file by file', async () => {
    await using onDisk = await createSystem()
    await using onS3 = await createSystemOnS3(server)
    for (const system of [onDisk, onS3]) {
      await seedTotesys(system.sql)
      await system.run()
      await system.sql.query(insertOrders([[4, 40]]))
      await system.sql.query('update sales_order set units_sold = 11 where sales_order_id = 1')
      await system.run()
      await system.sql.query('delete from sales_order where sales_order_id = 2')
      await system.run()
      await expectFaithful(system)
      expect((await verify(system.deps)).isEqual).toBe(true)
    }
    const history = `
      select sales_order_id, batch_id, version, record_operation, units_sold
      from fact_sales_order_history order by 1, 2, 3`
    expect(await onS3.query(history)).toEqual(await onDisk.query(history))
    for (const zone of ['ingestion', 'processed'] as const) {
      const [left, right] = [await onDisk.records(zone), await onS3.records(zone)]
      const counts = (records: typeof left) =>
        records.map(({ tables }) =>
          Object.entries(tables).map(([name, table]) => [name, withoutRereads(table.counts)]),
        )
      expect(counts(right)).toEqual(counts(left))
      expect((await listKeys(onS3.deps[zone])).map(withoutAttempt)).toEqual(
        (await listKeys(onDisk.deps[zone])).map(withoutAttempt),
      )
    }
  })

  it('I4 kill -9 between the last upload and the commit leaves objects that no record names', async () => {
    await using system = await createSystemOnS3(server)
    await fillTotesys(system.sql, {
      seed: 5,
      salesOrders: 50,
      until: new Date('2026-10-30T12:00:00Z'),
    })
    const start = () =>
      spawn(process.execPath, [program, 'run', '--json', '--home', system.folder], {
        env: {
          ...process.env,
          ...server.env,
          TIDEMARK_PROJECT: TOTESYS_PROJECT,
          TIDEMARK_SOURCE_URL: system.source.readerUrl,
          TIDEMARK_WAREHOUSE_URL: system.warehouse.url,
          TIDEMARK_S3_ENDPOINT: proxy.endpoint,
          TIDEMARK_INGESTION: `s3://${system.bucket}/ingestion`,
          TIDEMARK_PROCESSED: `s3://${system.bucket}/processed`,
        },
        stdio: ['ignore', 'ignore', 'inherit'],
      })
    const child = start()
    const ended = once(child, 'exit')
    proxy.onRequest = (request) => {
      if (request !== `PUT /${system.bucket}/ingestion/${commitKey(1)}`) return undefined
      child.kill('SIGKILL')
      return 'stall'
    }
    expect(await ended).toEqual([null, 'SIGKILL'])
    const orphans = await listKeys(system.deps.ingestion)
    expect(orphans.some((key) => key.endsWith('.parquet'))).toBe(true)
    expect(orphans.some((key) => key.startsWith('batch/'))).toBe(false)
    expect(await system.records()).toEqual([])
    expect(await listKeys(system.deps.processed)).toEqual([])

    proxy.onRequest = () => undefined
    expect(await once(start(), 'exit')).toEqual([0, null])
    expect((await verify(system.deps)).isEqual).toBe(true)
    const [first, ...more] = await system.records()
    expect(more).toEqual([])
    const named = new Set(
      Object.values(first?.tables ?? {}).flatMap(({ changes }) => changes.map(({ key }) => key)),
    )
    const data = orphans.filter((key) => key.endsWith('.parquet'))
    expect(data.filter((key) => named.has(key))).toEqual([])
  })
})

/** Other tests' open transactions hold the horizon of the shared cluster back: rows are read again. */
function withoutRereads(counts: RowCounts): RowCounts {
  return { ...counts, read: counts.read - counts.unchanged, unchanged: 0 }
}

/** A key without what differs from run to run: the attempt, and the day. */
function withoutAttempt(key: string): string {
  return key
    .replace(/(\d{12})-[^/]+?-(\d+)\.parquet$/, '$1-$2.parquet')
    .replace(/tidemark_date=[^/]+/, 'tidemark_date=')
}
