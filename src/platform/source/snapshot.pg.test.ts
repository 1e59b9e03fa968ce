import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { EVIDENCE_FUNCTIONS } from './evidence.ts'
import { openSnapshot } from './snapshot.ts'

describe('openSnapshot()', () => {
  let test: TestDatabase
  beforeAll(async () => {
    test = await createDatabase({ template: 'empty' })
    await test.query('create table thing (id int primary key)')
  })
  afterAll(() => test.drop())
  const database = (url = test.readerUrl) => ({ title: 'Things', code: 'SOURCE', url, attempts: 1 })

  it('identifies its moment, the cluster and its history with only SELECT rights', async () => {
    await using snapshot = await openSnapshot(database())
    const { identity } = snapshot
    expect(identity.takenAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    expect(BigInt(identity.xmax)).toBeGreaterThanOrEqual(BigInt(identity.xmin))
    expect(identity.systemId).toMatch(/^\d+\/\d+$/)
    expect(identity).toMatchObject({ timeline: 1, standby: false })
    for (const moment of [identity.startedAt, identity.statisticsSince]) {
      expect(moment).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    }
    for (const position of [identity.wal, identity.checkpoint]) {
      expect(position).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/)
    }
  })

  it('I2 sees one moment in every connection, whatever others commit meanwhile', async () => {
    await using snapshot = await openSnapshot(database())
    await test.query('insert into thing values (1)')
    await using another = await snapshot.openAnother()
    await using third = await snapshot.openAnother()
    for (const { client } of [snapshot, another, third]) {
      const { rows } = await client.query('select * from public.thing')
      expect(rows).toEqual([])
    }
  })

  it('cannot write', async () => {
    await using snapshot = await openSnapshot(database(test.url))
    await expect(snapshot.client.query('insert into public.thing values (2)')).rejects.toThrow(
      /read-only/,
    )
  })

  it('openAnother() fails and closes its connection once the snapshot is gone', async () => {
    await using snapshot = await openSnapshot(database())
    await (await snapshot.openAnother())[Symbol.asyncDispose]()
    await snapshot.client.query('rollback')
    await expect(snapshot.openAnother()).rejects.toThrow('Things')
  })

  it('does without the cluster’s identity if the user may not ask for it', async () => {
    for (const name of EVIDENCE_FUNCTIONS) {
      await test.query(`revoke execute on function ${name} from public`)
    }
    await using snapshot = await openSnapshot(database())
    expect(snapshot.identity).toMatchObject({ systemId: '', timeline: 0, standby: false })
    const { startedAt, statisticsSince, wal, checkpoint } = snapshot.identity
    expect([startedAt, statisticsSince, wal, checkpoint].every((each) => each === undefined)).toBe(
      true,
    )
  })
})
