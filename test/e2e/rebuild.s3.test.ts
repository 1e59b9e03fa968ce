import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rebuild } from '../../src/platform/rebuild/rebuild.ts'
import { listKeys } from '../support/lake.ts'
import { away, dropSchema, expectVerified, hashesNow, hashesOf } from '../support/rebuilds.ts'
import { isS3Missing, type S3Server, startS3Server } from '../support/s3-server.ts'
import { createSystemOnS3 } from '../support/s3-system.ts'
import { insertOrders, seedTotesys } from '../support/small-totesys.ts'
import { readContent } from '../support/warehouse-content.ts'

describe.skipIf(isS3Missing)('rebuild with both zones on S3', () => {
  let server: S3Server
  beforeAll(async () => {
    server = await startS3Server()
  })
  afterAll(() => server?.[Symbol.asyncDispose]())

  it('I8 makes the same content again, from either zone', async () => {
    await using system = await createSystemOnS3(server)
    await seedTotesys(system.sql)
    await system.run()
    await system.sql.query(insertOrders([[4, 40]]))
    await system.run()
    const before = await readContent(system.warehouse)
    const hashes = await hashesNow(system)
    await dropSchema(system)
    expect(hashesOf(await rebuild(away(system), { from: 'processed' }))).toEqual(hashes)
    const objects = await listKeys(system.deps.processed)
    const report = await rebuild(away(system), { from: 'ingestion' })
    expect([report.generation, hashesOf(report)]).toEqual([expect.stringMatching(/\.2$/), hashes])
    expect(await listKeys(system.deps.processed)).toEqual(expect.arrayContaining(objects))
    expect(await readContent(system.warehouse)).toEqual(before)
    await system.sql.query('delete from sales_order where sales_order_id = 2')
    expect((await system.run()).loaded?.batches).toEqual([3])
    await expectVerified(system)
  })
})
