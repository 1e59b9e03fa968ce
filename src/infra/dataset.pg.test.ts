import { afterAll, beforeAll, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../test/support/database.ts'
import { readQuestions } from '../platform/presentation/question.ts'
import { migrate } from '../platform/warehouse/migrate.ts'
import { openWarehouse } from '../platform/warehouse/warehouse.ts'
import { analyses } from '../totesys/presentation/analyses.ts'
import { totesys } from '../totesys/totesys.ts'
import { type ColumnType, dataSetsOf } from './dataset.ts'

const [folder] = analyses.questions
const questions = readQuestions(folder!)

/** Postgres' ids of types, as `pg_type` has them. */
const TYPES: Readonly<Record<number, ColumnType>> = {
  16: 'BOOLEAN',
  20: 'INTEGER',
  23: 'INTEGER',
  25: 'STRING',
  1082: 'DATETIME',
  1114: 'DATETIME',
  1184: 'DATETIME',
  1700: 'DECIMAL',
}

let database: TestDatabase

beforeAll(async () => {
  database = await createDatabase({ template: 'empty' })
  await using warehouse = await openWarehouse({
    title: 'the warehouse',
    code: 'WAREHOUSE',
    url: database.url,
    schema: 'public',
  })
  await migrate(warehouse, totesys, { waitMs: 10_000 })
})

afterAll(async () => {
  await database.drop()
})

it.each(dataSetsOf(questions.values(), analyses).map((set) => [set.name, set] as const))(
  'Postgres answers %s with the declared columns',
  async (_, { sql, columns }) => {
    const client = await database.client()
    // As QuickSight does: a statement of its own around ours.
    const { fields } = await client.query(`select * from (${sql}) as question limit 1`)
    expect(fields.map(({ name, dataTypeID }) => ({ name, type: TYPES[dataTypeID] }))).toEqual(
      columns,
    )
  },
)
