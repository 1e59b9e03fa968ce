import type { DuckDb } from '../io/duckdb.ts'
import { type Client, onlyRow } from '../io/postgres.ts'
import { duckLiteral, identifier, identifiers } from '../io/sql.ts'
import { type Column, fileType, fileValue } from '../lake/lake-type.ts'
import { exactText } from '../lake/quarantine/quarantine.ts'

/**
 * The checksum of a relation: two numbers that do not depend on the order of rows and are the same
 * in Postgres and in DuckDB. Equal checksums mean equal rows. Different checksums only mean that
 * the rows must be compared, because Postgres and DuckDB print a few floats differently.
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

/** Adds two checksums. The result is the checksum of the rows of both relations. */
export function addChecksums(one: Checksum, other: Checksum): Checksum {
  return { rows: one.rows + other.rows, sum: one.sum + other.sum }
}

export const ZERO_CHECKSUM: Checksum = { rows: 0n, sum: 0n }

/** Whether two checksums are equal; false if one is missing. */
export function isSameChecksum(one: Checksum, other: Checksum | undefined): boolean {
  return one.rows === other?.rows && one.sum === other.sum
}

/**
 * The select list of a checksum in Postgres. The sum adds 60 bits of the MD5 of each row's text: the
 * text of a composite value, `(1,"a b",)`. Different rows give different texts, because Postgres can
 * read each text back as its row: a null is empty, an empty text is `""`, and a value that holds a
 * comma, a quote, a bracket, a backslash or white space is in quotes.
 *
 * The server prints a composite value in one pass: a scan with this list takes 1.2 times the CPU of
 * `count(row::text)`. Values concatenated with their lengths took 2.3 times. The MD5 and its
 * conversion are a sixth of the time, so a cheaper hash saves little.
 */
export function postgresChecksum(columns: readonly string[]): string {
  const hash = `('x0' || substr(md5(row(${identifiers(columns)})::text), 1, 15))::bit(64)::bigint`
  return `count(*)::text as rows, coalesce(sum(${hash}), 0)::text as sum`
}

/**
 * Reads the checksum of a relation in Postgres. `relation` may follow `from`. Throws what `pg`
 * throws.
 */
export async function readChecksum(
  client: Client,
  columns: readonly Pick<Column, 'name'>[],
  relation: string,
): Promise<Checksum> {
  const list = postgresChecksum(columns.map(({ name }) => name))
  return parseChecksum(onlyRow(await client.query<ChecksumRow>(`select ${list} from ${relation}`)))
}

/** SQL in DuckDB of the number that one row, in the lake's types, adds to `postgresChecksum`. */
export function duckSum(columns: readonly Column[]): string {
  const values = columns.flatMap((column, index) => [
    ...(index === 0 ? [] : [`','`]),
    compositeText(column),
  ])
  // `concat` takes a null for an empty text.
  const row = `concat('(', ${values.join(', ')}, ')')`
  return `('0x' || substr(md5(${row}), 1, 15))::bigint::hugeint`
}

/** Computes the checksum of a relation in DuckDB; without columns, the checksum of zero rows. */
export async function checksumOf(
  db: DuckDb,
  columns: readonly Column[],
  relation: string,
): Promise<Checksum> {
  if (columns.length === 0) return ZERO_CHECKSUM
  return parseChecksum(
    await db.row<ChecksumRow>(`
      select count(*)::varchar as rows, coalesce(sum(${duckSum(columns)}), 0)::varchar as sum
      from ${relation}`),
  )
}

const FIRST_YEAR = duckLiteral('0001-01-01 00:00:00')
const LAST_YEAR = duckLiteral('9999-12-31 23:59:59.999999')

/** SQL of a value as Postgres writes it inside a composite value. */
function compositeText({ name, type }: Column): string {
  const value = identifier(name)
  const exact = exactText(name, type)
  switch (type) {
    case 'BOOLEAN':
      return `case when ${value} then 't' when not ${value} then 'f' end`
    case 'BLOB':
      return `'"\\' || ${exact} || '"'`
    case 'DATE':
      // The era follows a space. Most dates need no search for it.
      return `case
        when ${value} >= '0001-01-01'::date or not isfinite(${value}) then ${value}::varchar
        else '"' || ${exact} || '"' end`
    case 'TIMESTAMP':
    case 'TIMESTAMP_S':
    case 'TIMESTAMP_MS':
    case 'TIMESTAMPTZ': {
      // In UTC. DuckDB prints a TIMESTAMP four times as fast as a TIMESTAMPTZ.
      const plain =
        type === 'TIMESTAMPTZ'
          ? `make_timestamp(epoch_us(${value}))::varchar || '+00'`
          : `${value}::varchar`
      return `case
        when ${value} between ${FIRST_YEAR}::${type} and ${LAST_YEAR}::${type} then '"' || ${plain} || '"'
        when isfinite(${value}) then '"' || ${exact} || '"'
        else ${exact} end`
    }
    default:
      return fileType(type) === 'VARCHAR' ? quoted(exact) : exact
  }
}

/** SQL of a text as Postgres writes it inside a composite value, quoted if needed (`record_out`). */
function quoted(text: string): string {
  const doubled = String.raw`replace(replace(${text}, '\', '\\'), '"', '""')`
  const mustBe = String.raw`(${text} = '' or regexp_matches(${text}, '[\s\v"\\(),]'))`
  return `case when ${mustBe} then '"' || ${doubled} || '"' else ${text} end`
}

/**
 * SQL of a number for each row, to compare two relations inside DuckDB by the sum of these numbers.
 * Compare only relations with the same `hashedAs`. DuckDB's hash of a row has 64 bits. It is hashed
 * again, because otherwise the sum could stay the same when two rows exchange values of a column. It
 * takes a seventh of the time of `duckSum`, because no value becomes text.
 */
export function rowHash(columns: readonly Column[]): string {
  const values = byName(columns).map(({ name, type }) => {
    const value = fileValue(identifier(name), type)
    // As numbers, -0.0 and 0.0 are equal.
    return type === 'FLOAT' || type === 'DOUBLE' ? `${value}::varchar` : value
  })
  return `hash(hash(${values.join(', ')}))`
}

/** The names and types of the columns that `rowHash` covers, whatever their order. */
export function hashedAs(columns: readonly Column[]): string {
  return JSON.stringify(byName(columns).map(({ name, type }) => [name, fileType(type)]))
}

function byName(columns: readonly Column[]): Column[] {
  return columns.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}
