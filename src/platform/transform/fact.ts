import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { openTogether } from '../io/open-together.ts'
import { identifier } from '../io/sql.ts'
import type { PendingBatch } from '../lake/batch.ts'
import { prepareFile } from '../lake/change-file.ts'
import type { FileRef, Hold, ProcessedEntry, RowCounts } from '../lake/commit-record.ts'
import { type Column, fileValues } from '../lake/lake-type.ts'
import { readParquet, writeParquet } from '../lake/parquet.ts'
import type { LakeTable } from '../lake/table-state.ts'
import type { QuarantineLimits } from '../lake/quarantine/limits.ts'
import {
  prepareOpen,
  prepareQuarantine,
  readRefused,
  type RefusalReason,
} from '../lake/quarantine/quarantine.ts'
import { countRows, sumRows } from '../lake/table-entry.ts'
import { historyColumns } from '../project/fact-names.ts'
import type { Fact } from '../project/model.ts'
import type { Project } from '../project/project.ts'
import { countChanges } from './count-changes.ts'
import {
  type ChangeSpan,
  checkKeysOnce,
  countFile,
  countLast,
  type MappedFile,
  type Mapping,
  openFile,
  openLast,
  readMapping,
  selectRefusedChanges,
  type WrittenFile,
} from './fact-mapping.ts'
import { holdFor } from './hold.ts'
import { type RestoredChanges, restoreDeletes } from './restore-deletes.ts'
import { addBroken, type Broken } from './rules.ts'

/** The versions that a batch adds to a fact, as local files in the warehouse's column order. */
export interface FactVersions {
  readonly paths: readonly { readonly path: string; readonly rows: number }[]
  readonly quarantine: FileRef[]
  readonly open: FileRef[]
  readonly reasons: readonly RefusalReason[]
  readonly counts: RowCounts
  /** The columns that the model makes. */
  readonly columns: readonly Column[]
  /** Of a fact that follows tables: the fact as a table of the lake, whose state is kept. */
  readonly table?: LakeTable
  /** Number of record ids assigned up to and including this batch. */
  readonly records: number
  readonly held: Hold | undefined
  /** Versions that are published although they break a check, by the check's name. */
  readonly warnings: Broken
  /** The first batch whose changes these are, if the fact was held before. */
  readonly changesSince: number | undefined
}

/** The changes to map, the fact's entry in the batch before, and the limits of quarantine. */
export interface FactInput extends ChangeSpan {
  readonly before: ProcessedEntry | undefined
  readonly limits: QuarantineLimits
}

/**
 * Maps changes to versions of a fact, one change file at a time. Each version gets its record id:
 * gapless, in capture order, continuing from the batch before. A row that breaks a rule goes to
 * quarantine and gets no id. A row that breaks only a check with the severity `warn` becomes a
 * version.
 *
 * If too many rows break a rule, the fact is held: nothing is published, all rows of the batch go
 * to quarantine, and each later batch tries again with every change since then. Throws
 * `ContractError` (`MODEL_ROWS`) if the model does not make exactly one row for each change.
 */
export async function mapFact(
  batch: PendingBatch,
  model: Fact,
  input: FactInput,
): Promise<FactVersions> {
  const { before, span, limits } = input
  const mapping = await readMapping(batch, model, input)
  const files: MappedFile[] = []
  for (const { number, view, paths } of span) {
    for (const path of paths) {
      await using changes = await openFile(batch, input, { number, view, path })
      files.push({ number, view, path, counts: await countFile(batch, mapping, changes) })
    }
  }
  const measured = span.length > 1 ? await countLast(batch, mapping, input) : sumCounts(files)
  const held = holdFor(batch, { limits, ...measured, before: before?.held })
  if (held !== undefined) return await holdFact(batch, mapping, { input, files, held })
  return await publishFact(batch, mapping, { input, files })
}

function sumCounts(files: readonly MappedFile[]): { rows: number; refused: number } {
  const sum = (name: 'rows' | 'refused') =>
    files.reduce((total, { counts }) => total + counts[name], 0)
  return { rows: sum('rows'), refused: sum('refused') }
}

