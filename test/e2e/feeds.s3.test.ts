import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Deps } from '../../src/platform/deps.ts'
import { s3Store } from '../../src/platform/lake/store/s3-store.ts'
import { run } from '../../src/platform/pipeline.ts'
import { s3Drop } from '../../src/platform/source/s3-drop.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { readFeedState } from '../support/feeds.ts'
import { isS3Missing, type S3Server, startS3Server } from '../support/s3-server.ts'
import { createShop } from '../support/shop.ts'

const line = (item: number, price: number | string) =>
  `${JSON.stringify({ item_id: item, day: '2026-11-20', price })}\n`

describe.skipIf(isS3Missing)('files in a bucket, zones in another', () => {
  let server: S3Server
  beforeAll(async () => {
    server = await startS3Server()
  })
  afterAll(() => server?.[Symbol.asyncDispose]())

  it('I1 I6 I9 have the same outcomes as on a disk', async () => {
    const { endpoint } = server
    const [zones, dropped] = [await server.createBucket(), await server.createBucket()]
    await using ingestion = s3Store({ bucket: zones, prefix: 'ingestion', endpoint })
    await using processed = s3Store({ bucket: zones, prefix: 'processed', endpoint })
    await using drop = s3Drop({ bucket: dropped, prefix: 'in', endpoint })
    await using shop = await createShop({ hasPrices: true })
    const deps: Deps = { ...shop.deps, ingestion, processed, feeds: { drop } }
    const client = new S3Client({ endpoint, forcePathStyle: true })
    const put = (name: string, body: string) =>
      client.send(new PutObjectCommand({ Bucket: dropped, Key: `in/${name}`, Body: body }))
    const collected = async () => {
      const report = await run(deps)
      expect(report.failures).toEqual([])
      return report.collected?.files
    }
    await run(deps)
    await put('price/a.jsonl', line(1, 1) + line(2, 'TBC'))
    await put('price/b copy.jsonl', line(1, 1) + line(2, 'TBC'))
    await put('price/c.json', '[{"item_id"')
    await put('price_list/d.jsonl', line(2, 2))
    expect(await collected()).toBe(3)
    expect(await collected()).toBe(0)
    const files = await readFeedState(deps, 'files')
    expect(Object.fromEntries(files.map((row) => [row['file'], row['outcome']]))).toEqual({
      'price/a.jsonl': 'taken',
      'price/b copy.jsonl': 'copy',
      'price/c.json': 'refused',
    })
    await put('price/a.jsonl', line(1, 3) + line(2, 4))
    await put('price/c.json', `[${line(2, 5)}]`)
    expect(await collected()).toBe(2)
    expect(await readFeedState(deps, 'open')).toEqual([])
    expect(
      await shop.query('select item_id, price from fact_price_current order by item_id'),
    ).toEqual([
      { item_id: 1, price: '3.000' },
      { item_id: 2, price: '5.000' },
    ])
    expect((await verify(deps)).isEqual).toBe(true)
    client.destroy()
  })
})
