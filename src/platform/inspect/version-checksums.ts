import type { DuckDb, Relation } from '../io/duckdb.ts'
import { identifier, identifiers } from '../io/sql.ts'
import type { FileRef } from '../lake/commit-record.ts'
import type { Column } from '../lake/lake-type.ts'
import { historyColumns, isPresent, storedHistory } from '../project/fact-names.ts'
import type { Fact } from '../project/model.ts'
import {
  addChecksums,
  type Checksum,
  type ChecksumRow,
  duckSum,
  parseChecksum,
  rowHash,
  ZERO_CHECKSUM,
} from './verify-checksum.ts'

/** A fact's own columns, without the columns of its history. */
export function valuesOf(model: Fact, columns: readonly Column[]): Column[] {
  const told = new Set([model.recordId, ...storedHistory(model)])
  return columns.filter(({ name }) => !told.has(name))
}

/** A fact's files by chunk of `batchesAtOnce` batches: batch 1 begins chunk 0. Empty chunks are left out. */
export function chunkFiles(
  files: ReadonlyMap<number, readonly FileRef[]>,
  batchesAtOnce: number,
): Map<number, FileRef[]> {
  const chunks = new Map<number, FileRef[]>()
  for (const [batch, own] of files) {
    const chunk = Math.floor((batch - 1) / batchesAtOnce)
    chunks.set(chunk, [...(chunks.get(chunk) ?? []), ...own])
  }
  return chunks
}

/**
 * Makes a relation of the record id of each key's newest version in the processed zone, deletions
 * included. `open` returns SQL of one chunk's versions. Dispose of the relation after use.
 */
export async function openNewest(
  db: DuckDb,
  model: Fact,
  { chunks, open }: { chunks: readonly number[]; open: (chunk: number) => Promise<string> },
): Promise<Relation> {
  const [key, id] = [identifiers(model.key), identifier(model.recordId)]
  const [first = 0, ...others] = chunks
  const select = (from: string) => `select ${key}, max(${id}) as ${id} from ${from} group by ${key}`
  if (others.length === 0) return await db.table(select(await open(first)))
  await using newest = await db.table(select(await open(first)))
  for (const chunk of others)
    await db.run(`insert into ${newest.name} ${select(await open(chunk))}`)
  return await db.table(select(newest.name))
}

/** The result of one pass over versions in the processed zone: their checksum. */
export interface SummedVersions extends Checksum {
  /** The checksum of the newest versions, without deletions. `hash` is the sum of `rowHash`. */
  readonly latest: Checksum & { readonly hash: bigint }
}

/** Adds up the checksums of several parts of a fact's versions. */
export function addVersions(parts: readonly SummedVersions[]): {
  readonly all: Checksum
  readonly latest: SummedVersions['latest']
} {
  const hash = parts.reduce((sum, part) => sum + part.latest.hash, 0n)
  const all = parts.reduce(addChecksums, ZERO_CHECKSUM)
  const latest = parts.map((part) => part.latest).reduce(addChecksums, ZERO_CHECKSUM)
  return { all, latest: { ...latest, hash } }
}

/**
 * Computes the checksum of some versions, and of those among them whose record ids `newest`, a
 * relation from `openNewest`, holds. `versions` may follow `from`.
 */
export async function sumVersions(
  db: DuckDb,
  versions: string,
  { model, columns, newest }: { model: Fact; columns: readonly Column[]; newest: string },
): Promise<SummedVersions> {
  const id = identifier(model.recordId)
  const found = await db.row<
    ChecksumRow & { latest_rows: string; latest_sum: string; latest_hash: string }
  >(`
    select
        count(*)::varchar as rows,
        coalesce(sum(_sum), 0)::varchar as sum,
        count(*) filter (where _latest)::varchar as latest_rows,
        coalesce(sum(_sum) filter (where _latest), 0)::varchar as latest_sum,
        coalesce(sum(_hash) filter (where _latest), 0)::varchar as latest_hash
    from (
        select
            ${duckSum(columns)} as _sum,
            ${rowHash(valuesOf(model, columns))} as _hash,
            ${isPresent(model, identifier(historyColumns(model).operation))} and ${id} in (select ${id} from ${newest}) as _latest
        from ${versions}
    )`)
  const latest = parseChecksum({ rows: found.latest_rows, sum: found.latest_sum })
  return { ...parseChecksum(found), latest: { ...latest, hash: BigInt(found.latest_hash) } }
}
