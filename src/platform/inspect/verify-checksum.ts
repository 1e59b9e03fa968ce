import type { DuckDb } from '../io/duckdb.ts'
import { onlyRow } from '../io/postgres.ts'
import { identifier } from '../io/sql.ts'
import type { Column } from '../lake/lake-type.ts'
import { exactText } from '../lake/quarantine/quarantine.ts'

/**
 * The checksum of a relation: two numbers that do not depend on the order of rows and are the same
 * in Postgres and in DuckDB. Equal checksums mean equal rows. Different checksums only mean that
 * the rows must be compared, because Postgres and DuckDB print a few types differently, such as
 * floats.
 */
export interface Checksum {
  readonly rows: bigint
  readonly sum: bigint
}

/** The row that a checksum's select list returns, as text. */
export interface ChecksumRow {
  readonly rows: string
  readonly sum: string
}

/** Parses the row of a checksum's select list. */
export function parseChecksum({ rows, sum }: ChecksumRow): Checksum {
  return { rows: BigInt(rows), sum: BigInt(sum) }
}

/** Whether two checksums are equal; false if one is missing. */
export function isSameChecksum(one: Checksum, other: Checksum | undefined): boolean {
  return one.rows === other?.rows && one.sum === other.sum
}

/**
 * The select list of a checksum in Postgres. Every value counts with its length, so that different
 * rows never give the same text. The sum adds 60 bits of each row's MD5.
 */
export function postgresChecksum(columns: readonly string[]): string {
  const values = columns.map((name) => {
    const text = `${identifier(name)}::text`
    return `coalesce(octet_length(${text}) || ':' || ${text}, '-')`
  })
  const hash = `('x0' || substr(md5(${concat(values)}), 1, 15))::bit(64)::bigint`
  return `count(*)::text as rows, coalesce(sum(${hash}), 0)::text as sum`
}

/** Like `postgresChecksum`, in DuckDB, for columns in the lake's types. */
function duckChecksum(columns: readonly Column[]): string {
  const values = columns.map(({ name, type }) => {
    const text = exactText(name, type)
    return `coalesce(strlen(${text}) || ':' || ${text}, '-')`
  })
  const hash = `('0x' || substr(md5(${concat(values)}), 1, 15))::bigint::hugeint`
  return `count(*)::varchar as rows, coalesce(sum(${hash}), 0)::varchar as sum`
}

/** Computes the checksum of a relation in DuckDB; without columns, the checksum of zero rows. */
export async function checksumOf(
  db: DuckDb,
  columns: readonly Column[],
  relation: string,
): Promise<Checksum> {
  if (columns.length === 0) return { rows: 0n, sum: 0n }
  const rows = await db.rows<ChecksumRow>(`select ${duckChecksum(columns)} from ${relation}`)
  return parseChecksum(onlyRow({ rows }))
}

/**
 * SQL that concatenates values. Uses `||`, because functions in Postgres take at most a hundred
 * arguments, and nests it in halves, because DuckDB parses expressions only a thousand levels deep.
 */
function concat(values: readonly string[]): string {
  if (values.length <= 2) return values.length === 0 ? `''` : values.join(' || ')
  const half = Math.ceil(values.length / 2)
  return `(${concat(values.slice(0, half))}) || (${concat(values.slice(half))})`
}
