import type { DuckDb } from '../io/duckdb.ts'
import { readSql } from '../project/generation.ts'
import type { DataTest } from '../project/model.ts'
import { withModelErrors } from './model-error.ts'

/** Rows that break a test, over the relations it names. Throws `ContractError` naming the test. */
export async function countOffenders(db: DuckDb, test: DataTest): Promise<number> {
  return await withModelErrors({ kind: 'Test', name: test.name }, () =>
    db.count(`(${readSql(test.sql)})`),
  )
}
