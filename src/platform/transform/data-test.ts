import type { DuckDb } from '../io/duckdb.ts'
import { readSql } from '../project/generation.ts'
import type { DataTest } from '../project/model.ts'
import { withModelErrors } from './model-error.ts'

/** Rows that break a test, over the views it names, which must be open. Throws naming the test. */
export async function countOffenders(db: DuckDb, test: DataTest): Promise<number> {
  return await withModelErrors({ kind: 'Test', name: test.name }, async () => {
    const [found] = await db.rows<{ rows: bigint }>(
      `select count(*) as rows from (${readSql(test.sql)})`,
    )
    return Number(found?.rows)
  })
}
