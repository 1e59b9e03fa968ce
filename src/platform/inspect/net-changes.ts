import type { DuckDb, Relation } from '../io/duckdb.ts'
import { openTogether } from '../io/open-together.ts'
import { duckLiteral, identifier, identifiers } from '../io/sql.ts'
import type { FileRef, StateFile } from '../lake/commit-record.ts'
import { isDistinct } from '../lake/lake-type.ts'
import { exactText } from '../lake/quarantine/quarantine.ts'
import {
  changeColumns,
  GONE_OPERATIONS,
  type LakeTable,
  lastOfEachKey,
  openState,
  selectFiles,
} from '../lake/table-state.ts'
import { openFiles, type Zone } from '../lake/zone.ts'
import { CONTENT_COUNT } from '../project/mirror.ts'
import { namedRecord } from '../project/named-record.ts'

/** What became of one key between two batches. */
export interface ChangedKey {
  readonly change: 'insert' | 'update' | 'delete'
  /** The values of the key's columns as Postgres prints them. */
  readonly key: Readonly<Record<string, string>>
  /** Names of the columns that differ; empty for a key that came or went. */
  readonly columns: readonly string[]
  /** Of a table without a key: how many equal rows there were, and how many there are. */
  readonly copies?: { readonly before: number; readonly after: number }
  /** Of a table without a key: the values of the row. Null stands for null. */
  readonly row?: Readonly<Record<string, string | null>>
}

/** How many keys came, changed and went, and the first of them in the order of the key. */
export interface NetChanges {
  readonly inserted: number
  readonly updated: number
  readonly deleted: number
  readonly keys: readonly ChangedKey[]
}

/** A table as of two batches. */
export interface TwoStates {
  readonly table: LakeTable
  /** Whether a row is its values, under a hash and with a count. */
  readonly isByContent: boolean
  readonly before: readonly StateFile[]
  /**
   * How the table got from the one state to the other: by these changes, in files. Without changes,
   * the states are compared whole, as the table was not captured all the time.
   */
  readonly after:
    | { readonly changes: readonly FileRef[] }
    | { readonly state: readonly StateFile[] }
}

/**
 * The keys that differ between two states of a table, at most `limit` of them. A key that came and went
 * in between, or that is as it was, does not differ. Reads of the state before only the keys that
 * changed. DuckDB compares, in bounded memory.
 */
export async function findNetChanges(
  db: DuckDb,
  zone: Zone,
  { limit, ...states }: TwoStates & { readonly limit: number },
): Promise<NetChanges> {
  await using rows = await openBoth(db, zone, states)
  const { table, isByContent } = states
  await using found = await db.table(selectDifferent(table, { ...rows, isByContent }))
  const { inserted, updated, deleted } = await db.row<
    Record<'inserted' | 'updated' | 'deleted', bigint>
  >(`
    select
        count(*) filter (where change = 'insert') as inserted,
        count(*) filter (where change = 'update') as updated,
        count(*) filter (where change = 'delete') as deleted
    from ${found.name}`)
  return {
    inserted: Number(inserted),
    updated: Number(updated),
    deleted: Number(deleted),
    keys: await readKeys(db, found, { table, isByContent, limit }),
  }
}

/** The rows of both states that can differ, as relations. */
interface BothStates extends AsyncDisposable {
  readonly before: string
  readonly after: string
}

async function openBoth(
  db: DuckDb,
  zone: Zone,
  { table, before, after }: TwoStates,
): Promise<BothStates> {
  return await openTogether(async (keep) => {
    if ('state' in after) {
      const one = keep(await openState(db, zone, { table, state: before }))
      const other = keep(await openState(db, zone, { table, state: after.state }))
      return { before: one.name, after: other.name }
    }
    const changed = keep(await openLast(db, zone, { table, files: asChanges(after.changes) }))
    const earlier = keep(await openLast(db, zone, { table, files: before, among: changed }))
    return { before: present(earlier), after: present(changed) }
  })
}

function asChanges(files: readonly FileRef[]): StateFile[] {
  return files.map((file) => ({ ...file, role: 'change' }))
}

function present({ name }: Relation): string {
  return `(select * from ${name} where _operation not in ${GONE_OPERATIONS})`
}

