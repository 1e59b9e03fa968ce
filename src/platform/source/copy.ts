import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { codeOf, ContractError } from '../errors.ts'
import { type CopiedFile, copyToFile } from '../io/postgres-copy.ts'
import { identifier } from '../io/sql.ts'
import { NOT_UTF8_STATES, SQL_STATE } from '../io/sql-states.ts'
import { copyCarefully } from './careful-copy.ts'
import type { ReaderNeed } from './readers.ts'
import { attemptRead, type PostgresSnapshot } from './snapshot.ts'
import type { TableShape } from './table-shape.ts'

/** Rows in COPY's text format in a local file. Each line begins with a tab. */
export interface CopiedRows extends CopiedFile {
  readonly path: string
  /** Whether a line may begin with notes instead, see `copyCarefully`. */
  readonly isNoted?: boolean
}

/** The largest part of a table's heap that is read at once, in pages. */
const RANGE_PAGES = 4096
const PAGE_BYTES = 8192

/** A table of this size is worth another connection. */
const WORTH_A_CONNECTION_BYTES = 4 * 1024 * 1024

/** Counts for one table: all rows, and the rows at or after the horizon. */
export interface TableCount {
  readonly rows: number
  readonly recent: number
  /** The places of the first and the last recent row in the heap, if the table has such ranges. */
  readonly recentIn?: { readonly first: string; readonly last: string }
}

/** A table to count. */
export interface CountedTable {
  readonly shape: TableShape
  /** The horizon's distance from the snapshot in transactions; undefined counts no row as recent. */
  readonly age: number | undefined
}

/** Together, tables of this size are worth being counted on two connections. */
const WORTH_TWO_COUNTS_BYTES = 32 * 1024 * 1024

/**
 * Counts tables in one statement for each connection. For a table that cannot be counted, the
 * result holds the error (`TABLE_UNREADABLE`) instead of a count.
 */
export async function countTables(
  snapshot: PostgresSnapshot,
  tables: readonly CountedTable[],
  { connections = 1 }: { connections?: number } = {},
): Promise<Map<string, TableCount | ContractError>> {
  const groups = divideEvenly(tables, connections)
  const need = groups.length > 1 ? { connections } : {}
  const counted = await Promise.all(groups.map((group) => countGroup(snapshot, group, need)))
  return new Map(counted.flat())
}

/**
 * Divides tables into up to `count` groups that take about as long to count. A condition on `xmin`
 * keeps the server from working on one statement with several processes.
 */
function divideEvenly(tables: readonly CountedTable[], count: number): CountedTable[][] {
  const total = tables.reduce((sum, { shape }) => sum + shape.sizeBytes, 0)
  const size = total < WORTH_TWO_COUNTS_BYTES ? 1 : count
  const groups = Array.from({ length: size }, () => ({ bytes: 0, tables: [] as CountedTable[] }))
  for (const table of tables.toSorted((a, b) => b.shape.sizeBytes - a.shape.sizeBytes)) {
    const smallest = groups.reduce((one, other) => (other.bytes < one.bytes ? other : one))
    smallest.tables.push(table)
    smallest.bytes += table.shape.sizeBytes
  }
  return groups.map((group) => group.tables).filter((group) => group.length > 0)
}

async function countGroup(
  snapshot: PostgresSnapshot,
  tables: readonly CountedTable[],
  need: ReaderNeed,
): Promise<[string, TableCount | ContractError][]> {
  try {
    return await countTogether(snapshot, tables, need)
  } catch (error) {
    if (!isUnreadable(error)) throw error
  }
  // At least one table cannot be counted, so each is counted alone.
  const counted: [string, TableCount | ContractError][] = []
  for (const each of tables) {
    try {
      counted.push(...(await countTogether(snapshot, [each], need)))
    } catch (error) {
      if (!isUnreadable(error)) throw error
      counted.push([each.shape.name, error])
    }
  }
  return counted
}

/** Whether the server refused to read one table but can read others. */
function isUnreadable(error: unknown): error is ContractError {
  return error instanceof ContractError && error.code === 'TABLE_UNREADABLE'
}

async function countTogether(
  snapshot: PostgresSnapshot,
  tables: readonly CountedTable[],
  need: ReaderNeed,
): Promise<[string, TableCount][]> {
  const arms = tables.map(({ shape, age }, index) => {
    const recent =
      age === undefined
        ? 'null::tid'
        : `case when ${isRecent(age, snapshot.identity.xmax)} then ctid end`
    const place = (which: string) => (shape.hasCtidRanges ? `${which}(place)::text` : 'null::text')
    // Without `offset 0` the condition would be computed for each of the three, which takes twice
    // as long.
    return `
      select
          ${index} as i,
          count(*)::text as rows,
          count(place)::text as recent,
          ${place('min')} as first,
          ${place('max')} as last
      from (select ${recent} as place from ${shape.relation} as t offset 0) as counted`
  })
  const named = tables.length === 1 ? tables[0]?.shape.name : undefined
  const { rows } = await attemptRead(
    snapshot,
    { name: named ?? 'counted', hasXmin: true, ...need },
    (client) =>
      client.query<{
        i: number
        rows: string
        recent: string
        first: string | null
        last: string | null
      }>(arms.join(' union all ')),
  )
  return rows.map(({ i, first, last, ...row }) => [
    tables[i]?.shape.name ?? '',
    {
      rows: Number(row.rows),
      recent: Number(row.recent),
      ...(first === null || last === null ? {} : { recentIn: { first, last } }),
    },
  ])
}

