import { onlyRow } from '../io/postgres.ts'
import { identifier, identifiers } from '../io/sql.ts'
import { type Fact, revisionsName } from '../project/model.ts'
import { type SumsTable, sumsTablesOf } from '../warehouse/sums.ts'
import { readColumnNames } from '../warehouse/columns.ts'
import { beforeName, columnsBefore, selectRevisions } from '../warehouse/revisions.ts'
import { beginAsking, type SharedWarehouse } from './shared-warehouse.ts'
import type { VerifiedTable } from './verified-table.ts'

/**
 * Begins to compare every kept sum of a fact with the sum over its current rows, one result for each
 * grain, and its revisions with its versions. Read-only. Proves nothing unless the current rows and
 * the versions are proven.
 */
export function beginSums(warehouse: SharedWarehouse, fact: Fact): Promise<VerifiedTable[]> {
  if (fact.sums === undefined) return Promise.resolve([])
  const asked = sumsTablesOf(fact).map((table) =>
    compareKept(warehouse, { ...table, where: 'sums' }),
  )
  return Promise.all([...asked, compareRevisions(warehouse, fact)])
}

async function compareRevisions(warehouse: SharedWarehouse, fact: Fact): Promise<VerifiedTable> {
  const columns = await beginAsking(warehouse, (client) => readColumnNames(client, fact))
  return await compareKept(warehouse, {
    where: 'revisions',
    name: revisionsName(fact),
    by: [fact.recordId],
    added: [...columns, ...columnsBefore(fact, columns).map(beforeName)],
    select: selectRevisions(fact, columns),
  })
}

/** A table that every load updates, and the select with which it must agree. */
type Kept = Pick<SumsTable, 'name' | 'by' | 'added' | 'select'> & Pick<VerifiedTable, 'where'>

async function compareKept(warehouse: SharedWarehouse, table: Kept): Promise<VerifiedTable> {
  const found = await beginAsking(warehouse, (client) => client.query<Found>(countDifferent(table)))
  const { rows, missing, extra, different } = onlyRow(found)
  const difference = {
    missing: Number(missing),
    extra: Number(extra),
    different: Number(different),
    keys: [],
  }
  return {
    table: table.name,
    where: table.where,
    by: 'rows',
    rows: Number(rows),
    quarantined: 0,
    difference,
  }
}

/** Counts as text: the expected rows, and the rows that differ. */
interface Found {
  readonly rows: string
  readonly missing: string
  readonly extra: string
  readonly different: string
}

function countDifferent({ name, by, added, select }: Kept): string {
  const row = (alias: string) =>
    `(${added.map((column) => `${alias}.${identifier(column)}`).join(', ')})`
  return `
    select
        count(e."is there")::text as rows,
        (count(*) filter (where f."is there" is null))::text as missing,
        (count(*) filter (where e."is there" is null))::text as extra,
        (count(*) filter (
            where e."is there" and f."is there" and ${row('e')} is distinct from ${row('f')}
        ))::text as different
    from (select true as "is there", s.* from (${select}) as s) as e
    full join (select true as "is there", s.* from ${identifier(name)} as s) as f
        using (${identifiers(by)})`
}
