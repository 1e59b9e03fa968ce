import type { DuckDb } from '../io/duckdb.ts'
import { onlyRow } from '../io/postgres.ts'
import { identifier } from '../io/sql.ts'
import type { Column } from '../lake/lake-type.ts'
import { exactText } from '../lake/quarantine/quarantine.ts'

/**
 * Rows as two numbers that do not depend on their order, the same in Postgres and in DuckDB. Equal
 * checksums mean equal rows. Different ones mean only that rows must be compared: Postgres and
 * DuckDB print a few types, such as floats, differently.
 */
export interface Checksum {
  readonly rows: bigint
  readonly sum: bigint
}

/** A row that a checksum's select list returns, as text. */
export interface ChecksumRow {
  readonly rows: string
  readonly sum: string
}

export function parseChecksum({ rows, sum }: ChecksumRow): Checksum {
  return { rows: BigInt(rows), sum: BigInt(sum) }
}

export function isSameChecksum(one: Checksum, other: Checksum | undefined): boolean {
  return one.rows === other?.rows && one.sum === other.sum
}

/**
 * The select list of a checksum in Postgres. Every value counts with its length, so that no two
 * rows look alike; 60 bits of each row's MD5 are summed up.
 */
export function postgresChecksum(columns: readonly string[]): string {
  const values = columns.map((name) => {
    const text = `${identifier(name)}::text`
    return `coalesce(octet_length(${text}) || ':' || ${text}, '-')`
  })
  const hash = `('x0' || substr(md5(${concat(values)}), 1, 15))::bit(64)::bigint`
  return `count(*)::text as rows, coalesce(sum(${hash}), 0)::text as sum`
}

/** The same in DuckDB, for columns in the lake's types. */
function duckChecksum(columns: readonly Column[]): string {
  const values = columns.map(({ name, type }) => {
    const text = exactText(name, type)
    return `coalesce(strlen(${text}) || ':' || ${text}, '-')`
  })
  const hash = `('0x' || substr(md5(${concat(values)}), 1, 15))::bigint::hugeint`
  return `count(*)::varchar as rows, coalesce(sum(${hash}), 0)::varchar as sum`
}

/** The checksum of a relation in DuckDB. */
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
 * All values one after the other. Postgres' functions take no more than a hundred arguments, so by `||`, which
 * takes two; in halves, since DuckDB parses expressions no deeper than a thousand.
 */
function concat(values: readonly string[]): string {
  if (values.length <= 2) return values.length === 0 ? `''` : values.join(' || ')
  const half = Math.ceil(values.length / 2)
  return `(${concat(values.slice(0, half))}) || (${concat(values.slice(half))})`
}
