import type { DuckDb } from '../io/duckdb.ts'
import { readSql } from '../project/generation.ts'
import type { DataTest } from '../project/model.ts'
import { withModelErrors } from './model-error.ts'

/**
 * Counts the rows that break a data test. The relations that the test names must be open. Throws
 * `ContractError` that names the test if its SQL fails.
 */
export async function countOffenders(db: DuckDb, test: DataTest): Promise<number> {
  return await withModelErrors({ kind: 'Test', name: test.name }, () =>
    db.count(`(${readSql(test.sql)})`),
  )
}
