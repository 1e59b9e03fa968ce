import { csvRecord } from '../../platform/presentation/csv.ts'
import type { FactVersion } from '../../platform/presentation/history.ts'
import { historyColumns } from '../../platform/project/fact-names.ts'
import type { Fact } from '../../platform/project/model.ts'

/**
 * Versions of a fact as CSV (RFC 4180), header first, under the names of the history in the warehouse.
 * Values are as Postgres prints them. `columns` is a version with every column, if there is none to
 * write.
 */
export function versionsAsCsv(
  fact: Fact,
  {
    columns,
    versions,
  }: { columns: Pick<FactVersion, 'values'> | undefined; versions: readonly FactVersion[] },
): string {
  const names = Object.keys(columns?.values ?? {})
  const { version, validFrom, validTo, operation, batch } = historyColumns(fact)
  const header = [fact.recordId, ...names, operation, batch, version, validFrom, validTo]
  const records = versions.map((each) => [
    each.recordId,
    ...names.map((name) => each.values[name]),
    each.operation,
    String(each.batch),
    String(each.version),
    each.validFrom,
    each.validTo,
  ])
  return [header, ...records].map(csvRecord).join('')
}
