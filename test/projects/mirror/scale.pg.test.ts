import { describe, expect, it } from 'vitest'
import { tidemark } from '../../support/command.ts'
import type { TestDatabase } from '../../support/database.ts'
import { startSource } from '../../support/source-server.ts'
import { createMirror, expectEqual } from '../../support/mirror.ts'
import { run } from '../../../src/platform/pipeline.ts'
import { createWorkplace } from '../../support/workplace.ts'

/** Makes tables `t1`, `t2` …; the first of them have rows. */
async function createTables(
  source: TestDatabase,
  { tables, filled }: { tables: number; filled: number },
): Promise<void> {
  const client = await source.client()
  await client.query(`
    do $$ begin
      for n in 1..${tables} loop
        execute format('create table t%s (id int primary key, v text, at timestamptz)', n);
      end loop;
      for n in 1..${filled} loop
        execute format('insert into t%s select g, ''x'', now() from generate_series(1, 100) as g', n);
      end loop;
    end $$`)
}

describe('a source with many tables', () => {
  it('200: init, run, change and verify, each within bounds', async () => {
    await using workplace = await createWorkplace()
    const { source, warehouse } = workplace
    await createTables(source, { tables: 200, filled: 15 })
    const env = { TIDEMARK_SOURCE_URL: source.readerUrl, TIDEMARK_WAREHOUSE_URL: warehouse.url }
    const seconds: Record<string, number> = {}
    const time = async (line: string, what = line): Promise<void> => {
      const startedAt = performance.now()
      const { code, err } = await tidemark(line.split(' '), { env })
      expect(code, `${line}: ${err}`).toBe(0)
      seconds[what] = (performance.now() - startedAt) / 1000
    }
    await time(`init shop --yes --source ${source.readerUrl}`)
    process.chdir('shop')
    await time('run')
    await (
      await source.client()
    ).query(`update t1 set v = 'y' where id <= 3; insert into t200 values (1)`)
    await time('run', 'run again')
    await time('verify')
    const rows = await warehouse.query(`
      select count(*)::int as n, count(*) filter (where version = 2)::int as second from t1_history`)
    expect(rows).toEqual([{ n: 103, second: 3 }])
    // Ten times what an idle machine takes.
    const [init = 0, ...others] = Object.values(seconds)
    expect(init).toBeLessThan(30)
    for (const each of others) expect(each).toBeLessThan(300)
  })

  it('more than a server has locks for: one clear error with the way out, and nothing is lost', async () => {
    await using system = await createMirror('')
    await createTables(system.source, { tables: 250, filled: 250 })
    await using server = await startSource({ max_locks_per_transaction: 10, max_connections: 20 })
    const warehouse = { ...system.deps.warehouse, url: server.postgres.url('postgres') }
    const { failures } = await run({ ...system.deps, warehouse })
    expect(failures).toMatchObject([{ stage: 'load', error: { code: 'WAREHOUSE_LOCKS' } }])
    await run(system.deps)
    await expectEqual(system)
  })

  it('1,001: one clear error with the way out, and nothing is written', async () => {
    await using workplace = await createWorkplace()
    const { source } = workplace
    await createTables(source, { tables: 1001, filled: 1 })
    const env = { TIDEMARK_SOURCE_URL: source.readerUrl }
    for (const line of ['run', `init shop --yes --source ${source.readerUrl}`]) {
      const { code, err } = await tidemark(line.split(' '), { env })
      expect(code).toBe(2)
      expect(err).toContain('1001 tables to mirror, more than 1000')
      expect(err).toContain('--select')
    }
    expect((await tidemark(['run', '--select', 't1'], { env })).code).toBe(0)
  })
})