/**
 * SQL condition: a row's xmin lies at most `age` before the snapshot's xmax, on the circle of
 * 32-bit ids. `age()` measures from the next id, which other sessions may have moved on since the
 * snapshot (within a transaction it does not move), so the snapshot's own age is added. A frozen
 * row keeps its old xmin, so it may look recent after a wraparound, with a negative age. The
 * comparison with the captured rows then drops it. (Manual, 24.1.5 and 9.27.7.)
 */
function isRecent(age: number, xmax: string): string {
  const low32 = BigInt.asUintN(32, BigInt(xmax)).toString()
  return `age(xmin) <= (select age('${low32}'::xid)::bigint + ${age})`
}

/**
 * Copies the rows at or after the horizon into a file. Looks only at the part of the heap in which
 * they were counted, if it is known: a row does not move within a snapshot. Throws what
 * `attemptRead` throws.
 */
export async function copyRecent(
  snapshot: PostgresSnapshot,
  shape: TableShape,
  {
    age,
    recentIn,
    folder,
  }: { age: number; recentIn?: TableCount['recentIn'] | undefined; folder: string },
): Promise<CopiedRows> {
  const recent = isRecent(age, snapshot.identity.xmax)
  const where =
    recentIn === undefined
      ? recent
      : `ctid between '${recentIn.first}'::tid and '${recentIn.last}'::tid and ${recent}`
  return copy(snapshot, shape, { where, path: newPath(folder) })
}

/** Copies every key into a file. Throws what `attemptRead` throws. */
export async function copyKeys(
  snapshot: PostgresSnapshot,
  shape: TableShape,
  { folder }: { folder: string },
): Promise<CopiedRows> {
  const columns = shape.key.flatMap(
    (name) => shape.columns.find((column) => column.name === name) ?? [],
  )
  return copy(snapshot, { ...shape, columns }, { where: '', path: newPath(folder) })
}

/**
 * Copies a whole table in parts, in the order of the heap, so that no temporary file grows with the
 * table. The last part has no upper end. Reads up to `connections` parts ahead of the consumer, on
 * as many connections in the one snapshot. The parts are yielded in order. Throws what
 * `attemptRead` throws.
 */
export async function* copyWhole(
  snapshot: PostgresSnapshot,
  shape: TableShape,
  { folder, connections }: { folder: string; connections: number },
): AsyncGenerator<CopiedRows> {
  const parts = planRanges(shape).map((where) => ({ where, path: newPath(folder) }))
  // A small table is read sooner than a connection is opened.
  const need = shape.sizeBytes < WORTH_A_CONNECTION_BYTES ? {} : { connections }
  const underWay: Promise<CopiedRows>[] = []
  const begin = (index: number) => {
    const part = parts[index]
    if (part === undefined) return
    const copied = copy(snapshot, shape, { ...part, ...need })
    copied.catch(() => {}) // reported when it is awaited below
    underWay[index] = copied
  }
  try {
    for (let index = 0; index < connections; index++) begin(index)
    for (let index = 0; index < parts.length; index++) {
      const copied = await underWay[index]
      begin(index + connections)
      if (copied !== undefined) yield copied
    }
  } finally {
    // The scratch folder may be emptied as soon as the consumer goes on.
    await Promise.allSettled(underWay)
  }
}

/**
 * Conditions that cut a table into ranges of pages and leave no gap. A single empty condition means
 * the whole table.
 */
export function planRanges(shape: Pick<TableShape, 'hasCtidRanges' | 'sizeBytes'>): string[] {
  const pages = Math.ceil(shape.sizeBytes / PAGE_BYTES)
  const count = shape.hasCtidRanges ? Math.max(1, Math.ceil(pages / RANGE_PAGES)) : 1
  if (count === 1) return ['']
  return Array.from({ length: count }, (_, index) => {
    const from = `ctid >= '(${index * RANGE_PAGES},0)'::tid`
    const to = `ctid < '(${(index + 1) * RANGE_PAGES},0)'::tid`
    return index === count - 1 ? from : `${from} and ${to}`
  })
}

/**
 * A path that was never used before. A cache may know a file by its path, size and time, and small
 * files may agree in size and time.
 */
function newPath(folder: string): string {
  return join(folder, `${randomUUID()}.copy`)
}

/** Copies rows, and copies them again with care if a single value makes the plain COPY fail. */
async function copy(
  snapshot: PostgresSnapshot,
  shape: TableShape,
  { where, path, ...need }: { where: string; path: string } & ReaderNeed,
): Promise<CopiedRows> {
  const table = { ...shape, ...need }
  const columns = shape.columns.map((column) => identifier(column.name))
  const filter = where === '' ? '' : ` where ${where}`
  try {
    const select = `select ${columns.join(', ')} from ${shape.relation} as t${filter}`
    const copied = await attemptRead(snapshot, table, (client) => copyToFile(client, select, path))
    return { ...copied, path }
  } catch (error) {
    if (!isUnreadable(error) || !isOfOneValue(error.cause)) throw error
  }
  const copied = await attemptRead(snapshot, table, (client) =>
    copyCarefully(client, shape, { filter, path }),
  )
  return { ...copied, path, isNoted: true }
}

/**
 * Whether a single value may have made a COPY fail: it is not text, UTF-8 lacks a character, or a
 * row or value is too large to print.
 */
function isOfOneValue(error: unknown): boolean {
  const code = codeOf(error)
  return NOT_UTF8_STATES.has(code) || TOO_LARGE.has(code)
}

const TOO_LARGE: ReadonlySet<string> = new Set([
  SQL_STATE.programLimitExceeded,
  SQL_STATE.internalError,
  SQL_STATE.outOfMemory,
])