/** The last change of each key in files, of those keys only that `among` holds. */
async function openLast(
  db: DuckDb,
  zone: Zone,
  { table, files, among }: { table: LakeTable; files: readonly StateFile[]; among?: Relation },
): Promise<Relation> {
  const { columns } = table
  const open = (isBase: boolean) =>
    openFiles(
      zone,
      files.filter(({ role }) => (role === 'base') === isBase),
    )
  const [base, later] = [await open(true), await open(false)]
  const whole = ["'insert' as _operation", '0::bigint as _batch', '0::bigint as _ordinal']
  const own = changeColumns(table, ['_operation', '_batch', '_ordinal'])
  const arms = [
    ...(base.length === 0 ? [] : [await selectFiles(db, base, columns, whole)]),
    ...(later.length === 0 ? [] : [await selectFiles(db, later, columns, own)]),
  ]
  if (arms.length === 0) {
    const none = await selectFiles(db, [], columns)
    return await db.table(`select *, 'insert' as _operation from (${none})`)
  }
  const some =
    among === undefined ? '' : `semi join ${among.name} using (${identifiers(table.key)})`
  const names = identifiers(columns.map(({ name }) => name))
  return await db.table(
    `select ${names}, _operation from (${arms.join(' union all ')}) ${some} ${lastOfEachKey(table)}`,
  )
}

/**
 * A select of the keys that differ: `change`, `columns`, the key as `k0`, `k1` … and, of a table without
 * a key, the row and its counts. Columns go by their places, as one may be called like another here.
 */
function selectDifferent(
  table: LakeTable,
  { before, after, isByContent }: Pick<BothStates, 'before' | 'after'> & { isByContent: boolean },
): string {
  const values = valueColumns(table)
  const side = (relation: string) => `(
    select ${[
      ...table.key.map((name, at) => `${identifier(name)} as k${at}`),
      ...values.map(({ name }, at) => `${identifier(name)} as v${at}`),
      'true as here',
    ].join(', ')} from ${relation})`
  const differing = values.map(
    (column, at) =>
      `case when ${isDistinct({ ...column, name: `v${at}` }, 'b', 'a')} then ${duckLiteral(column.name)} end`,
  )
  const keys = table.key.map((_, at) => `k${at}`)
  const row = values.map((_, at) => `coalesce(a.v${at}, b.v${at}) as v${at}`)
  const count = values.findIndex(({ name }) => name === CONTENT_COUNT)
  const content = isByContent
    ? [...row, `b.v${count} as copies_before`, `a.v${count} as copies_after`]
    : []
  return `
    select * from (
        select ${[
          ...keys,
          ...content,
          "case when b.here is null then 'insert' when a.here is null then 'delete' else 'update' end as change",
          `case when b.here and a.here
            then list_filter([${differing.join(', ')}]::varchar[], lambda name: name is not null)
            else []::varchar[] end as columns`,
        ].join(', ')}
        from ${side(before)} b full join ${side(after)} a using (${keys.join(', ')})
    )
    where change <> 'update' or len(columns) > 0`
}

function valueColumns({ key, columns }: LakeTable): LakeTable['columns'] {
  return columns.filter(({ name }) => !key.includes(name))
}

async function readKeys(
  db: DuckDb,
  found: Relation,
  { table, isByContent, limit }: { table: LakeTable; isByContent: boolean; limit: number },
): Promise<ChangedKey[]> {
  const keys = table.key.map((name, at) => ({
    name,
    at: `k${at}`,
    type: table.columns.find((column) => column.name === name)?.type ?? 'VARCHAR',
  }))
  const content = isByContent
    ? valueColumns(table)
        .map(({ name, type }, at) => ({ name, at: `v${at}`, type }))
        .filter(({ name }) => name !== CONTENT_COUNT)
    : []
  // As JSON, because the driver drops a byte order mark at the beginning of a text.
  const texts = (columns: typeof keys) =>
    `to_json([${columns.map(({ at, type }) => exactText(at, type)).join(', ')}]::varchar[])::varchar`
  const rows = await db.rows<{
    change: ChangedKey['change']
    columns: string
    key: string
    row: string
    before: bigint | null
    after: bigint | null
  }>(`
    select
        change, to_json(columns)::varchar as columns, ${texts(keys)} as key, ${texts(content)} as row,
        ${isByContent ? 'copies_before' : 'null'} as before, ${isByContent ? 'copies_after' : 'null'} as after
    from ${found.name}
    order by ${keys.map(({ at }) => at).join(', ')}
    limit ${limit}`)
  const named = <T>(columns: typeof keys, written: string) => {
    const values = JSON.parse(written) as T[]
    return namedRecord(columns.map(({ name }, at) => [name, values[at] as T] as const))
  }
  return rows.map(({ change, columns, key, row, before, after }) => ({
    change,
    key: named<string>(keys, key),
    columns: JSON.parse(columns) as string[],
    ...(isByContent && {
      copies: { before: Number(before ?? 0), after: Number(after ?? 0) },
      row: named<string | null>(content, row),
    }),
  }))
}
