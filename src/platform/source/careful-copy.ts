import { type CopiedFile, copyStatementToFile } from '../io/postgres-copy.ts'
import { type Client, onlyRow } from '../io/postgres.ts'
import { identifier } from '../io/sql.ts'
import { convertLines } from './convert-lines.ts'
import type { TableShape } from './table-shape.ts'

/**
 * The server prints a row into one buffer of 1 GB, and each byte of a bytea takes two digits there
 * (manual, appendix K, "field size"). Rows above this size are cut, so that what is left always
 * fits. `MAX_ROW_BYTES` of the lake is far lower.
 */
const CUT_ROWS_OF_BYTES = 256 * 1024 * 1024
const CUT_VALUES_OF_BYTES = 64 * 1024

/** Types whose values have a fixed or small size. */
const SMALL =
  /^(smallint|integer|bigint|boolean|real|double precision|date|time|timestamp|interval|uuid|numeric\()/

/**
 * Copies rows on which a plain COPY fails. Text is copied in the server's own encoding, byte for
 * byte, and then converted to UTF-8. In huge rows, large values outside the key become null. A row
 * that is not UTF-8 or was cut has notes in its first column, which is empty in all other rows:
 * `NOT_UTF8`, or the number of each column that was cut and the size of its value in bytes. A comma
 * follows each note (`2=1048576000,`). Throws what `pg` throws.
 */
export async function copyCarefully(
  client: Client,
  { relation, columns, key }: TableShape,
  { filter, path }: { filter: string; path: string },
): Promise<CopiedFile> {
  const found = columns.map(({ name, baseType }, index) => {
    const column = `t.${identifier(name)}`
    const isFixed = SMALL.test(baseType) || key.includes(name)
    return { column, number: index + 1, bytes: isFixed ? undefined : sizeSql(column, baseType) }
  })
  const sizes = found.flatMap(({ bytes }) => (bytes === undefined ? [] : `coalesce(${bytes}, 0)`))
  const isHuge = sizes.length === 0 ? 'false' : `${sizes.join(' + ')} > ${CUT_ROWS_OF_BYTES}`
  const isCut = (bytes: string) => `size.is_huge and ${bytes} > ${CUT_VALUES_OF_BYTES}`
  const notes = found.flatMap(({ number, bytes }) =>
    bytes === undefined
      ? []
      : `case when ${isCut(bytes)} then '${number}=' || ${bytes} || ',' else '' end`,
  )
  const values = found.map(({ column, bytes }) =>
    bytes === undefined ? column : `case when ${isCut(bytes)} then null else ${column} end`,
  )
  // The offset keeps the sum of all sizes from being computed once for each column.
  const statement = `copy (
    select ${[`''`, ...notes].join(' || ')}, ${values.join(', ')}
    from ${relation} as t, lateral (select ${isHuge} as is_huge offset 0) as size${filter}
  ) to stdout (encoding 'SQL_ASCII')`
  const copied = await copyStatementToFile(client, statement, { path })
  const encoding = onlyRow(
    await client.query<{ name: string }>('select pg_catalog.getdatabaseencoding() as name'),
  ).name
  if (encoding !== 'UTF8' && encoding !== 'SQL_ASCII')
    await convertLines(client, { path, encoding })
  return copied
}

/**
 * SQL of a value's size without printing the value: exact for text and bytea, otherwise the stored
 * size.
 */
function sizeSql(column: string, baseType: string): string {
  if (/^(text|character|json$|xml$)/.test(baseType)) return `octet_length(${column}::text)::bigint`
  if (baseType === 'bytea') return `octet_length(${column}::bytea)::bigint`
  return `pg_column_size(${column})::bigint`
}
