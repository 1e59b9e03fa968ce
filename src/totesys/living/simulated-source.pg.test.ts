import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { parseConfig } from '../../platform/config.ts'
import { totesysSettings } from '../settings.ts'
import { simulatedSource } from './simulated-source.ts'

const begun = new Date('2026-11-27T16:20:00Z')
const config = parseConfig(
  { TIDEMARK_TOTESYS_ORDERS: '200', TIDEMARK_TOTESYS_SPEED: '60' },
  totesysSettings,
)

describe('the simulated Totesys', () => {
  let database: TestDatabase
  let folder: string
  beforeAll(async () => {
    database = await createDatabase({ template: 'empty' })
    folder = await mkdtemp(join(tmpdir(), 'tidemark-simulated-'))
  })
  afterAll(async () => {
    await database.drop()
    await rm(folder, { recursive: true, force: true })
  })

  it('takes its clock from the settings', () => {
    expect(simulatedSource.clock(config)).toEqual({ start: undefined, speed: 60 })
  })

  it('makes its tables once, and has nobody in it until it is founded', async () => {
    const client = await database.client()
    await simulatedSource.prepare(client)
    await simulatedSource.prepare(client)
    expect(await database.query('table sales_order')).toEqual([])
    expect(await simulatedSource.readReached(client)).toBeUndefined()
    await expect(simulatedSource.open(client)).rejects.toThrow('no company was founded')
  })

  it('is filled up to the first capture of its past, and goes on from there', async () => {
    const client = await database.client()
    const { tables, rows } = await simulatedSource.found(client, { config, begun })
    expect(tables).toBe(11)
    expect(rows).toBeGreaterThan(200)
    const life = await simulatedSource.open(client)
    expect(life.begun).toEqual(begun)
    expect(life.momentsLeft()).toHaveLength(13)
    expect(life.momentsLeft()[0]).toEqual(life.reached)
    await life.passTime(begun)
    expect(await simulatedSource.readReached(client)).toEqual(begun)
    expect(life.momentsLeft()).toEqual([begun])
  })

  it('drops the rates of its past, and answers with those of today', async () => {
    const clock = { now: () => begun }
    const options = { config, life: { begun }, clock, dropFolder: folder }
    await using server = await simulatedSource.serveFeeds!(options)
    const file = await readFile(join(folder, 'exchange_rate', 'history.csv'), 'utf8')
    expect(file.split('\n')[1]).toMatch(/^EUR,USD,2026-05-29,\d\.\d{4},Bank of Totesys$/)
    const answer = await (await fetch(server.url)).text()
    expect(answer).toMatch(/^Date, USD, GBP, \n27 November 2026, /)
  })
})
