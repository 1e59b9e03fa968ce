import type { Client } from '../io/postgres.ts'
import { identifier, identifiers } from '../io/sql.ts'
import { currentTable, historyColumns, isPresent } from '../project/fact-names.ts'
import { type Fact, revisionsName } from '../project/model.ts'
import { readColumnNames } from '../warehouse/columns.ts'
import { beforeName, columnsBefore, selectRevisions } from '../warehouse/revisions.ts'
import { explainSums, sumsTablesOf } from '../warehouse/sums.ts'
import { type CorrectedTable, makeEqual } from './correct-table.ts'
import { type Correction, isCorrection } from './correction.ts'

/**
 * Makes equal to a fact's versions all that loads keep up to date from them: the current rows, the sums
 * and the revisions. Call it in a locked transaction. Returns the tables that differed. Throws
 * `ConfigError` (`SUMS_INVALID`) if a sum cannot be computed.
 */
export async function correctKept(client: Client, fact: Fact): Promise<Correction[]> {
  const corrections: Correction[] = []
  for (const kept of keptTables(fact, await readColumnNames(client, fact))) {
    const difference = await makeEqual(client, kept).catch((error: unknown) => {
      throw kept.byValue === true ? explainSums(fact, error) : error
    })
    corrections.push({ table: kept.table, difference, left: 0 })
  }
  return corrections.filter(isCorrection)
}

function keptTables(fact: Fact, columns: readonly string[]): CorrectedTable[] {
  const { key, recordId } = fact
  const but = (names: readonly string[], without: readonly string[]) =>
    names.filter((name) => !without.includes(name))
  const current: CorrectedTable = {
    table: currentTable(fact),
    key,
    told: [recordId],
    values: but(columns, key),
    expected: `(${selectCurrent(fact, columns)})`,
  }
  if (fact.sums === undefined) return [current]
  const revised = [...columns, ...columnsBefore(fact, columns).map(beforeName)]
  return [
    current,
    ...sumsTablesOf(fact).map(({ name, by, added, select }) => ({
      table: name,
      key: by,
      values: added,
      expected: `(${select})`,
      byValue: true,
    })),
    {
      table: revisionsName(fact),
      key: [recordId],
      told: key,
      values: but(revised, [recordId]),
      expected: `(${selectRevisions(fact, columns)})`,
    },
  ]
}

/** Select of the newest version of each key, without the keys that are gone. */
function selectCurrent(fact: Fact, columns: readonly string[]): string {
  const operation = identifier(historyColumns(fact).operation)
  const key = identifiers(fact.key)
  return `
    select ${identifiers(columns)}
    from (
        select distinct on (${key}) * from ${identifier(fact.table)}
        order by ${key}, ${identifier(fact.recordId)} desc
    ) as newest
    where ${isPresent(fact, operation)}`
}
