import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isS3Missing, type S3Server, startS3Server } from '../../../test/support/s3-server.ts'
import { type Config, parseConfig } from '../../platform/config.ts'
import type { Reader } from '../../platform/presentation/reader.ts'
import { totesys } from '../../totesys/totesys.ts'
import { takeDelivery } from '../mail/deliveries.ts'
import { recordCrossing } from './crossings.ts'
import { openReportState, reportSources } from './open-reports.ts'

describe.skipIf(isS3Missing)('reports in a bucket', () => {
  let server: S3Server
  let bucket: string
  let config: Config
  beforeAll(async () => {
    server = await startS3Server()
    bucket = await server.createBucket()
    config = parseConfig({
      TIDEMARK_S3_ENDPOINT: server.endpoint,
      TIDEMARK_REPORTS_FILE: `s3://${bucket}/deep/reports.json`,
      TIDEMARK_REPORTS_STATE: `s3://${bucket}/state`,
    })
  })
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]()
  })

  const read = async () => {
    const reader: Reader = {
      warehouse: { title: '', code: 'WAREHOUSE', url: '', schema: 'public' },
      read: () => Promise.reject(new Error('not asked')),
      open: () => Promise.reject(new Error('not asked')),
      [Symbol.asyncDispose]: async () => {},
    }
    const deps = { project: totesys }
    return await reportSources({
      config,
      deps,
      reader,
      saved: undefined,
      now: () => new Date(),
    }).readDeclarations()
  }

  it('are declared by an object, which may change, and its absence is named', async () => {
    await expect(read()).rejects.toMatchObject({
      code: 'REPORTS_FILE',
      message: `The reports file s3://${bucket}/deep/reports.json does not exist`,
    })
    await server.putObject(bucket, 'deep/reports.json', '{}')
    expect(await read()).toEqual({ valid: [], broken: [] })
    await server.putObject(bucket, 'deep/reports.json', '{"reports": [{"name": "half"}]}')
    expect((await read()).broken).toMatchObject([{ name: 'half' }])
  })

  it('are taken by one of many that ask at once, and by another one when that has failed', async () => {
    const open = () => openReportState(config)
    const stores = await Promise.all(Array.from({ length: 5 }, open))
    const now = new Date('2026-11-30T08:00:00Z')
    const recipients = ['ann@example.org', 'bob@example.org']
    const take = async (at: Date) =>
      await Promise.all(
        stores.map((store, place) =>
          takeDelivery(store, 'a/b', { recipients, by: `${place}`, now: at }),
        ),
      )
    const first = (await take(now)).filter((each) => typeof each !== 'string')
    expect(first.map(({ left }) => left)).toEqual([recipients])
    await first[0]?.record('ann@example.org', 'sent')
    await first[0]?.fail()
    expect(await take(new Date(now.getTime() + 59_000))).toEqual(Array(5).fill('later'))
    const second = (await take(new Date(now.getTime() + 61_000))).filter(
      (each) => typeof each !== 'string',
    )
    expect(second.map(({ left, number }) => [number, left])).toEqual([[2, ['bob@example.org']]])
    await second[0]?.finish()
    expect(await take(new Date(now.getTime() + 999_000))).toEqual(Array(5).fill('done'))
    const crossing = { number: 1, at: now, figure: '1' }
    const crossed = await Promise.all(stores.map((store) => recordCrossing(store, 'c', crossing)))
    expect(crossed.filter(Boolean)).toHaveLength(1)
    for (const store of stores) await store[Symbol.asyncDispose]?.()
  })
})
