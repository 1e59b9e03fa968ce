import { asOfBatchFunction, asOfFunction, currentTable, historyView } from './fact-names.ts'
import { shortName } from './names.ts'
import type { SourceTable } from './source-contract.ts'

/** The beginning of the names of the platform's own tables. */
const OWN = 'tidemark_'

/** Two tables that need one name, or one table that needs a name of the platform. */
export interface NameClash {
  /** The table to rename. */
  readonly table: SourceTable
  /** The table that has the name; undefined if the platform has it. */
  readonly other: SourceTable | undefined
  readonly name: string
  /** A name for the table that is free. */
  readonly proposal: string
}

/**
 * The first clash among the names that tables take in the lake and in the warehouse. Capitals do not
 * tell names apart, because DuckDB ignores them. Pure.
 */
export function findNameClash(tables: readonly SourceTable[]): NameClash | undefined {
  const owners = new Map<string, SourceTable>()
  for (const table of tables) {
    for (const name of namesOf(table.name)) {
      const other = owners.get(name.toLowerCase())
      if (isOwn(name)) return clash(table, { name, other, tables })
      if (other !== undefined) {
        // A table called like another's history is the one that can be called otherwise.
        const isSuffixed = other.name.length > table.name.length
        return isSuffixed
          ? clash(other, { name, other: table, tables })
          : clash(table, { name, other, tables })
      }
      owners.set(name.toLowerCase(), table)
    }
  }
  return undefined
}

function clash(
  table: SourceTable,
  { name, other, tables }: Pick<NameClash, 'name' | 'other'> & { tables: readonly SourceTable[] },
): NameClash {
  const taken = new Set(
    tables.flatMap((each) => namesOf(each.name)).map((each) => each.toLowerCase()),
  )
  const isFree = (proposal: string): boolean =>
    namesOf(proposal).every((each) => !isOwn(each) && !taken.has(each.toLowerCase()))
  const base = isOwn(table.name) ? `source_${table.name}` : table.name
  let proposal = shortName(base, isOwn(table.name) ? '' : '_2')
  for (let number = 2; !isFree(proposal); number++) proposal = shortName(base, `_${number}`)
  return { table, other, name, proposal }
}

/** Every name that a table takes. Models read its changes by the last one. */
function namesOf(table: string): string[] {
  const derived = [currentTable, historyView, asOfFunction, asOfBatchFunction]
  return [table, ...derived.map((nameOf) => nameOf({ table })), `change_${table}`]
}

function isOwn(name: string): boolean {
  return name.toLowerCase().startsWith(OWN) || name.toLowerCase() === 'named_date'
}
