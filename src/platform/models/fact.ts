import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { DuckDb } from '../duckdb.ts'
import { type PendingBatch, prepareFile, writeParquet } from '../lake/capture.ts'
import type { FileRef, RowCounts } from '../lake/commit-record.ts'
import { readParquet } from '../lake/table-state.ts'
import type { Fact, Project } from '../project.ts'
import { identifier } from '../sql.ts'
import { describe } from './dimension.ts'
import { readModel } from './generation.ts'
import { type MappedChanges, restoreDeletes } from './restore-deletes.ts'
import { brokenBy, faultOf, prepareQuarantine, type Rule, rulesOf } from './quarantine.ts'

/** Columns a fact model passes through for the platform. */
const PASSED = new Set(['_operation', '_captured_at', '_ordinal'])

/** The versions a batch adds to a fact, as local files in the warehouse's column order. */
export interface FactVersions {
  readonly paths: readonly { readonly path: string; readonly rows: number }[]
  readonly quarantine: FileRef[]
  readonly counts: RowCounts
  /** Record ids given out up to and including this batch. */
  readonly records: number
}

interface FactInput {
  /** Local change files in order, whose ordinals run on from 1 without a gap. */
  readonly changes: readonly string[]
  /** Record ids given out before. */
  readonly records: number
  /** Columns that name a day of the calendar, and so may not be infinite. */
  readonly days: readonly string[]
}

/**
 * Maps a batch's changes to versions of a fact, one change file at a time, and gives each its
 * record id: gapless, in capture order, going on from `records`. Rows that break a rule go to
 * quarantine and get no id.
 */
export async function mapFact(
  batch: PendingBatch,
  model: Fact,
  { changes, records, days }: FactInput,
): Promise<FactVersions> {
  const { db } = batch
  const modelSql = readModel(model)
  const paths: { path: string; rows: number }[] = []
  const quarantine: FileRef[] = []
  const seen = { insert: 0, update: 0, delete: 0, quarantined: 0 }
  let given = records

  for (const [index, change] of changes.entries()) {
    await db.run(
      `create or replace temp view ${identifier(`change_${model.from}`)} as select * from ${readParquet([change])}`,
    )
    const columns = (await describe(db, modelSql)).map(({ name }) => name)
    const standard = columns.filter((name) => !PASSED.has(name))
    const rules = rulesOf(model, { columns: standard, days })
    const broken = brokenBy(rules)
    let mapped = { sql: modelSql, columns: standard, broken }
    let found = await countMapped(db, mapped)
    if (found.lostDeletes > 0) {
      mapped = { ...mapped, sql: await restoreDeletes(batch, model, mapped) }
      found = await countMapped(db, mapped)
    }
    // With every row of the file the ordinals themselves are gapless and need not be counted.
    const isWhole = found.rejected === 0 && found.read === found.last - found.first + 1
    const recordId = isWhole
      ? `${given} + _ordinal - ${found.first - 1}`
      : `${given} + row_number() over (order by _ordinal)`
    const path = join(db.scratchDir, `${randomUUID()}.parquet`)
    const rows = await writeParquet(
      db,
      `select
          (${recordId})::bigint as ${identifier(model.recordId)},
          ${standard.map(identifier).join(', ')},
          _operation as record_operation,
          _captured_at as recorded_at,
          ${batch.number}::bigint as batch_id
      from (${mapped.sql})
      where not ${broken}
      order by _ordinal`,
      path,
    )
    quarantine.push(
      ...(await prepareQuarantine(batch, model.table, {
        relation: rejectedRows(model, { sql: mapped.sql, rules }),
        rows: found.read - rows,
        index,
      })),
    )
    for (const row of await db.rows<{ op: keyof typeof seen; rows: bigint }>(
      `select record_operation as op, count(*) as rows from ${readParquet([path])} group by all`,
    )) {
      seen[row.op] += Number(row.rows)
    }
    seen.quarantined += found.read - rows
    given += rows
    paths.push({ path, rows })
  }
  return {
    paths,
    quarantine,
    records: given,
    counts: {
      read: given - records + seen.quarantined,
      accepted: given - records,
      inserted: seen.insert,
      updated: seen.update,
      // A deletion is a version too, and was read from the ingestion zone.
      deleted: seen.delete,
      unchanged: 0,
      quarantined: seen.quarantined,
    },
  }
}

interface MappedCounts {
  readonly read: number
  readonly rejected: number
  /** Deletions among the rejected rows. */
  readonly lostDeletes: number
  readonly first: number
  readonly last: number
}

async function countMapped(db: DuckDb, { sql, broken }: MappedChanges): Promise<MappedCounts> {
  const [found] = await db.rows<Record<keyof MappedCounts, bigint>>(`
    select
        count(*) as "read",
        count(*) filter (where ${broken}) as "rejected",
        count(*) filter (where ${broken} and _operation = 'delete') as "lostDeletes",
        coalesce(min(_ordinal), 1) as "first",
        coalesce(max(_ordinal), 0) as "last"
    from (${sql})`)
  return {
    read: Number(found?.read),
    rejected: Number(found?.rejected),
    lostDeletes: Number(found?.lostDeletes),
    first: Number(found?.first),
    last: Number(found?.last),
  }
}

/** The source's rows behind the rejected ones, each with the first rule it breaks. */
function rejectedRows(
  model: Fact,
  { sql, rules }: { sql: string; rules: readonly Rule[] },
): string {
  return `(
    select c.*, m._reason, m._column
    from ${identifier(`change_${model.from}`)} c
    inner join (
        select _ordinal, ${faultOf(rules)} from (${sql}) where ${brokenBy(rules)}
    ) m using (_ordinal)
  )`
}

/** The columns of a fact that name a day, each with the calendar it is a day of. */
export function daysOf(
  { models }: Project,
  { references }: Fact,
): { readonly column: string; readonly calendar: string }[] {
  const calendars = new Set(
    models.filter(({ kind }) => kind === 'calendar').map(({ table }) => table),
  )
  return references
    .filter(({ dimension }) => calendars.has(dimension))
    .flatMap(({ columns, dimension }) => columns.map((column) => ({ column, calendar: dimension })))
}

/** Uploads a fact's local files; they exist for readers once the batch is committed. */
export async function prepareFact(
  batch: PendingBatch,
  model: Fact,
  versions: FactVersions,
): Promise<FileRef[]> {
  const files: FileRef[] = []
  for (const { path, rows } of versions.paths) {
    if (rows > 0)
      files.push(
        await prepareFile(batch, { name: model.table }, { path, rows, index: files.length }),
      )
  }
  return files
}