/** Sends every row of the batch to quarantine and publishes nothing. */
async function holdFact(
  batch: PendingBatch,
  mapping: Mapping,
  { input, files, held }: { input: FactInput; files: readonly MappedFile[]; held: Hold },
): Promise<FactVersions> {
  const quarantine: FileRef[] = []
  for (const file of files.filter(({ number }) => number === batch.number)) {
    await using changes = await openFile(batch, input, file)
    const refused = selectRefusedChanges(mapping, { changes, sql: mapping.sql, where: 'true' })
    const index = quarantine.length
    quarantine.push(...(await prepareQuarantine(batch, mapping, { refused, index })))
  }
  const outcome = await prepareOpen(batch, mapping, {
    before: input.before?.open ?? [],
    refused: quarantine,
    released: readRefused([]),
  })
  const rows = sumRows(quarantine)
  return {
    ...outcome,
    columns: mapping.columns,
    paths: [],
    quarantine,
    records: input.before?.records ?? 0,
    counts: countRows({ read: rows, quarantined: rows }),
    held,
    warnings: {},
    changesSince: undefined,
  }
}

async function publishFact(
  batch: PendingBatch,
  mapping: Mapping,
  { input, files }: { input: FactInput; files: readonly MappedFile[] },
): Promise<FactVersions> {
  const { before } = input
  const written: WrittenFile[] = []
  const quarantine: FileRef[] = []
  let records = before?.records ?? 0
  for (const file of files) {
    await using changes = await openFile(batch, input, file)
    await using restored = await restoreLost(batch, mapping, { file, written })
    const { sql, refused } = restored
    const versions = await writeVersions(batch, mapping, { sql, refused, file, given: records })
    written.push({ ...versions, number: file.number })
    records += versions.rows
    if (refused > 0) {
      const select = selectRefusedChanges(mapping, { changes, sql, where: mapping.broken })
      const index = quarantine.length
      quarantine.push(...(await prepareQuarantine(batch, mapping, { refused: select, index })))
    }
  }
  await checkKeysOnce(batch, mapping, written)
  const open = before?.open ?? []
  await using _last = open.length + quarantine.length > 0 ? await openLast(batch, input) : undefined
  const leaving = `(
    select ${mapping.keyText} as _key from (${mapping.sql})
    where not ${mapping.broken} or _operation = 'delete')`
  return {
    ...(await prepareOpen(batch, mapping, {
      before: open,
      refused: quarantine,
      released: leaving,
    })),
    columns: mapping.columns,
    paths: written,
    quarantine,
    records,
    counts: await countChanges(batch.db, {
      from: readParquet(written.map(({ path }) => path)),
      operation: historyColumns(mapping.model).operation,
      quarantined: sumRows(quarantine),
    }),
    held: undefined,
    warnings: addBroken(files.map((file) => file.counts.warnings)),
    changesSince: before?.held?.since,
  }
}

/** The model's rows of a file. In them, a deletion carries the last accepted values of its key. */
async function restoreLost(
  batch: PendingBatch,
  mapping: Mapping,
  { file: { counts }, written }: { file: MappedFile; written: readonly WrittenFile[] },
): Promise<RestoredChanges & { readonly refused: number }> {
  return await openTogether(async (keep) => {
    if (counts.refusedDeletes === 0) return { sql: mapping.sql, refused: counts.refused }
    const { sql } = keep(await restoreDeletes(batch, mapping, written))
    return { sql, refused: await batch.db.count(`(${sql}) where ${mapping.broken}`) }
  })
}

async function writeVersions(
  { db, number }: PendingBatch,
  { model, columns, broken }: Mapping,
  {
    sql,
    refused,
    file: { counts },
    given,
  }: { sql: string; refused: number; file: MappedFile; given: number },
): Promise<{ path: string; rows: number }> {
  // If every row of the file is published, its ordinals are gapless and need not be counted.
  const isWhole = refused === 0 && counts.rows === counts.last - counts.first + 1
  const recordId = isWhole
    ? `${given} + _ordinal - ${counts.first - 1}`
    : `${given} + row_number() over (order by _ordinal)`
  const { operation, recordedAt, batch } = historyColumns(model)
  const path = join(db.scratchDir, `${randomUUID()}.parquet`)
  const rows = await writeParquet(
    db,
    `select
        (${recordId})::bigint as ${identifier(model.recordId)},
        ${fileValues(columns)},
        _operation as ${identifier(operation)},
        _captured_at as ${identifier(recordedAt)},
        ${number}::bigint as ${identifier(batch)}
    from (${sql})
    where not ${broken}
    order by _ordinal`,
    path,
    columns,
  )
  return { path, rows }
}

/** The columns of a fact that name a day, each with its calendar. */
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

/**
 * Uploads the local files that hold versions of a fact. Readers see the files once the batch is
 * committed.
 */
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
